"""Tables that people write, and that nobody writes."""

import os

import pytest

from impasto.errors import OptionError
from impasto.options import tables


def written(folder, text):
    path = folder / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train", "is not a recipe: Expected"),
        (b"\xff\xfe", "is not a recipe: .*decode"),
        ("a = " + "[" * 5000 + "]" * 5000, "too deep"),
        ("a = " + "[" * 50 + "]" * 50, "too deep"),
        ("a = " + "{ a = " * 60 + "1" + " }" * 60, "too deep"),
        ("a = " + "9" * 5000, "is not a recipe: Exceeds"),
        ("#" * (1 << 20) + "\n", "has more than"),
        ("b = 1", "an unknown entry, 'b'"),
    ],
)
def test_what_is_no_table_is_said(text, said, tmp_path):
    with pytest.raises(OptionError, match=said):
        tables.read(written(tmp_path, text), "a recipe", {"a"})


def test_what_is_no_file_is_said_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none"):
        with pytest.raises(OptionError, match="is not a recipe"):
            tables.read(path, "a recipe", {"a"})


def test_kinds_are_asked_for(tmp_path):
    path = written(tmp_path, "a = 5\nt = 'x'\nl = [1]")
    table = tables.read(path, "a recipe", {"a", "t", "l"})
    assert tables.text(table, "t", path) == "x"
    assert tables.text(table, "none", path) is None
    for name in ("a", "l"):
        with pytest.raises(OptionError, match=f"{name} in .* it must be a text"):
            tables.text(table, name, path)
        with pytest.raises(OptionError, match=f"{name} in .* is no table"):
            tables.table(table, name, path)

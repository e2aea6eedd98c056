"""Files that wait, lead elsewhere or grow, and JSON that no honest program writes."""

import os

import pytest

from impasto import untrusted


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "state.json"
    path.write_bytes(b'{"a": [1, 2.5, "x"]}')
    return path


def test_what_is_in_a_file_is_read_within_its_bound(file):
    assert untrusted.read(file, 20) == file.read_bytes()
    assert untrusted.read_json(file, 20) == {"a": [1, 2.5, "x"]}
    with pytest.raises(OSError, match="it has more than 19 bytes"):
        untrusted.read(file, 19)


def test_a_link_is_followed_only_where_a_person_has_named_it(file, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(file)
    with pytest.raises(OSError, match="symbolic link"):
        untrusted.read(link, 100)
    assert untrusted.read(link, 100, follow=True) == file.read_bytes()


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, "/dev/zero"):
        with pytest.raises(OSError, match="not a regular file"):
            untrusted.read(path, 100)
    with pytest.raises(FileNotFoundError):
        untrusted.read(tmp_path / "none", 100)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "too deep"),
        ("[" * 40 + "]" * 40, "too deep"),
        ('{"a":' * 40 + "1" + "}" * 40, "too deep"),
        ("NaN", "NaN is not a number"),
        ("-Infinity", "-Infinity is not a number"),
        ("1e999", "1e999 is too large"),
        (f"1{'0' * 4000}", "too large"),
        (str(1 << 64), "too large"),
        (r'["\ud800"]', "surrogates not allowed"),
        (r'{"\ud800": 1}', "surrogates not allowed"),
        (r'["a\u0000b"]', "a text in it has a zero"),
        ('{"a": 1, "b": {"a": 1, "c": 2, "c": 3}}', "gives 'c' twice"),
        ("{", "Expecting"),
        (b"\xff\xfe\xff", "decode"),
    ],
)
def test_json_that_no_honest_program_writes(text, said):
    with pytest.raises(ValueError, match=said):
        untrusted.parse_json(text)


def test_json_at_the_bounds_is_read():
    assert untrusted.parse_json(f"[{(1 << 64) - 1}, {-(1 << 63)}]") == [(1 << 64) - 1, -(1 << 63)]
    assert untrusted.parse_json("[" * 32 + "]" * 32) is not None

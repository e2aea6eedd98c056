import json
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from impasto import atomic, catalog, images
from impasto.studio.export import publish


class Killed(BaseException):
    """Nobody catches it, as nobody catches the end of a process."""


@contextmanager
def killed_after(count):
    """The process ends before it writes or removes more paths."""
    left = iter(range(count))

    def counted(real):
        def run(*args, **more):
            if next(left, None) is None:
                raise Killed
            return real(*args, **more)

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic, "write", counted(atomic.write))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        with suppress(Killed):
            yield


def made(name, like):
    """A network of a bundled style, and its card under another name."""
    style = catalog.bundled()[like]
    card = json.loads((style.folder / catalog.CARD).read_bytes())
    card["model"]["file"] = "style.onnx"
    return style.model(), card | {"name": name, "preview": f"{name}.jpg"}


@pytest.fixture(scope="module")
def old():
    return made("here", "udnie-tiny")


@pytest.fixture(scope="module")
def new():
    return made("here", "jack-pine-tiny")


def whole(folder, *expected):
    """Which of these styles the folder holds; its network, and its preview, are there."""
    style = catalog.find(folder)
    assert images.read(style.preview).width == 384
    return [model for model, _ in expected].index(style.model())


def named(folder):
    """All that is there is what the card names."""
    card = catalog.find(folder).card
    return {path.name for path in folder.iterdir()} == {catalog.CARD, card.file, card.preview}


def test_a_style_that_is_replaced_is_whole_whenever_that_is_broken_off(tmp_path, old, new):
    """Three files are written, two are removed; the card is the third."""
    for count in range(6):
        folder = tmp_path / str(count) / "here"
        publish.write_folder(folder, *old)
        before = catalog.find(folder).preview.read_bytes()
        with killed_after(count):
            publish.write_folder(folder, *new)
        assert whole(folder, old, new) == (count >= 3)
        assert (catalog.find(folder).preview.read_bytes() == before) == (count < 3)
        assert named(folder) == (count in (0, 5))
        with killed_after(2):  # by another, which is broken off as well
            publish.write_folder(folder, *made("here", "seine-tiny"))
        publish.write_folder(folder, *new)
        assert whole(folder, new) == 0
        assert named(folder)


def test_a_style_may_be_replaced_again_and_again(tmp_path, old, new):
    for wanted in (old, new, new, old):
        publish.write_folder(tmp_path / "here", *wanted)
        assert whole(tmp_path / "here", wanted) == 0
        assert named(tmp_path / "here")


def test_what_impasto_has_not_written_stays(tmp_path, old, new):
    publish.write_folder(tmp_path / "here", *old)
    own = [tmp_path / "here" / name for name in ("other.jpg", "other-20240101.jpg", "other.onnx")]
    for path in own:
        path.write_bytes(b"mine")
    model, card = new
    for more in ({"name": "other", "preview": "other.jpg"}, {}):
        publish.write_folder(tmp_path / "here", model, card | more)
    assert [path.read_bytes() for path in own] == [b"mine"] * 3


def test_what_stands_in_the_way_of_tidying_is_no_error(tmp_path, old, new, monkeypatch):
    publish.write_folder(tmp_path / "here", *old)

    def busy(*_):
        raise PermissionError("in use")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", busy)
        publish.write_folder(tmp_path / "here", *new)
    assert whole(tmp_path / "here", old, new) == 1

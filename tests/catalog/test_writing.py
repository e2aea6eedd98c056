import hashlib
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from impasto import catalog, images
from impasto.catalog import writing
from impasto.files import atomic


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
    model = style.model()
    digest = hashlib.sha256(model).hexdigest()
    file = replace(style.card.model, file="style.onnx", sha256=digest, bytes=len(model))
    return model, [replace(style.card, name=name, preview=f"{name}.jpg", model=file)]


@pytest.fixture(scope="module")
def old():
    return made("wave", "udnie-tiny")


@pytest.fixture(scope="module")
def new():
    return made("wave", "jack-pine-tiny")


def whole(folder, *expected):
    """Which of these styles the folder holds; its network, and its preview, are there."""
    style = catalog.find(folder)
    assert images.read(style.preview).width == 384
    return [model for model, _ in expected].index(style.model())


def named(folder):
    """All that is there is what the card names."""
    card = catalog.find(folder).card
    return {path.name for path in folder.iterdir()} == {catalog.CARD, card.model.file, card.preview}


def test_a_style_that_is_replaced_is_whole_whenever_that_is_broken_off(tmp_path, old, new):
    """Three files are written, two are removed; the card is the third."""
    for count in range(6):
        folder = tmp_path / str(count) / "wave"
        writing.write_folder(folder, *old)
        before = catalog.find(folder).preview.read_bytes()
        with killed_after(count):
            writing.write_folder(folder, *new)
        assert whole(folder, old, new) == (count >= 3)
        assert (catalog.find(folder).preview.read_bytes() == before) == (count < 3)
        assert named(folder) == (count in (0, 5))
        with killed_after(2):  # by another, which is broken off as well
            writing.write_folder(folder, *made("wave", "seine-tiny"))
        writing.write_folder(folder, *new)
        assert whole(folder, new) == 0
        assert named(folder)


def learnable(folder):
    return folder / writing.beside(catalog.find(folder).card.model.file)


def test_what_is_learnt_on_from_is_that_of_the_card_whenever_that_is_broken_off(tmp_path, old, new):
    """Four files are written, three are removed; the card is the fourth."""
    for count in range(8):
        folder = tmp_path / str(count) / "wave"
        writing.write_folder(folder, *old, b"old")
        with killed_after(count):
            writing.write_folder(folder, *new, b"new")
        assert (whole(folder, old, new) == 1) == (count >= 4)
        assert learnable(folder).read_bytes() == (b"new" if count >= 4 else b"old")
        writing.write_folder(folder, *made("wave", "seine-tiny"))  # which has none
        assert not learnable(folder).exists()
        assert named(folder)


def test_what_was_broken_off_goes_even_if_its_removal_is_broken_off(tmp_path, old, new):
    for count in range(3, 8):
        folder = tmp_path / str(count) / "wave"
        writing.write_folder(folder, *old)
        with killed_after(2):
            writing.write_folder(folder, *made("wave", "seine-tiny"))
        for more in (count, 100):
            with killed_after(more):
                writing.write_folder(folder, *new)
            assert whole(folder, new) == 0
        assert named(folder)


def test_a_style_may_be_replaced_again_and_again(tmp_path, old, new):
    for wanted in (old, new, new, old):
        writing.write_folder(tmp_path / "wave", *wanted)
        assert whole(tmp_path / "wave", wanted) == 0
        assert named(tmp_path / "wave")


def test_what_impasto_has_not_written_stays(tmp_path, old, new):
    writing.write_folder(tmp_path / "wave", *old)
    own = [tmp_path / "wave" / name for name in ("other.jpg", "other-20240101.jpg", "other.onnx")]
    for path in own:
        path.write_bytes(b"mine")
    model, (card,) = new
    for each in (replace(card, name="other", preview="other.jpg"), card):
        writing.write_folder(tmp_path / "wave", model, [each])
    assert [path.read_bytes() for path in own] == [b"mine"] * 3


def test_what_stands_in_the_way_of_tidying_is_no_error(tmp_path, old, new, monkeypatch):
    writing.write_folder(tmp_path / "wave", *old)

    def busy(*_):
        raise PermissionError("in use")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", busy)
        writing.write_folder(tmp_path / "wave", *new)
    assert whole(tmp_path / "wave", old, new) == 1

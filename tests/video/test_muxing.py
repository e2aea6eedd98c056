"""Parts put together; where that fails, they are kept."""

import pytest

from filming import frames_of, open_files
from impasto.errors import OutputError
from impasto.stylization.film import stylize_film
from impasto.stylization.stylizer import Stylizer

av = pytest.importorskip("av")


class Full:
    """An output whose disk is full after some packets."""

    def __init__(self, output):
        self._output, self._left = output, 5

    def __getattr__(self, name):
        return getattr(self._output, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._output.close()

    def mux(self, given):
        if not self._left:
            raise OSError(28, "No space left on device")
        self._left -= 1
        self._output.mux(given)


@pytest.mark.parametrize("kind", [".mp4", ".gif"])
def test_parts_that_cannot_be_joined_are_kept_and_nothing_else(
    tmp_path, clip, style, monkeypatch, kind
):
    target, real = tmp_path / f"painted{kind}", av.open

    def opened(path, *args, **more):
        found = real(path, *args, **more)
        return Full(found) if "joined" in str(path) else found

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="No space") as told:
        patch.setattr(av, "open", opened)
        stylize_film(clip, target, Stylizer(style, steady=True, threads=1))
    assert told.value.__traceback__
    assert not open_files(tmp_path)
    assert not open_files(clip.parent)
    assert not target.exists()
    (parts,) = tmp_path.iterdir()
    kept = sorted(path.name for path in parts.iterdir())
    assert kept == ["000000.npz", "000000.nut", "film.json", "lock"]
    seen = []
    stylize_film(clip, target, Stylizer(style, steady=True, threads=1), on_progress=seen.append)
    assert not seen  # all was painted before
    assert len(frames_of(target)) == 20

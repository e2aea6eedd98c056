"""What a film leaves open, and lying about, when something fails on the way: nothing."""

import resource
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from filming import frames_of, make
from impasto.errors import Cancelled, OutputError, PictureError, PictureLimitError
from impasto.options import ReadOptions
from impasto.stylization.film import stylize_film
from impasto.stylization.stylizer import Stylizer
from impasto.video import encoding
from impasto.video.encoding import Encoder, Work
from impasto.video.opening import written
from impasto.video.reading import Source

av = pytest.importorskip("av")
LIMIT = 50_000
"""Bytes of the largest file; noise is more."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make(tmp_path_factory.mktemp("film") / "clip.mp4", frames=40)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (320, 480, 3), np.uint8)


@contextmanager
def full_disk(limit=LIMIT):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def open_files(folder):
    """Files below ``folder`` that this process has open."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # of the one that lists them
            found.append(str(number.readlink()))
    return [path for path in found if path.startswith(str(folder))]


@pytest.fixture
def encoders():
    """List the encoders' threads that a test has begun, beside those that others have left."""
    before = set(threading.enumerate())
    return lambda: [
        each.name
        for each in threading.enumerate()
        if "ThreadPool" in each.name and each not in before
    ]


def begun(target):
    work = Work(target, "key")
    work.start()
    return work


@pytest.mark.parametrize("kind", [".gif", ".mp4", ".webm"])
@pytest.mark.parametrize("count", [2, 30], ids=["at the end", "on the way"])
def test_an_encoder_that_fails_is_closed_and_leaves_no_part(
    tmp_path, clip, noise, kind, count, encoders
):
    work = begun(tmp_path / f"painted{kind}")
    with (
        closing(Source(clip, ReadOptions())) as film,
        full_disk(),
        pytest.raises(OSError, match="File too large") as told,
        Encoder(work, film) as encoder,
    ):
        for frame in list(film.frames())[:count]:
            encoder.add(noise, frame)
    assert told.value.__traceback__  # which keeps what was at work when it was raised
    assert not open_files(tmp_path)
    assert not encoders()
    assert [path.name for path in work.folder.iterdir()] == ["film.json"]


def test_the_first_error_is_told_and_not_what_closing_says(tmp_path, clip, noise, encoders):
    work = begun(tmp_path / "painted.gif")
    with (
        closing(Source(clip, ReadOptions())) as film,
        full_disk(),
        pytest.raises(Cancelled, match="the first"),
        Encoder(work, film) as encoder,
    ):
        for frame in list(film.frames())[:2]:
            encoder.add(noise, frame)
        raise Cancelled("the first")
    assert not open_files(tmp_path)
    assert not encoders()


def test_what_closing_says_is_told_if_nothing_else_has_failed(tmp_path):
    with (
        full_disk(100),
        pytest.raises(OSError, match="File too large"),
        written(tmp_path / "one.nut", "nut") as output,
    ):
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "bgr0"
        output.mux(stream.encode(av.VideoFrame(64, 64, "bgr0")))
        output.mux(stream.encode(None))
    assert not open_files(tmp_path)
    assert not list(tmp_path.iterdir())


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
    assert kept == ["000000.npz", "000000.nut", "film.json"]
    seen = []
    stylize_film(clip, target, Stylizer(style, steady=True, threads=1), on_progress=seen.append)
    assert not seen  # all was painted before
    assert len(frames_of(target)) == 40


@pytest.mark.parametrize("limits", [ReadOptions(max_pixels=1000), ReadOptions()])
def test_a_film_that_is_refused_is_closed(tmp_path, clip, limits):
    source = tmp_path / "clip.mkv"
    with av.open(str(source), "w") as output:  # sound alone, or more pixels than are read
        stream = output.add_stream("aac", rate=48000, layout="mono")
        if limits.max_pixels < 10_000:
            output.close()
            source.write_bytes(clip.read_bytes())
        else:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate = 48000
            output.mux(stream.encode(silence))
            output.mux(stream.encode(None))
    with pytest.raises(PictureError) as told:
        Source(source, limits)
    assert isinstance(told.value, PictureLimitError) == (limits.max_pixels == 1000)
    assert not open_files(tmp_path)


def test_a_first_part_that_fails_leaves_no_folder(tmp_path, clip, style, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Encoder, "_encode", fail)
    target = tmp_path / "painted.mp4"
    with pytest.raises(OutputError, match="No space left"):
        stylize_film(clip, target, Stylizer(style, steady=True, threads=1))
    assert not list(tmp_path.iterdir())
    assert not encoding.unfinished(target)

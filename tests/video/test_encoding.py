"""Painted frames in parts: colours, transparency, and nothing left open when it fails."""

import threading

import numpy as np
import pytest

from filming import Copy, as_it_is, clear, frames_of, full_disk, make, open_files, pixels_of
from impasto.errors import Cancelled
from impasto.images.picture import Picture
from impasto.options import ReadOptions, StylizeOptions
from impasto.progress import CancelToken
from impasto.stylization.film import stylize_film
from impasto.video import pipeline
from impasto.video.encoding import Encoder, coding
from impasto.video.film import paint
from impasto.video.pipeline import Look
from impasto.video.reading import Source, upright

av = pytest.importorskip("av")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make(tmp_path_factory.mktemp("film") / "clip.mp4", frames=40)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (320, 480, 3), np.uint8)


@pytest.fixture
def encoders():
    """List the encoders' threads that a test has begun, beside those that others have left."""
    before = set(threading.enumerate())
    return lambda: [
        each.name
        for each in threading.enumerate()
        if "ThreadPool" in each.name and each not in before
    ]


@pytest.mark.parametrize("kind", [".gif", ".mp4", ".webm"])
@pytest.mark.parametrize("count", [2, 30], ids=["at the end", "on the way"])
def test_an_encoder_that_fails_is_closed_and_leaves_no_part(
    tmp_path, clip, noise, kind, count, encoders
):
    with (
        Source(clip, ReadOptions()) as film,
        full_disk(),
        pytest.raises(OSError, match="File too large") as told,
        Encoder(tmp_path / "part.tmp", coding(kind, clear=False), film) as encoder,
    ):
        for frame in list(film.frames())[:count]:
            encoder.add(noise, frame)
    assert told.value.__traceback__  # which keeps what was at work when it was raised
    assert not open_files(tmp_path)
    assert not encoders()
    assert not list(tmp_path.iterdir())


def test_the_first_error_is_told_and_not_what_closing_says(tmp_path, clip, noise, encoders):
    with (
        Source(clip, ReadOptions()) as film,
        full_disk(),
        pytest.raises(Cancelled, match="the first"),
        Encoder(tmp_path / "part.tmp", coding(".gif", clear=False), film) as encoder,
    ):
        for frame in list(film.frames())[:2]:
            encoder.add(noise, frame)
        raise Cancelled("the first")
    assert not open_files(tmp_path)
    assert not encoders()


@pytest.mark.parametrize(("pixel_format", "color_range"), [("yuv420p", 1), ("yuvj420p", 2)])
def test_colour_tags_are_kept_and_colours_with_them(painter, tmp_path, pixel_format, color_range):
    tags = {"color_primaries": 1, "color_trc": 1, "colorspace": 1, "color_range": color_range}
    options = {"frames": 3, "sound": None, "pixel_format": pixel_format}
    clip = make(tmp_path / "clip.mp4", **options, **tags)
    stylize_film(clip, tmp_path / "painted.mp4", painter, StylizeOptions(strength=0))
    frame = frames_of(tmp_path / "painted.mp4")[0]
    assert {name: getattr(frame, name) for name in tags} == tags
    assert np.abs(pixels_of(tmp_path / "painted.mp4") - pixels_of(clip)).mean() < 6


def test_a_film_in_hdr_becomes_an_ordinary_one(painter, tmp_path):
    hlg = {"color_primaries": 9, "color_trc": 18, "colorspace": 9, "color_range": 1}
    clip = make(tmp_path / "clip.mp4", frames=3, sound=None, **hlg)
    assert frames_of(clip)[0].color_trc == 18
    stylize_film(clip, tmp_path / "painted.mp4", painter, StylizeOptions(strength=0))
    frame = frames_of(tmp_path / "painted.mp4")[0]
    assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (1, 1, 1)
    assert np.abs(pixels_of(tmp_path / "painted.mp4") - pixels_of(clip)).mean() < 6


VP9 = {"codec": "libvpx-vp9", "pixels": "yuva420p", "auto-alt-ref": "0"}
PRORES = {"codec": "prores_ks", "pixels": "yuva444p10le", "profile": "4444"}
CLEAR = {"a.mov": {}, "b.mov": PRORES, "c.webm": VP9, "d.mkv": {"codec": "ffv1", "pixels": "bgra"}}


@pytest.mark.parametrize("name", CLEAR)
@pytest.mark.parametrize(
    ("suffix", "about"), [(".mov", "ProRes 4444"), (".webm", "VP9 with alpha")]
)
def test_transparency_is_kept_where_it_can_be(tmp_path, name, suffix, about):
    clip = clear(tmp_path / name, **CLEAR[name])
    film = paint(clip, tmp_path / f"out{suffix}", as_it_is())
    assert film.notes == (f"transparency is kept, in {about}",)
    with Source(tmp_path / f"out{suffix}", ReadOptions()) as painted:
        frames = [upright(frame) for frame in painted.frames()]
    assert [frame.shape for frame in frames] == [(48, 64, 4)] * 4
    for frame in frames:
        assert frame[:, :30, 3].max() < 8
        assert frame[:, 34:, 3].min() > 247
        assert np.abs(frame[:, 34:, :3] - np.array([60.0, 140, 30])).mean() < 4


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".m4v"])
def test_transparency_that_is_lost_is_said_to_be(tmp_path, suffix):
    film = paint(clear(tmp_path / "a.mov"), tmp_path / f"out{suffix}", as_it_is())
    assert film.notes == ("transparency is lost in 4 frames: a .mov or .webm holds it",)
    assert frames_of(tmp_path / f"out{suffix}")[0].format.name == "yuv420p"


def test_transparency_that_begins_late_is_said_to_be_lost(tmp_path):
    film = paint(clear(tmp_path / "a.mov", first=2), tmp_path / "out.mov", as_it_is())
    assert film.notes == ("transparency is lost in 2 frames: it begins after the first frame",)


def test_an_opaque_film_that_might_be_transparent_is_an_ordinary_one(tmp_path):
    film = paint(clear(tmp_path / "a.mov", first=9), tmp_path / "out.mov", as_it_is())
    assert film.notes == ()
    assert frames_of(tmp_path / "out.mov")[0].format.name == "yuv420p"


def test_a_painter_sees_no_colours_that_are_not_seen(tmp_path):
    """What is transparent is often black; a network would carry that over the edge."""
    seen = []

    def frames(pixels):
        for each in pixels:
            seen.append(each)
            yield Picture(each)

    paint(clear(tmp_path / "a.mov"), tmp_path / "o.mov", Look("seen", Copy(), frames))
    assert np.abs(seen[0].astype(int) - [60, 140, 30]).max() < 3


@pytest.mark.parametrize("suffix", [".mov", ".webm"])
def test_a_transparent_film_goes_on_where_it_was_stopped(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(pipeline, "PART", 2)
    clip, target, cancel = (
        clear(tmp_path / "a.mov", count=6),
        tmp_path / f"o{suffix}",
        CancelToken(),
    )

    def stop(progress):
        if progress.step == 3:
            cancel.cancel()

    paint(clip, target, as_it_is(), on_progress=stop, cancel=cancel)
    film = paint(clip, target, as_it_is())
    assert (film.frames, len(film.notes)) == (6, 1)
    with Source(target, ReadOptions()) as painted:
        assert [upright(each)[5, 5, 3] < 8 for each in painted.frames()] == [True] * 6

"""Painted frames in parts: colours, transparency, and nothing left open when it fails."""

import threading

import numpy as np
import pytest

from filming import frames_of, full_disk, make, open_files, pixels_of
from impasto.errors import Cancelled
from impasto.options import ReadOptions, StylizeOptions
from impasto.stylization.film import stylize_film
from impasto.video.encoding import Encoder, coding
from impasto.video.reading import Source

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

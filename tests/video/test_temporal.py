import numpy as np
import pytest

from impasto import assets, catalog, images
from impasto.inference.engine import OnnxEngine
from impasto.video.temporal import SteadyEngine, _Alone


def steady(style, threads=None):
    return SteadyEngine(OnnxEngine(style.model(), threads=threads), threads)


@pytest.fixture(scope="module")
def scene():
    return images.read(assets.demo_photo()).resized(320).pixels.astype(np.float32)


def film(scene, rng, *, frames=12, noise=3.0, drift=0.0):
    """A still camera, a red block that moves, noise, and light that changes."""
    for number in range(frames):
        frame = scene + number * drift
        left = 10 + 6 * number
        frame[60:100, left : left + 40] = (220, 30, 30)
        yield np.clip(frame + rng.normal(0, noise, frame.shape), 0, 255).astype(np.uint8)


def changes(frames):
    """Mean change from frame to frame where the block never comes."""
    still = np.stack(frames)[2:, 130:].astype(int)
    return float(np.abs(np.diff(still, axis=0)).mean())


def test_what_stands_still_is_steady(style, scene, rng):
    frames = list(film(scene, rng))
    engine, plain = steady(style), steady(style)
    calm = [engine.paint(frame) for frame in frames]
    each = []
    for frame in frames:
        plain.state = {}
        each.append(plain.paint(frame))
    assert changes(calm) < 0.25 * changes(each)
    assert engine.flicker < 0.25 * changes(each)
    assert engine.noise == pytest.approx(changes(frames), rel=0.3)


def test_what_moves_is_painted_where_it_is(style, scene, rng):
    frames = list(film(scene, rng, noise=0))
    engine, plain = steady(style), steady(style)
    calm = [engine.paint(frame) for frame in frames][-1].astype(int)
    own = plain.paint(frames[-1]).astype(int)
    left = 10 + 6 * 11
    assert np.abs(calm - own)[60:100, left : left + 40].mean() < 25
    gone = np.abs(calm - own)[60:100, 10:40]  # where it was: no ghost
    assert gone.mean() < 15


def test_slow_changes_are_followed(scene, rng):
    """A sunset changes nothing from frame to frame, and everything in the end."""
    style = catalog.find("udnie")  # its painting changes more than it lags behind
    frames = list(film(scene, rng, frames=40, noise=1, drift=-2.0))
    engine, plain = steady(style), steady(style)
    calm = [engine.paint(frame) for frame in frames][-1]
    first, last = (plain.paint(frame) for frame in (frames[0], frames[-1]))
    assert np.abs(calm.astype(int) - last).mean() < 0.6 * np.abs(last.astype(int) - first).mean()


def test_a_cut_starts_anew(style, scene, rng):
    engine, plain = steady(style), steady(style)
    for frame in film(scene, rng, frames=4):
        engine.paint(frame)
    other = np.ascontiguousarray(255 - scene[::-1]).astype(np.uint8)
    assert np.array_equal(engine.paint(other), plain.paint(other))


def test_a_film_is_the_same_however_many_frames_are_painted_at_once(style, scene, rng):
    frames = [*film(scene, rng, frames=10), *film(255 - scene, rng, frames=6)]
    single = steady(style, threads=1)
    expected = [single.paint(frame) for frame in frames]
    engine = steady(style, threads=4)
    assert engine.at_once == 4
    painted = list(engine.film(iter(frames)))
    assert np.array_equal(painted, expected)
    assert (engine.flicker, engine.noise) == (single.flicker, single.noise)


@pytest.mark.parametrize("stop", [1, 3, 5, 9])
def test_what_is_remembered_can_be_given_to_another(style, scene, rng, stop):
    frames = list(film(scene, rng, frames=14))
    expected = list(steady(style).film(frames))[stop:]
    first = steady(style)
    painting = first.film(frames)  # some frames further than it is taken
    for _ in range(stop):
        next(painting)
    painting.close()
    second = steady(style)
    second.state = first.state
    assert np.array_equal(list(second.film(frames[stop:])), expected)


def test_frames_that_fill_the_memory_are_painted_one_by_one(style, scene, rng, monkeypatch):
    frames = list(film(scene, rng, frames=3))
    engine = steady(style, threads=4)
    each = 1.5 * scene[..., 0].size * OnnxEngine(style.model()).bytes_per_pixel
    monkeypatch.setattr("impasto.inference.engine.MEMORY", each)
    assert engine._fitting(frames[0], _Alone(engine._guided, ())) == 1
    assert len(list(engine.film(frames))) == 3


def test_frames_of_any_size_are_painted(style, rng):
    engine = steady(style)
    for size in ((1, 1), (63, 65), (63, 65), (70, 131)):
        frame = rng.integers(0, 256, (*size, 3), np.uint8)
        assert engine.paint(frame).shape == frame.shape


@pytest.mark.parametrize("blank", [0, 255])
def test_what_fades_in_is_painted_as_if_it_were_alone(style, scene, blank):
    frames = [
        np.clip(blank + (scene - blank) * min(1, number / 12), 0, 255).astype(np.uint8)
        for number in range(24)
    ]
    *_, last = steady(style).film(frames)
    alone = steady(style).paint(frames[-1])
    assert np.abs(last.astype(int) - alone).mean() < 20  # and 60 by the blank frame's statistics


def test_light_that_changes_begins_no_other_scene(style, scene, rng):
    engine, frames = steady(style), list(film(scene, rng, drift=-2.0, frames=24))
    assert [engine.state["age"] for _ in engine.film(frames)] == list(range(24))

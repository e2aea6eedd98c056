"""GIFs keep the time of each frame, their number of rounds, and what is transparent."""

import io
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from filming import as_it_is, clear, make
from impasto.video import gif
from impasto.video.film import paint

av = pytest.importorskip("av")


def scene(number, alpha=None):
    pixels = np.full((48, 64, 4), 255, np.uint8)
    pixels[..., :3] = (90, 120, 60)
    pixels[8:24, 8 * number : 8 * number + 16, :3] = (200, 40, 30)
    if alpha is not None:
        pixels[..., 3] = alpha
    return Image.fromarray(pixels)


def saved(path, *pictures, **options):
    first, *others = pictures
    first.save(path, save_all=True, append_images=others, **options)
    return path


def read(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def told(path):
    """How long each frame is shown, in milliseconds, and how often all are."""
    image = read(path)
    times = []
    for number in range(image.n_frames):
        image.seek(number)
        times.append(image.info["duration"])
    return times, image.info.get("loop")


@pytest.mark.parametrize("options", [{}, {"loop": 0}, {"loop": 3}, {"loop": 65535}])
def test_times_and_rounds_are_kept(tmp_path, options):
    times = [100, 300, 50, 3000]
    pictures = [scene(number).convert("RGB") for number in range(4)]
    clip = saved(tmp_path / "a.gif", *pictures, duration=times, **options)
    assert told(clip) == (times, options.get("loop"))
    paint(clip, tmp_path / "out.gif", as_it_is())
    assert told(tmp_path / "out.gif") == told(clip)


def test_the_last_frame_of_another_film_is_shown_as_long_as_there(tmp_path):
    clip = make(tmp_path / "a.mp4", frames=4, size=(64, 48), sound=None)
    paint(clip, tmp_path / "out.gif", as_it_is())
    assert told(tmp_path / "out.gif") == ([40] * 4, 0)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_a_film_of_a_gif_shows_its_last_frame_as_long(tmp_path, suffix):
    pictures = [scene(number).convert("RGB") for number in range(3)]
    clip = saved(tmp_path / "a.gif", *pictures, duration=[100, 100, 2000])
    paint(clip, tmp_path / f"out{suffix}", as_it_is())
    with av.open(str(tmp_path / f"out{suffix}")) as film:
        assert film.duration / 1e6 == pytest.approx(2.2, abs=0.02)


def test_what_is_transparent_stays_so(tmp_path):
    alphas = [np.zeros((48, 64), np.uint8) for _ in range(3)]
    for number, alpha in enumerate(alphas):
        alpha[8:40, 10 * number : 10 * number + 30] = 255
    pictures = [scene(number, alpha) for number, alpha in enumerate(alphas)]
    clip = saved(tmp_path / "a.gif", *pictures, duration=100, disposal=2)
    paint(clip, tmp_path / "out.gif", as_it_is())
    painted = read(tmp_path / "out.gif")
    assert painted.n_frames == 3
    for number, alpha in enumerate(alphas):
        painted.seek(number)
        found = np.asarray(painted.convert("RGBA"))
        assert (found[..., 3] == alpha).all()
        seen = np.abs(found[..., :3].astype(int) - np.asarray(pictures[number])[..., :3])
        assert seen[alpha > 0].mean() < 6


def test_transparency_that_begins_later_is_kept_too(tmp_path):
    clip = clear(tmp_path / "a.mov", first=2)
    paint(clip, tmp_path / "out.gif", as_it_is())
    painted = read(tmp_path / "out.gif")
    for number in range(4):
        painted.seek(number)
        alpha = np.asarray(painted.convert("RGBA"))[..., 3]
        assert (alpha[:, 32:] == 255).all()
        assert (alpha[:, :32] == (0 if number >= 2 else 255)).all()


def test_frames_of_one_hundredth_of_a_second_are_one(tmp_path):
    fast = {"time_base": Fraction(1, 240), "step": lambda _: 1, "framerate": 240}
    clip = make(tmp_path / "a.mp4", frames=24, size=(64, 48), sound=None, **fast)
    film = paint(clip, tmp_path / "out.gif", as_it_is())
    times, _ = told(tmp_path / "out.gif")
    assert film.frames == 24
    assert sum(times) == pytest.approx(100, abs=10)


def test_oblong_pixels_become_square_ones(tmp_path):
    clip = make(tmp_path / "a.mp4", frames=2, size=(64, 48), sound=None, sample_aspect_ratio=2)
    film = paint(clip, tmp_path / "out.gif", as_it_is())
    assert read(tmp_path / "out.gif").size == (film.width, film.height) == (128, 48)


@pytest.mark.parametrize(
    ("head", "rounds"),
    [
        (b"GIF89a", "-1"), (b"", "0"), (b"GIF89a!\xff\x0bNETSCAPE2.0\x03\x01\x07\x00", "7"),
        (b"GIF89a!\xff\x0bNETSCAPE2.0\x03\x01", "0"), (b"\0\0\0\x18ftypmp42", "0"),
    ],
)  # fmt: skip
def test_rounds_are_read_from_the_head_of_a_file(tmp_path, head, rounds):
    (tmp_path / "x.gif").write_bytes(head)
    assert gif.rounds(tmp_path / "x.gif") == rounds

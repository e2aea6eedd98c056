"""Films that were damaged, or made to break readers: painted, or refused with a sentence."""

import json
import random
from fractions import Fraction

import pytest

from filming import as_it_is, frames_of, make
from impasto.errors import ImpastoError
from impasto.options import ReadOptions
from impasto.video.film import paint
from running import run

av = pytest.importorskip("av")
TICKS = {"time_base": Fraction(1, 25), "step": lambda _: 1}
SEEDS = {
    ".mp4": {}, ".mkv": {}, ".flv": {}, ".ts": TICKS,
    ".webm": {"codec": "libvpx-vp9", "sound": "libopus"},
    ".avi": {"codec": "mpeg4", "sound": "libmp3lame", **TICKS},
    ".mpg": {"codec": "mpeg2video", "sound": "mp2", **TICKS},
    ".gif": {"codec": "gif", "sound": None, "pixel_format": "rgb8"},
    ".mov": {"codec": "png", "sound": None, "pixel_format": "rgba"},
}  # fmt: skip
"""Kinds, with what they hold."""


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    return {
        suffix: make(folder / f"a{suffix}", frames=5, size=(64, 48), **options).read_bytes()
        for suffix, options in SEEDS.items()
    }


def damaged(data, rng):
    """A film with wrong bits, bytes or lengths."""
    data, at = bytearray(data), rng.randrange(len(data))
    kind = rng.choice(("bits", "head", "cut", "zeros", "more", "noise", "twice"))
    if kind in ("bits", "head"):
        among = len(data) if kind == "bits" else min(len(data), 1500)
        for _ in range(rng.choice((1, 8, 60))):
            data[rng.randrange(among)] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[at:]
    elif kind == "zeros":
        data[at : at + 200] = bytes(len(data[at : at + 200]))
    elif kind == "more":
        data[at:at] = rng.randbytes(100)
    elif kind == "noise":
        data[at:] = rng.randbytes(len(data) - at)
    return bytes(data) * (2 if kind == "twice" else 1)


@pytest.mark.parametrize("suffix", SEEDS)
def test_a_damaged_film_is_painted_or_refused(seeds, tmp_path, suffix):
    rng, painted = random.Random(suffix), 0
    source, target = tmp_path / f"x{suffix}", tmp_path / "out.mkv"
    for _ in range(10):
        source.write_bytes(damaged(seeds[suffix], rng))
        try:
            film = paint(source, target, as_it_is(), overwrite=True,
                         read=ReadOptions(max_pixels=10**6))  # fmt: skip
        except ImpastoError as error:
            assert str(error).strip()
        else:
            assert len(frames_of(target)) == film.frames > 0
            painted += 1
        assert not list(tmp_path.glob(".*"))
    assert painted


def test_a_film_that_is_larger_inside_than_it_says_is_not_decoded(tmp_path):
    """A header says 64x48, the packets 800x600."""
    clip = make(tmp_path / "a.avi", frames=3, size=(800, 600), codec="mjpeg", sound=None,
                pixel_format="yuvj420p", **TICKS)  # fmt: skip
    small = make(tmp_path / "b.avi", frames=3, size=(64, 48), codec="mjpeg", sound=None,
                 pixel_format="yuvj420p", **TICKS).read_bytes()  # fmt: skip
    data = bytearray(clip.read_bytes())
    at, other = data.index(b"strf"), small.index(b"strf")
    data[at + 12 : at + 20] = small[other + 12 : other + 20]
    (tmp_path / "c.avi").write_bytes(data)
    with pytest.raises(ImpastoError, match="no frames that can be decoded|more than 100,000"):
        paint(
            tmp_path / "c.avi", tmp_path / "o.mp4", as_it_is(), read=ReadOptions(max_pixels=10**5)
        )
    assert not list(tmp_path.glob(".*"))


def test_the_command_line_tells_each_of_them_apart(seeds, tmp_path):
    rng = random.Random(1)
    for suffix in (".mp4", ".ts", ".avi", ".webm"):
        (tmp_path / f"cut{suffix}").write_bytes(seeds[suffix][:300])
        (tmp_path / f"noise{suffix}").write_bytes(rng.randbytes(3000))
    files = sorted(tmp_path.iterdir())
    command = ("stylize", *files, "-s", "great-wave-tiny", "-o", f"{tmp_path}/out/", "--json")
    done = run(*command, text=True)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, len(results)) == (1, 8)
    assert {result["status"] for result in results} == {"error"}
    for path, result in zip(files, results, strict=True):
        assert path.name in result["error"]["message"]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("out/.*"))

"""One painting from several scales: their sizes, and what is taken from each."""

import numpy as np
import pytest

from impasto import assets, catalog, images
from impasto.inference.engine import OnnxEngine
from impasto.inference.guided import Guided
from impasto.stylization import scales
from impasto.stylization.scales import Scales


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((600, 800), [(768, 1024)]),
        ((768, 1024), [(768, 1024)]),
        ((720, 1280), [(576, 1024)]),
        ((1536, 2048), [(768, 1024), (1536, 2048)]),
        ((3072, 4096), [(768, 1024), (3072, 4096)]),
        ((6144, 8192), [(768, 1024), (2172, 2896), (6144, 8192)]),
        ((40, 8192), [(5, 1024), (14, 2896), (40, 8192)]),
    ],
)
def test_scales_are_two_octaves_apart_at_most(size, wanted):
    assert scales.sizes(size, 1024) == wanted


def waves(period, size=512):
    """A grey picture of vertical waves that have this period in pixels."""
    row = 128 + 60 * np.sin(2 * np.pi * np.arange(size) / period)
    return np.broadcast_to(row[None, :, None], (size, size, 3)).round().astype(np.uint8)


def swing(painting):
    inside = painting[64:-64, 64:-64].astype(float)
    return inside.std() * np.sqrt(2)


def test_coarse_frequencies_are_those_of_the_smaller_painting():
    flat, coarse = np.full((128, 128, 3), 128, np.uint8), waves(48, 128)
    large = waves(192)
    assert swing(scales.refined(flat, large.copy(), 1.0)) < 6  # of 60
    painting = scales.refined(coarse, np.full_like(large, 128), 1.0).astype(int)
    assert np.abs(painting - large)[64:-64, 64:-64].mean() < 2


@pytest.mark.parametrize(("crisp", "wanted"), [(0.0, 0), (0.5, 30), (1.0, 60)])
def test_fine_frequencies_are_those_of_the_larger_painting(crisp, wanted):
    flat = np.full((128, 128, 3), 128, np.uint8)
    assert swing(scales.refined(flat, waves(8), crisp)) == pytest.approx(wanted, abs=3)


def test_nearly_equal_sizes_give_the_smaller_painting(rng):
    small = rng.integers(0, 256, (256, 256, 3), np.uint8)
    assert np.array_equal(scales.refined(small, 255 - small, 1.0), small)


def test_bands_of_rows_have_no_seams(rng, monkeypatch):
    small, large = (rng.integers(0, 256, (side, side, 3), np.uint8) for side in (75, 301))
    painting = scales.refined(small, large.copy(), 0.8)
    monkeypatch.setattr(scales, "_BAND", 1000)
    assert np.abs(painting.astype(int) - scales.refined(small, large, 0.8)).max() <= 1


@pytest.fixture(scope="module")
def networks():
    """Of a style, and of its tiny twin."""
    names = "udnie", "udnie-tiny"
    return [Guided(OnnxEngine(catalog.bundled()[name].model(), device="cpu")) for name in names]


@pytest.fixture(scope="module")
def large():
    return images.read(assets.demo_photo()).resized(640).pixels


def painter(networks, **how):
    coarse, fine = networks
    return Scales(coarse, lambda: fine, 160, **how)


def apart(one, other):
    return np.abs(one.astype(int) - other).mean()


def test_seen_small_it_is_the_coarse_painting(networks, large):
    small = images.resize_pixels(large, (107, 160))
    coarse, _ = networks[0].paint(small)
    painting, found = painter(networks).paint(large)
    alone, _ = networks[0].paint(large)
    seen, wanted, other = (images.resize_pixels(p, (53, 80)) for p in (painting, coarse, alone))
    assert apart(seen, wanted) < 8
    assert apart(other, wanted) > 25
    assert {name.startswith("fine ") for name in found} == {True}


def test_the_twin_paints_what_is_fine_and_only_that(networks, large):
    """It is near the painting whose fine marks the style's own network made."""
    coarse = networks[0]
    by_twin, _ = painter(networks).paint(large)
    by_own, _ = painter([coarse, coarse]).paint(large)
    assert 0 < apart(by_twin, by_own) < 10
    without, _ = painter(networks, crisp=0).paint(large)
    assert apart(without, by_own) > apart(by_twin, by_own)


def test_without_fine_marks_no_other_network_is_asked_for(networks, large):
    alone = Scales(networks[0], lambda: pytest.fail("it was loaded"), 160, crisp=0)
    painting, found = alone.paint(large)
    assert (painting.shape, found) == (large.shape, {})
    coarse, _ = networks[0].paint(images.resize_pixels(large, (107, 160)))
    assert np.array_equal(painting, scales.at(coarse, large.shape[:2]))


@pytest.mark.parametrize("growth", [1.05, 1.29])
def test_a_little_enlarging_in_bytes_is_that_in_floats(large, growth):
    size = tuple(round(growth * side) for side in large.shape[:2])
    floats = images.enlarging(large.astype(np.float32), size)(slice(0, size[0]))
    assert apart(scales.at(large, size), floats.clip(0, 255)) < 0.5


def test_statistics_that_were_measured_give_the_same_painting(networks, large):
    paint = painter(networks).paint
    painting, statistics = paint(large, measured=True)
    again, found = paint(large, statistics)
    assert np.abs(again.astype(int) - painting).max() <= 2
    assert found == {}
    other, _ = paint(255 - large, statistics)
    assert apart(other, paint(255 - large)[0]) > 5


def test_fine_marks_take_the_memory_of_a_band(networks):
    tiny = networks[1].engine
    few, many = (painter(networks).bytes(size) for size in ((1000, 2000), (8000, 12000)))
    assert few < many <= tiny.bytes_per_pixel * tiny.band(1e12)

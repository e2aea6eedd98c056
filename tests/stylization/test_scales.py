"""One painting from several scales: their sizes, and what is taken from each."""

import numpy as np
import pytest

from impasto.stylization import scales


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((600, 800), [(768, 1024)]),
        ((768, 1024), [(768, 1024)]),
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
    assert swing(scales.refined(flat, large, 1.0)) < 6  # of 60
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
    painting = scales.refined(small, large, 0.8)
    monkeypatch.setattr(scales, "_BAND", 1000)
    assert np.abs(painting.astype(int) - scales.refined(small, large, 0.8)).max() <= 1

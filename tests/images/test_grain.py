import numpy as np
import pytest

from impasto.images.grain import grained


@pytest.fixture
def photo(rng):
    return rng.integers(0, 256, (300, 40, 3), np.uint8)


def test_grain_has_its_deviation_and_no_colour(photo):
    made = grained(np.full((600, 400, 3), 128, np.uint8), 6)
    assert made[..., 0].std() == pytest.approx(6, rel=0.03)
    assert made[..., 0].mean() == pytest.approx(128, abs=0.1)
    assert (made == made[..., :1]).all()
    assert np.array_equal(grained(photo, 0), photo)


def test_grain_is_the_same_for_all_photographs_of_a_size_and_repeats_nowhere(photo):
    dark, light = (np.full((600, 400, 3), level, np.uint8) for level in (90, 160))
    grain = grained(dark, 6).astype(int) - 90
    assert np.array_equal(grained(light, 6).astype(int) - 160, grain)
    one, other = grain[:256, :, 0].ravel(), grain[256:512, :, 0].ravel()  # bands
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02
    expected = np.clip(photo.astype(int) + (grained(np.full_like(photo, 99), 6) - 99.0), 0, 255)
    assert np.array_equal(grained(photo, 6), expected)


@pytest.mark.parametrize("rows", [slice(0, 10), slice(100, 290), slice(256, 300), slice(7, 999)])
def test_rows_have_the_grain_that_they_have_in_the_whole(photo, rows):
    assert np.array_equal(grained(photo, 6, rows), grained(photo, 6)[rows])

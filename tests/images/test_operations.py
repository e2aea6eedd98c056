import numpy as np
import pytest

from impasto.images import operations


@pytest.fixture
def photo(rng):
    return rng.integers(0, 256, (300, 40, 3), np.uint8)


@pytest.fixture
def painting(rng):
    return rng.integers(0, 256, (300, 40, 3), np.uint8)


def test_blend_at_the_ends_is_each_picture_itself(photo, painting):
    assert operations.blend(photo, painting, 1.0) is painting
    assert operations.blend(photo, painting, 0.0) is photo


def test_blend_in_between_is_the_rounded_mean(photo, painting):
    expected = np.rint(photo * 0.75 + painting * 0.25)
    assert np.abs(operations.blend(photo, painting, 0.25) - expected).max() <= 1


def test_keep_colors_keeps_chroma_and_takes_luma():
    rng = np.random.default_rng(1)
    photo = rng.integers(90, 160, (40, 40, 3), np.uint8)  # far from the ends: nothing clips
    painting = rng.integers(90, 160, (40, 40, 3), np.uint8)
    luma = np.array([0.299, 0.587, 0.114])
    result = operations.keep_colors(photo, painting).astype(float)
    assert np.abs(result @ luma - painting @ luma).max() < 1
    chroma = photo - (photo @ luma)[..., None]
    assert np.abs(result - (result @ luma)[..., None] - chroma).max() < 1


def test_keep_colors_of_a_painting_equal_to_the_photo_changes_nothing(photo):
    assert np.array_equal(operations.keep_colors(photo, photo), photo)


def test_transparent_parts_take_the_colour_of_the_nearest_visible_ones():
    pixels = np.zeros((65, 33, 3), np.uint8)
    alpha = np.zeros((65, 33), np.uint8)
    pixels[:20], alpha[:20] = (200, 10, 60), 255
    pixels[20:30], alpha[20:30] = (10, 200, 60), 1  # barely visible still counts
    filled = operations.fill_transparent(pixels, alpha)
    assert np.array_equal(filled[:30], pixels[:30])
    assert np.abs(filled[31].astype(int) - (10, 200, 60)).max() <= 1
    assert filled[30:].min() >= 9  # nothing of the black underneath is left


def test_nothing_to_fill_or_nothing_to_fill_from_changes_nothing(photo):
    assert operations.fill_transparent(photo, np.full(photo.shape[:2], 255, np.uint8)) is photo
    assert operations.fill_transparent(photo, np.zeros(photo.shape[:2], np.uint8)) is photo

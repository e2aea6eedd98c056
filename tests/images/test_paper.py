"""White paper and black bars beside what is painted."""

import numpy as np
import pytest

from impasto.images import paper


def page(width=300, height=200):
    """White paper with a black line."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[90:94, 40:260] = 0
    return pixels


def painted(photo, level=90):
    """As a network paints a page: everything in one tone, lines as edges, with brush marks."""
    marks = 12 * np.sin(np.arange(photo.shape[1]) / 2)[None, :, None] + np.array([-10, 0, 20])
    lines = np.where(photo == 0, -60, 0)
    return np.clip(level + marks + lines, 0, 255).astype(np.uint8)


def luma(pixels):
    return pixels @ [0.299, 0.587, 0.114]


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("level", [0, 3, 252, 255])
def test_what_is_white_or_black_over_a_quarter_is_a_page(share, level):
    photo = np.full((200, 300, 3), 120, np.uint8)
    photo[: int(200 * share)] = level
    assert paper.is_page(photo)
    photo[: int(200 * share)] = 128
    photo[:30] = level
    assert not paper.is_page(photo)


def test_a_film_becomes_a_page_little_by_little():
    amounts = []
    for rows in range(0, 200, 10):
        photo = np.full((400, 300, 3), 120, np.uint8)
        photo[:rows] = 0
        amounts.append(paper.amount(photo))
    assert (amounts[0], amounts[-1]) == (0, 1)
    assert 0 < amounts[9] < 1
    assert amounts == sorted(amounts)


def test_photographs_are_no_pages(photo):
    assert not paper.is_page(photo.pixels)
    for level in (20, 240):  # a dark night, an overcast sky
        assert not paper.is_page(np.full((200, 300, 3), level, np.uint8))
    coloured = np.full((200, 300, 3), (255, 0, 0), np.uint8)
    assert not paper.is_page(coloured)


def test_paper_is_light_again_and_lines_stay_darker():
    photo = page()
    kept = luma(paper.kept(photo, painted(photo)))
    assert kept[:70].mean() > 240
    assert kept[130:].mean() > 240
    assert kept[91:93, 60:240].mean() < kept[60:70, 60:240].mean() - 30


def test_bars_are_dark_and_the_picture_between_stays_as_it_is_painted():
    photo = np.full((400, 300, 3), 120, np.uint8)
    photo[:100], photo[-100:] = 0, 0
    painting = painted(photo, 110)
    kept = paper.kept(photo, painting)
    assert luma(kept[:80]).mean() < 15
    assert np.array_equal(kept[120:280], painting[120:280])


def test_of_half_a_page_half_of_the_change_is_taken_back():
    photo = page()
    painting = painted(photo)
    wholly, half = (luma(paper.kept(photo, painting, amount))[:70] for amount in (1, 0.5))
    between = (wholly.mean() + luma(painting)[:70].mean()) / 2
    assert half.mean() == pytest.approx(between, abs=4)  # marks lighter than white are cut off


def test_colours_of_brush_marks_stay():
    photo = np.full((200, 300, 3), 250, np.uint8)
    painting = painted(photo, 200)
    kept = paper.kept(photo, painting).astype(int)
    inside = (kept.max(-1) < 255)[..., None]
    difference = (kept - kept[..., 1:2]) - (painting.astype(int) - painting[..., 1:2])
    assert (np.abs(difference * inside) <= 1).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (47, 49), (2000, 30)])
def test_pictures_of_any_size(size):
    photo = np.full((*size, 3), 255, np.uint8)
    assert paper.is_page(photo)
    kept = paper.kept(photo, np.full((*size, 3), 100, np.uint8))
    assert (kept == 255).all()

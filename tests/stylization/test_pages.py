"""Films with black bars, and drawings that move."""

from itertools import pairwise

import numpy as np
import pytest

from impasto.options import StylizeOptions
from impasto.stylization.pages import mixed
from impasto.stylization.stylizer import Stylizer

STYLE = "the-scream-tiny"
"""Paints black bars in brown by their own statistics."""


def letterboxed(photo, count=4, bar=30):
    """A photograph between black bars, which moves to the left."""
    picture = photo.resized(160).pixels
    for number in range(count):
        frame = np.zeros((len(picture) + 2 * bar, 120, 3), np.uint8)
        frame[bar:-bar] = picture[:, 8 * number : 8 * number + 120]
        yield frame


def test_black_bars_of_films_stay_black_and_the_picture_is_painted(photo):
    stylizer = Stylizer(STYLE, steady=True)
    frames = list(letterboxed(photo))
    kept = [each.pixels for each in stylizer.film(frames)]
    stylizer = Stylizer(STYLE, steady=True)
    taken = [each.pixels for each in stylizer.film(frames, StylizeOptions(paint_paper=True))]
    for frame, own, other in zip(frames, kept, taken, strict=True):
        assert own[:20].mean() < 12 < other[:20].mean()
        middle = np.abs(own[40:-40].astype(int) - frame[40:-40]).mean()
        assert middle > 15


def test_bars_do_not_flicker(photo):
    painted = [each.pixels[:20] for each in Stylizer(STYLE, steady=True).film(letterboxed(photo))]
    changes = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(painted)]
    assert max(changes) < 2


def test_statistics_between_two():
    own, other = {"a": np.float32([0, 4])}, {"a": np.float32([2, 2]), "b": np.float32([7])}
    between = mixed(own, other, 0.5)
    assert between["a"].tolist() == [1, 3]
    assert between["b"].tolist() == [7]
    assert mixed(own, other, 1)["a"].tolist() == [2, 2]


@pytest.mark.parametrize("stroke", [1, "pixels"])
def test_a_drawing_stays_light(stroke):
    page = np.full((96, 128, 3), 255, np.uint8)
    page[40:44, 20:100] = 0
    (painting,) = Stylizer(STYLE, steady=True).film([page], StylizeOptions(stroke=stroke))
    assert painting.pixels[:30].mean() > 225

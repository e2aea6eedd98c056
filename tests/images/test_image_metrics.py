"""How far pictures are apart, and what of them lies on a grid."""

import numpy as np
import pytest

from impasto.images.metrics import Specks, border, specks


@pytest.fixture
def noise(rng):
    """A picture of fine marks without any grid."""
    return rng.integers(60, 196, (192, 240, 1), np.uint8).repeat(3, 2)


def grey(level, shape=(192, 240)):
    return np.full((*shape, 3), level, np.uint8)


def dotted(pixels, stride, strength):
    """With a dot in each cell."""
    dots = np.zeros(pixels.shape[:2])
    dots[3::stride, 5::stride] = strength
    return (pixels + dots[..., None]).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_marks_on_the_grid_of_a_network_are_found(noise, stride):
    none = specks([noise], [noise])
    found = specks([dotted(noise, stride, 90)], [noise])
    assert none.whole < 12
    assert found.whole > 2 * none.whole


@pytest.mark.parametrize("stride", [3, 5, 7, 9])
def test_marks_on_another_grid_are_none(stride):
    assert specks([dotted(grey(120), stride, 40)], [grey(120)]).whole < 4
    assert specks([dotted(grey(120), 8, 40)], [grey(120)]).whole > 4


def test_they_are_levels_of_255():
    weak, strong = (specks([dotted(grey(90), 4, s)], [grey(90)]).whole for s in (10, 40))
    assert strong == pytest.approx(4 * weak, rel=0.02)


def test_a_grid_whose_marks_are_now_light_and_now_dark_is_found(rng):
    """What is painted decides about the sign; the mean of all cells would be nothing."""
    sign = np.kron(rng.choice([-1, 1], (24, 30)), np.ones((8, 8)))
    marks = dotted(grey(0), 8, 60)[..., 0] * sign
    painting = (120 + marks[..., None].repeat(3, 2)).astype(np.uint8)
    assert specks([painting], [grey(120)]).whole > 4


def test_slopes_and_edges_are_no_marks():
    ramp = np.linspace(0, 255, 240).round().astype(np.uint8)[None, :, None].repeat(192, 0)
    assert specks([ramp.repeat(3, 2)], [grey(120)]).whole < 1
    edge = grey(40)
    edge[:, 117:] = 220
    assert specks([edge], [grey(120)]).whole < 4


def test_flat_and_dark_places_of_the_photograph_count_apart(noise):
    photo = noise.copy()
    photo[:, :100], photo[:100, :100] = 150, 20  # flat at the left, and dark above
    painting = grey(120)
    painting[:100, :100] = dotted(grey(120, (100, 100)), 4, 40)
    found = specks([painting], [photo])
    assert found.dark > found.flat > found.whole > 0
    clean = painting.copy()
    clean[:100, :100] = 120
    assert specks([clean], [photo]) == Specks(0, 0, 0)


def test_several_pictures_are_measured_together():
    parts = [dotted(grey(120), 8, 40), grey(120), grey(120), grey(120)]
    one, four = (specks(some, [grey(120)] * len(some)).whole for some in (parts[:1], parts))
    assert four == pytest.approx(one / 2, rel=0.05)


def test_where_hardly_anything_is_flat_or_dark_nothing_is_said(noise):
    found = specks([noise], [noise])
    assert (found.flat, found.dark) == (None, None)
    small = grey(20, (40, 40))
    assert specks([small], [small]).whole is None


@pytest.mark.parametrize("edge", range(4))
def test_a_line_along_any_edge_is_found(noise, edge):
    def framed(pixels):
        painting = pixels.copy()
        np.rot90(painting, edge)[:5] = 255
        return painting

    light = np.rot90(noise[48:-48, 48:-48], edge)[:5].mean()
    assert border(framed, [noise], [framed(noise)]) == pytest.approx(255 - light, rel=0.02)


def test_a_line_of_another_colour_is_found_too(noise):
    """Yellow that turns to violet at an edge is as bright there."""

    def framed(pixels):
        painting = pixels // 2 + 64
        painting[:, -5:, 2] += 60
        painting[:, -5:, :2] -= 30
        return painting

    assert border(framed, [noise], [framed(noise)]) == pytest.approx(45, rel=0.1)


def test_another_tone_is_no_line(noise):
    assert border(lambda pixels: pixels - 40, [noise], [noise]) < 1e-3
    assert border(np.copy, [noise], [noise]) == 0


def test_strokes_that_chance_puts_at_an_edge_cancel_out(rng):
    """One picture alone shows them as a line."""
    plain = [grey(128, (192, 216))] * 40

    def paint(pixels):
        strokes = rng.normal(0, 60, (*pixels.shape[:2], 1))
        strokes[:5] += rng.choice([-40, 40])
        return (pixels + strokes).clip(0, 255).astype(np.uint8)

    assert border(paint, plain, plain) < 15 < border(paint, plain[:1], plain[:1])


@pytest.mark.parametrize(
    ("size", "part"),
    [((192, 240), (96, 144)), ((45, 37), (29, 21)), ((20, 90), (20, 90))],
)
def test_a_part_lacks_a_quarter_at_each_edge_and_lies_on_the_grid(noise, size, part):
    seen = []
    picture = noise[: size[0], : size[1]]
    border(lambda pixels: seen.append(pixels) or pixels, [picture], [picture])
    top, left = (size[0] - part[0]) // 2, (size[1] - part[1]) // 2
    assert np.array_equal(seen, [picture[top : top + part[0], left : left + part[1]]])


def test_of_small_pictures_no_line_is_said(noise):
    small = grey(9, (45, 37))
    assert border(np.copy, [small], [small]) is None
    assert border(np.copy, [small, noise], [small + 1, noise]) == 0

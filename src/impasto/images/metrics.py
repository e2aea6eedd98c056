"""How far two pictures are apart, and what a network alone paints: marks on its grid, borders."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

    Floats = NDArray[np.float32]
    Places = NDArray[np.bool_]

_QUANTILES = 256
_STRIDE = 8
"""Pixels from one place of a network's coarsest grid to the next; finer grids fit into it."""
_OTHERS = 7, 9
"""Strides that no network here has; what appears at them is chance."""
_FINE = 5
"""Side, in pixels, of the mean that is subtracted to see fine marks."""
_AROUND = 33
"""Side, in pixels, of the area that decides whether a place is flat or dark."""
_FLAT, _DARK = 6.0, 60.0
"""Largest deviation of a flat place, and largest mean of a dark one, in levels of 255."""
_FEWEST = 64
"""Fewest pixels at each place of a cell, so that chance does not rule."""
_EDGE = 5
"""Width of a line along an edge, in pixels."""
_WITHIN = slice(24, 48)
"""Pixels from an edge that such a line is compared with."""
_LEAST = 32
"""Least side, in pixels, that has such pixels."""


def mean_difference(one: Pixels, other: Pixels) -> float:
    """Return the mean absolute difference of two ``(H, W, 3)`` pictures, in levels of 255."""
    return float(np.abs(one.astype(np.float32) - other).mean())


def psnr(one: Pixels, other: Pixels) -> float:
    """Return the peak signal-to-noise ratio in decibels; infinite for equal pictures."""
    square = float(np.square(one.astype(np.float32) - other).mean())
    return 10 * math.log10(255**2 / square) if square else math.inf


def palette_distance(one: Pixels, other: Pixels) -> float:
    """Measure how far apart the colours of two ``(H, W, 3)`` pictures are, in levels of 255.

    It is a Wasserstein distance of distributions: of lightness, and of each of two opponent
    colours. The result is the mean of the three. The place of a colour in the picture does not
    count.
    """
    places = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    quantiles = [
        np.quantile(_opponents(each).reshape(-1, 3), places, axis=0) for each in (one, other)
    ]
    return float(np.abs(quantiles[0] - quantiles[1]).mean())


@dataclass(frozen=True)
class Specks:
    """How strongly the grid of a network shows in the fine marks that it paints, in levels of 255.

    The values are for the whole picture, and for flat and dark parts of photographs. None means
    that hardly any place is of that kind.
    """

    whole: float | None
    flat: float | None
    dark: float | None


def specks(paintings: Sequence[Pixels], photographs: Sequence[Pixels]) -> Specks:
    """Measure a network by its paintings of photographs of the same sizes, ``(H, W, 3)``.

    A network paints through grids of 2, 4 and 8 pixels. Where a grid shows, fine marks are strong
    at some places of a cell and weak at others. That gives dots, weaves, and steps along edges.

    The measure takes the mean square of fine marks at each of the 8 x 8 places of a cell. It
    compares them with the mean of all places. No network has cells of 7 and 9 pixels, so their
    values are due to chance. The measure subtracts them and takes the root. The more pixels, the
    less chance there is.
    """
    fine = [_fine(each) for each in paintings]
    areas = [_flat_and_dark(each) for each in photographs]
    everywhere = [np.ones(each.shape, bool) for each in fine]
    return Specks(
        _specks(fine, everywhere),
        _specks(fine, [flat for flat, _ in areas]),
        _specks(fine, [dark for _, dark in areas]),
    )


def border(
    paint: Callable[[Pixels], Pixels], photographs: Sequence[Pixels], paintings: Sequence[Pixels]
) -> float | None:
    """Measure a line that a network paints along the edges of each picture, in levels of 255.

    A frame in the style image can be its cause, or the zeros that a loss network pads with. Then a
    place is lighter, darker or of another colour at an edge than within a larger picture. So the
    inner part of each photograph is painted alone, too. It is compared with the same part of the
    painting.

    Args:
        paint: a function that paints ``(H, W, 3)`` with the network.
        photographs: what was painted, ``(H, W, 3)``.
        paintings: what the network made of them.

    Returns:
        The mean difference of the outermost pixels, less that further in. It is that of lightness
        or of an opponent colour, and of the edge, where it is largest. Strokes that differ at an
        edge by chance cancel out, so take several photographs. None where all are too small.
    """
    apart = [
        _opponents(paint(_inner(photograph))) - _opponents(_inner(painting))
        for photograph, painting in zip(photographs, paintings, strict=True)
    ]
    lines = [
        [_line(np.rot90(each, edge)) for edge in range(4)]
        for each in apart
        if min(each.shape[:2]) >= _LEAST
    ]
    return float(np.abs(np.mean(lines, 0)).max()) if lines else None


def _line(values: Floats) -> Floats:
    """Return the means of ``(H, W, 3)`` at the top, less those further in: ``(3,)``."""
    edge, within = (values[rows].mean((0, 1)) for rows in (slice(_EDGE), _WITHIN))
    return edge - within


def _inner(pixels: Pixels) -> Pixels:
    """Return ``(H, W, 3)`` without a quarter of the shorter side at each edge, and on the grid."""
    height, width = pixels.shape[:2]
    margin = min(height, width) // (4 * _STRIDE) * _STRIDE
    return np.ascontiguousarray(pixels[margin : height - margin, margin : width - margin])


def _specks(fine: Sequence[Floats], counted: Sequence[Places]) -> float | None:
    found = [_on_grid(fine, counted, stride) for stride in (_STRIDE, *_OTHERS)]
    enough = [each for each in found if each is not None]
    if len(enough) < len(found):
        return None
    here, *chance = enough
    return math.sqrt(max(0.0, here - sum(chance) / len(chance)))


def _on_grid(fine: Sequence[Floats], counted: Sequence[Places], stride: int) -> float | None:
    """Return the mean difference of the places of a cell; None where a place has too few pixels."""
    counts, sums = np.zeros((stride, stride)), np.zeros((stride, stride))
    for energy, where in zip(fine, counted, strict=True):
        rows, columns = (side // stride for side in energy.shape)
        whole = slice(rows * stride), slice(columns * stride)
        cells = rows, stride, columns, stride
        counts += where[whole].reshape(cells).sum((0, 2))
        sums += np.where(where, energy, 0)[whole].reshape(cells).sum((0, 2))
    if counts.min() < _FEWEST:
        return None
    means = sums / counts
    return float(np.abs(means - means.mean()).mean())


def _fine(painting: Pixels) -> Floats:
    """Return the squares of detail finer than a few pixels."""
    light = _luminance(painting)
    return np.square(light - _smooth(light, _FINE))


def _flat_and_dark(photo: Pixels) -> tuple[Places, Places]:
    """Find where a photograph has hardly any detail, and where it is dark: ``(H, W)``."""
    light = _luminance(photo)
    mean = _smooth(light, _AROUND)
    variance = _smooth(np.square(light), _AROUND) - np.square(mean)
    return variance < _FLAT**2, mean < _DARK


def _smooth(values: Floats, side: int) -> Floats:
    """Return means over squares of an odd ``side``, with repeated edges."""
    for axis in (0, 1):
        margin = [(side // 2 + 1, side // 2) if each == axis else (0, 0) for each in (0, 1)]
        sums = np.cumsum(np.pad(values, margin, "edge"), axis, np.float64)
        length = values.shape[axis]
        upper, lower = (np.take(sums, range(first, first + length), axis) for first in (side, 0))
        values = ((upper - lower) / side).astype(np.float32)
    return values


def _luminance(pixels: Pixels) -> Floats:
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    light: Floats = pixels.astype(np.float32) @ weights
    return light


def _opponents(pixels: Pixels) -> Floats:
    """Return lightness, red against green, and yellow against blue: ``(H, W, 3)``."""
    r, g, b = np.moveaxis(pixels.astype(np.float32), -1, 0)
    return np.stack(((r + g + b) / 3, (r - g) / 2, (r + g) / 4 - b / 2), -1)

"""How far two pictures are apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
"""Pixels from one place of a network's coarsest grid to the next; those of finer ones fit in it."""
_OTHERS = 7, 9
"""Strides that no network here has: what is found at them is there by chance."""
_FINE = 5
"""Pixels a side of what is taken away to see fine marks."""
_AROUND = 33
"""Pixels a side of what says whether a place is flat or dark."""
_FLAT, _DARK = 6.0, 60.0
"""Deviation of a flat place, and mean of a dark one, in levels of 255, at most."""
_FEWEST = 64
"""Pixels at each place of a cell, so that chance does not rule."""


def mean_difference(one: Pixels, other: Pixels) -> float:
    """Mean absolute difference of two ``(H, W, 3)`` pictures, in levels of 255."""
    return float(np.abs(one.astype(np.float32) - other).mean())


def psnr(one: Pixels, other: Pixels) -> float:
    """Peak signal-to-noise ratio in decibels; infinite for equal pictures."""
    square = float(np.square(one.astype(np.float32) - other).mean())
    return 10 * math.log10(255**2 / square) if square else math.inf


def palette_distance(one: Pixels, other: Pixels) -> float:
    """How far the colours of two ``(H, W, 3)`` pictures are apart, in levels of 255.

    The Wasserstein distance of the distributions of lightness and of two opponent colours,
    each for itself, and their mean: where in the picture a colour stands is no matter.
    """
    places = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    quantiles = [np.quantile(_opponents(each), places, axis=0) for each in (one, other)]
    return float(np.abs(quantiles[0] - quantiles[1]).mean())


@dataclass(frozen=True)
class Specks:
    """How much of fine marks lies on the grid of the network that painted them, in levels of 255:
    everywhere, and where photographs are flat or dark. None: hardly any place is so."""

    whole: float | None
    flat: float | None
    dark: float | None


def specks(paintings: Sequence[Pixels], photographs: Sequence[Pixels]) -> Specks:
    """Those of a network, by what it painted of photographs of the same sizes, ``(H, W, 3)``.

    A network paints through grids of 2, 4 and 8 pixels. Where they show, fine marks are strong at
    some places of a cell and weak at others: dots, weaves, steps along edges. The measure compares
    their mean square at each of the 8 x 8 places of a cell with the mean of all places. Cells of 7
    and 9 pixels, which no network has, give what is due to chance; that is subtracted, and the root
    taken. The more pixels, the less chance there is.
    """
    fine = [_fine(each) for each in paintings]
    areas = [_flat_and_dark(each) for each in photographs]
    everywhere = [np.ones(each.shape, bool) for each in fine]
    return Specks(
        _specks(fine, everywhere),
        _specks(fine, [flat for flat, _ in areas]),
        _specks(fine, [dark for _, dark in areas]),
    )


def _specks(fine: Sequence[Floats], counted: Sequence[Places]) -> float | None:
    found = [_on_grid(fine, counted, stride) for stride in (_STRIDE, *_OTHERS)]
    enough = [each for each in found if each is not None]
    if len(enough) < len(found):
        return None
    here, *chance = enough
    return math.sqrt(max(0.0, here - sum(chance) / len(chance)))


def _on_grid(fine: Sequence[Floats], counted: Sequence[Places], stride: int) -> float | None:
    """Mean difference of the places of a cell; None where one of them has too few pixels."""
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
    """The squares of what is finer than a few pixels."""
    light = _luminance(painting)
    return np.square(light - _smooth(light, _FINE))


def _flat_and_dark(photo: Pixels) -> tuple[Places, Places]:
    """Where a photograph has hardly any detail, and where it is dark: ``(H, W)``."""
    light = _luminance(photo)
    mean = _smooth(light, _AROUND)
    variance = _smooth(np.square(light), _AROUND) - np.square(mean)
    return variance < _FLAT**2, mean < _DARK


def _smooth(values: Floats, side: int) -> Floats:
    """Means over squares of an odd ``side``, the edge repeated."""
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


def _opponents(pixels: Pixels) -> Pixels:
    r, g, b = pixels.reshape(-1, 3).astype(np.float32).T
    return np.stack(((r + g + b) / 3, (r - g) / 2, (r + g) / 4 - b / 2), -1)

"""How far two pictures are apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

_QUANTILES = 256


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


def _opponents(pixels: Pixels) -> Pixels:
    r, g, b = pixels.reshape(-1, 3).astype(np.float32).T
    return np.stack(((r + g + b) / 3, (r - g) / 2, (r + g) / 4 - b / 2), -1)

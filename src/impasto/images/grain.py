"""Grain over photographs, the same in training and in painting."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

_BAND = 256
"""Rows that get their grain at a time, so that a large picture needs little memory."""
_REMEMBERED = 2048
"""Largest width of pictures whose grain is remembered: 25 MB at most."""


def grain(
    chance: np.random.Generator, height: int, width: int, deviation: float
) -> NDArray[np.int16]:
    """Draw ``(height, width)`` whole levels, normally distributed with this deviation.

    They come from the 256 quantiles of the distribution, which takes a fifth of the time.
    """
    return levels(deviation).take(chance.integers(0, 256, (height, width), np.uint8))


def grained(photo: Pixels, deviation: float, rows: slice = slice(None)) -> Pixels:
    """Add grain to the photograph, ``(H, W, 3)``, or to some of its rows.

    The grain has this deviation in levels, and is the same in all channels. All photographs of one
    size have the same grain.

    A network makes nothing out of nothing: an empty area stays empty in the painting. Grain is
    enough for brush marks. (Noise as an input of texture networks: Ulyanov et al. 2016, arXiv
    1603.03417.)
    """
    if not deviation:
        return photo[rows]
    first, end, _ = rows.indices(len(photo))
    result = np.empty_like(photo[rows])
    made = _rows if photo.shape[1] <= _REMEMBERED else _rows.__wrapped__
    for top in range(first - first % _BAND, end, _BAND):
        noise = made(top, min(_BAND, len(photo) - top), photo.shape[1], deviation)
        part = slice(max(first, top), min(end, top + _BAND))
        changed = photo[part] + noise[part.start - top : part.stop - top]
        result[part.start - first : part.stop - first] = np.clip(changed, 0, 255, out=changed)
    return result


@lru_cache(maxsize=8)
def _rows(start: int, height: int, width: int, deviation: float) -> NDArray[np.int16]:
    """Return the grain of rows from ``start`` on; cached, as a service paints many pictures of one
    size."""
    noise = grain(np.random.default_rng(start), height, width, deviation)
    return noise.repeat(3, 1).reshape(height, width, 3)


@lru_cache(maxsize=8)
def levels(deviation: float) -> NDArray[np.int16]:
    """Return the 256 quantiles of the normal distribution with this deviation, whole levels."""
    normal = NormalDist(0, deviation)
    quantiles = np.array([normal.inv_cdf((n + 0.5) / 256) for n in range(256)])
    return quantiles.round().astype(np.int16)

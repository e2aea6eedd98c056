"""What happens around the network: pure functions on 8-bit sRGB pixels.

All work on horizontal bands, so that a large picture needs little memory beside itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.raster import AnyRaster

    Pixels = NDArray[np.uint8]

_BAND = 256
_CELLS = 48
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as JPEG's Y


def blend(photo: Pixels, painting: Pixels, strength: float) -> Pixels:
    """``strength`` of the painting over the photograph; both ``(H, W, 3)``, 0..255."""
    if strength == 1:
        return painting
    if strength == 0:
        return photo
    result = np.empty_like(photo)
    for band in _bands(photo):
        below, above = photo[band].astype(np.float32), painting[band].astype(np.float32)
        result[band] = _to_bytes(below + np.float32(strength) * (above - below))
    return result


def keep_colors(photo: Pixels, painting: Pixels) -> Pixels:
    """The painting's lightness with the photograph's colours.

    Moving all three channels by the difference in luma leaves both chroma components of
    YCbCr exactly as they were (luminance-only transfer, Gatys et al. 2016,
    arXiv 1606.05897, section 3).
    """
    result = np.empty_like(photo)
    for band in _bands(photo):
        below, above = photo[band].astype(np.float32), painting[band].astype(np.float32)
        rise = (above - below) @ _LUMA
        result[band] = _to_bytes(below + rise[..., None])
    return result


def keep_tones(model: Pixels, painting: Pixels) -> Pixels:
    """The painting with the mean tones that the model has in the cells of a coarse grid."""
    rows, columns = (_cells(side) for side in model.shape[:2])
    apart = _means(model, rows, columns) - _means(painting, rows, columns)
    across = _between(apart.swapaxes(0, 1), columns, np.arange(model.shape[1])).swapaxes(0, 1)
    result = np.empty_like(painting)
    for band in _bands(painting):
        change = _between(across, rows, np.arange(len(painting))[band])
        result[band] = _to_bytes(painting[band] + change)
    return result


def _cells(side: int) -> NDArray[np.int64]:
    """Where the cells of one side begin, and where the last ends."""
    return np.linspace(0, side, min(side, _CELLS) + 1).astype(int)


def _means(
    pixels: Pixels, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    sums = [
        np.add.reduceat(pixels[top:end].sum(0, dtype=np.float64), columns[:-1])
        for top, end in pairwise(rows)
    ]
    areas = np.diff(rows)[:, None] * np.diff(columns)
    return (np.array(sums) / areas[..., None]).astype(np.float32)


def _between(
    cells: NDArray[np.float32], edges: NDArray[np.int64], places: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Values at ``places`` along the first axis, straight between the middles of cells."""
    middles = (edges[:-1] + edges[1:] - 1) / 2
    at = np.interp(places, middles, np.arange(len(middles))).astype(np.float32)
    below = at.astype(int)
    above = np.minimum(below + 1, len(middles) - 1)
    share = (at - below)[:, None, None]
    return (1 - share) * cells[below] + share * cells[above]


def fill_transparent(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Colours of the visible parts spread under the transparent ones.

    What lies under alpha 0 is invisible but not to a network, which would carry it, often
    black, over the edge. Averages over ever coarser cells fill the holes, nearest first
    (pull-push, Gortler et al. 1996).
    """
    if alpha.all() or not alpha.any():
        return pixels
    weight = (alpha > 0).astype(np.float32)[..., None]
    filled = _pull_push(pixels.astype(np.float32) * weight, weight)
    return np.where(alpha[..., None] > 0, pixels, _to_bytes(filled))


def opaque(picture: AnyRaster) -> AnyRaster:
    """The picture without its transparency, for a network to see."""
    if picture.alpha is None:
        return picture
    return replace(picture, pixels=fill_transparent(picture.pixels, picture.alpha), alpha=None)


def _pull_push(total: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    known = weight > 0
    average = np.divide(total, weight, out=np.zeros_like(total), where=known)
    if known.all() or max(weight.shape[:2]) == 1:
        return average
    coarse = _pull_push(_halve(total), _halve(weight))
    spread = coarse.repeat(2, 0).repeat(2, 1)[: total.shape[0], : total.shape[1]]
    return np.where(known, average, spread)


def _halve(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = (side + side % 2 for side in cells.shape[:2])
    even = np.zeros((height, width, cells.shape[2]), np.float32)
    even[: cells.shape[0], : cells.shape[1]] = cells
    return even.reshape(height // 2, 2, width // 2, 2, -1).sum((1, 3))


def _bands(pixels: Pixels) -> Iterator[slice]:
    for top in range(0, len(pixels), _BAND):
        yield slice(top, top + _BAND)


def _to_bytes(values: NDArray[np.floating]) -> Pixels:
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    return values.astype(np.uint8)

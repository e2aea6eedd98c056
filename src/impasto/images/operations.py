"""What happens around the network: pure functions on 8-bit sRGB pixels.

All work on horizontal bands, so that a large picture needs little extra memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.raster import AnyRaster

    Pixels = NDArray[np.uint8]

_BAND = 256
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as JPEG's Y


def blend(photo: Pixels, painting: Pixels, strength: float) -> Pixels:
    """Blend ``strength`` of the painting over the photograph; both ``(H, W, 3)``, 0..255."""
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
    """Combine the painting's lightness with the photograph's colours.

    It moves all three channels by the difference in luma. That leaves both chroma components of
    YCbCr exactly as they were. The method is luminance-only transfer (Gatys et al. 2016, arXiv
    1606.05897, section 3).
    """
    result = np.empty_like(photo)
    for band in _bands(photo):
        below, above = photo[band].astype(np.float32), painting[band].astype(np.float32)
        rise = (above - below) @ LUMA
        result[band] = _to_bytes(below + rise[..., None])
    return result


def fill_transparent(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Spread colours of the visible parts under the transparent ones.

    The colour under alpha 0 is invisible, but not to a network. It would carry that colour, often
    black, over the edge. Averages over ever coarser cells fill the holes, nearest first (pull-push,
    Gortler et al. 1996).
    """
    if alpha.all() or not alpha.any():
        return pixels
    weight = (alpha > 0).astype(np.float32)[..., None]
    filled = _pull_push(pixels.astype(np.float32) * weight, weight)
    return np.where(alpha[..., None] > 0, pixels, _to_bytes(filled))


def opaque(picture: AnyRaster) -> AnyRaster:
    """Return the picture without its transparency, for a network to see."""
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

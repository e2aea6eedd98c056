"""NumPy arrays to pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from impasto.errors import PictureError
from impasto.images.raster import Raster

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.raster import Array


def from_array(array: Array) -> Raster:
    """Make a picture from a NumPy array.

    Takes ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA; uint8 0..255, uint16 0..65535,
    bool, or floats 0..1.

    Raises:
        PictureError: another shape, type or range; the message says what to change.
    """
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        hint = "give (height, width), (height, width, 3) or (height, width, 4)"
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "channels come last here: array.transpose(1, 2, 0)"
        raise PictureError(f"an array of shape {array.shape} is not a picture", hint=hint)
    if array.size == 0:
        raise PictureError(f"an array of shape {array.shape} has no pixels")
    data = _to_bytes(array)
    if data.ndim == 2:
        return Raster(np.repeat(data[..., None], 3, 2))
    alpha = data[..., 3].copy() if data.shape[2] == 4 else None
    return Raster(np.ascontiguousarray(data[..., :3]), alpha)


def _to_bytes(array: Array) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array.copy()
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return np.rint(array / 257).astype(np.uint8)
    if not np.issubdtype(array.dtype, np.floating):
        raise PictureError(
            f"an array of {array.dtype} is not a picture", hint="convert it: array.astype(np.uint8)"
        )
    if not np.isfinite(array).all():
        raise PictureError(
            "the array has values that are not numbers (NaN or infinite)",
            hint="replace them: np.nan_to_num(array)",
        )
    if array.min() < -1e-3 or array.max() > 1 + 1e-3:
        raise PictureError(
            f"a float array must be 0..1; this one is {array.min():g}..{array.max():g}",
            hint="divide it by 255, or give uint8",
        )
    return np.rint(array.clip(0, 1) * 255).astype(np.uint8)

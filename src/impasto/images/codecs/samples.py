"""Converts samples of pictures: packed bytes to numbers, and numbers of any kind to 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from impasto.errors import PictureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.raster import Array

DEPTHS = {1, 2, 4, 6, 8, 10, 12, 14, 16, 32, 64}
"""Bits of whole numbers that can be unpacked."""
FLOATS = {16, 32, 64}
_BAND = 128


def kind(format: int, bits: int) -> str:
    """Return NumPy's letter and size for a TIFF's kind of samples, of whole bytes."""
    letter = {2: "i", 3: "f"}.get(format, "u")
    return f"{letter}{-(-bits // 8)}"


def unpacked(
    rows: Array,
    bits: int,
    kind: str,
    order: str,
    *,
    across: int,
    together: int,
    predictor: int = 1,
) -> Array:
    """Unpack numbers from rows of bytes, ``(height, parts, bytes)``.

    Each part of a row has ``across`` pixels of ``together`` samples each.
    """
    count = across * together
    if bits % 8:
        return _of_bits(rows, bits, count)
    if predictor == 3:
        return _of_bytes_apart(rows, kind, together, count)
    numbers = np.ascontiguousarray(rows).view(f"{order}{kind}")
    native = numbers.astype(kind)
    if predictor == 2:
        shape = native.shape
        wholes = native.view(f"u{native.itemsize}").reshape(*shape[:2], across, together)
        wholes = np.cumsum(wholes, 2, dtype=wholes.dtype)  # differences wrap around
        native = wholes.reshape(shape).view(kind)
    return native


def _of_bits(rows: Array, bits: int, count: int) -> Array:
    """Unpack bits from the highest bit on, whatever the order of bytes is."""
    found = np.zeros((*rows.shape[:2], count), np.uint16)
    for top in range(0, len(rows), _BAND):
        single = np.unpackbits(rows[top : top + _BAND], axis=-1)[..., : count * bits]
        single = single.reshape(*single.shape[:2], count, bits)
        for rank in range(bits):
            found[top : top + _BAND] += single[..., rank].astype(np.uint16) << (bits - 1 - rank)
    return found


def _of_bytes_apart(rows: Array, kind: str, together: int, count: int) -> Array:
    """Unpack floats whose bytes of one rank are stored together, as differences.

    Each byte is stored as its difference to the one before (Adobe Photoshop TIFF Technical Note 3).
    """
    size = int(kind[1:])
    found = np.empty((*rows.shape[:2], count), f"f{size}")
    for top in range(0, len(rows), _BAND):
        band = rows[top : top + _BAND]
        shape = (*band.shape[:2], -1, together)
        whole = np.cumsum(band.reshape(shape), 2, dtype=np.uint8).reshape(
            *band.shape[:2], size, count
        )
        ranked = np.ascontiguousarray(whole.swapaxes(-1, -2))
        found[top : top + _BAND] = ranked.view(f">f{size}")[..., 0]
    return found


def to_bytes(values: Array, bits: int, notes: list[str]) -> NDArray[np.uint8]:
    """Convert numbers from their whole range to 0..255; what is below 0 becomes 0."""
    if values.dtype.kind == "f":
        return _floats_to_bytes(values, notes)
    top = (1 << (bits - (values.dtype.kind == "i"))) - 1
    if bits > 16:  # so wide a place often holds narrower numbers
        most = int(values.max())
        top = next((each for each in (255, 65_535) if most <= each), top)
    result = np.empty(values.shape, np.uint8)
    for at in range(0, len(values), _BAND):
        band = values[at : at + _BAND].astype(np.float64)
        result[at : at + _BAND] = np.rint(np.clip(band * (255 / top), 0, 255))
    return result


def _floats_to_bytes(values: Array, notes: list[str]) -> NDArray[np.uint8]:
    """Convert floats, whose range ends at 1, 255 or 65,535.

    Sharpening may have brought some a little above. Where most lie within 0..1 and a few far above,
    those few are lights of an HDR picture.
    """
    if not np.isfinite(values).all():
        raise PictureError("it holds values that are not numbers (NaN or infinite)")
    top = float(values.max())
    scale = 255.0 if top <= 2 else 1.0 if top <= 2 * 255 else 1 / 257
    if top > 2 and np.median(values[:: max(1, len(values) // 256)]) <= 1:
        notes.append("it is an HDR picture; what is brighter than white is white")
        scale = 255.0
    result = np.empty(values.shape, np.uint8)
    for at in range(0, len(values), _BAND):
        band = values[at : at + _BAND].astype(np.float64)
        result[at : at + _BAND] = np.rint(np.clip(band * scale, 0, 255))
    return result


def lab_to_bytes(values: Array, bits: int, *, signed: bool) -> NDArray[np.uint8]:
    """Convert CIE L*a*b* to Little CMS's 8 bits: L* over the whole range, a* and b* from 128."""
    light = to_bytes(values[..., :1], bits, [])
    span = 1 << (bits - 8)
    hues = values[..., 1:].astype(np.int64)
    if signed:
        hues = (hues + (1 << (bits - 1))) % (1 << bits)
    hues = np.clip(np.rint(hues / span), 0, 255).astype(np.uint8)
    return np.concatenate((light, hues), -1)


def divided(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Restore colours that were multiplied by alpha."""
    opacity = np.maximum(alpha, 1)[..., None].astype(np.float32)
    return np.clip(np.rint(pixels * (255 / opacity)), 0, 255).astype(np.uint8)

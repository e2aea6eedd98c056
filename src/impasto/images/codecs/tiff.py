"""TIFF files: samples of any depth and layout.

Pillow reads common layouts. It misreads some others without an error: several planes of 16 bits,
and inverted grey of 16 bits. So this module reads these, and what Pillow refuses. libtiff, through
Pillow, unpacks the rows as plain bytes. NumPy takes the samples from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image

from impasto.files.kinds import RAW, Unread
from impasto.images.codecs import samples
from impasto.images.codecs import tiff_directory as tags
from impasto.images.codecs.pillow import Loaded, opened

if TYPE_CHECKING:
    from impasto.images.codecs.reading import Reading
    from impasto.images.codecs.tiff_directory import Directory
    from impasto.images.raster import Array

_BYTEWISE = {1, 5, 8, 32773, 32946, 34925, 50000}
"""Compressions whose rows are bytes: none, LZW, Deflate, PackBits, LZMA, Zstandard."""
_JPEG = {6, 7}
_OTHERS = _JPEG | {2, 3, 4, 32771, 50001}
"""Compressions that Pillow reads as well: fax, and WebP."""
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, LAB: 3, ICC_LAB: 3}
_RAW_PHOTOMETRIC = {32803, 34892}
_UNSIGNED, _FLOAT = 1, 3


@dataclass(frozen=True)
class _Layout:
    width: int
    height: int
    bits: int
    samples: int
    format: int
    photometric: int
    compression: int
    planes: int
    """1, or the number of samples where each sample has a plane of its own."""
    predictor: int
    extra: tuple[int, ...]
    """What the samples beside the colours are: 1 and 2 alpha, 1 of colours multiplied by it."""

    @property
    def together(self) -> int:
        """How many samples are stored side by side."""
        return self.samples // self.planes


def load(file: IO[bytes], reading: Reading) -> Loaded:
    """Load the picture with its pixels.

    Raises:
        PictureError: a layout that is not read, by its name.
    """
    data = file.read()
    directory = tags.read(data, reading)
    if _is_raw(directory):
        raise reading.unread(RAW)
    layout = _layout(directory, reading)
    reading.require_size(layout.width, layout.height)
    _require_parts(directory, layout, reading)
    if directory.following:
        reading.notes.append("only its first frame is used")
    if not _common(layout) or directory.big:
        _require_read(layout, directory, reading)
        return _rows(directory, layout, reading)
    try:
        image = opened("TIFF", BytesIO(data), reading.notes)
    except SyntaxError as error:  # Pillow knows no such layout
        what = f"a TIFF with {layout.samples} samples and compression {layout.compression}"
        raise reading.unread(Unread(what, "convert it to PNG")) from error
    image.load()
    return Loaded(image)


def _is_raw(directory: Directory) -> bool:
    """Say whether the first picture is the preview of a camera's raw file."""
    preview = directory.number(tags.SUBFILE) & 1 and tags.SUBDIRECTORIES in directory.entries
    return bool(preview) or tags.DNG in directory.entries


def _layout(directory: Directory, reading: Reading) -> _Layout:
    number = directory.number
    bits = set(directory.numbers(tags.BITS, (1,)))
    formats = set(directory.numbers(tags.FORMAT, (_UNSIGNED,)))
    if len(bits) > 1 or len(formats) > 1:
        raise reading.unread(Unread("a TIFF of mixed depths", "convert it to PNG"))
    count = number(tags.SAMPLES, 1)
    return _Layout(
        width=number(tags.WIDTH),
        height=number(tags.HEIGHT),
        bits=bits.pop(),
        samples=count,
        format=formats.pop(),
        photometric=number(tags.PHOTOMETRIC, BLACK_IS_ZERO),
        compression=number(tags.COMPRESSION, 1),
        planes=count if number(tags.PLANAR, 1) == 2 else 1,
        predictor=number(tags.PREDICTOR, 1),
        extra=directory.numbers(tags.EXTRA),
    )


def _require_parts(directory: Directory, layout: _Layout, reading: Reading) -> None:
    """Check the number of strips or tiles.

    Raises:
        PictureError, ValueError: more than there can be, or too few.
    """
    if tags.TILES in directory.entries:
        found = len(directory.numbers(tags.TILES))
        across, down = directory.number(tags.TILE_WIDTH), directory.number(tags.TILE_HEIGHT)
    else:
        found = len(directory.numbers(tags.STRIPS))
        across, down = layout.width, directory.number(tags.ROWS, layout.height)
    if across < 1 or down < 1:
        raise ValueError("parts without a size")
    needed = -(-layout.width // across) * -(-layout.height // down) * layout.planes
    if found > needed + _MORE_PARTS:
        raise reading.endless(f"{found} parts")
    if found < needed:
        raise ValueError(f"of {needed} parts, {needed - found} are missing")


_MORE_PARTS = 1024


def _common(layout: _Layout) -> bool:
    """Say whether Pillow reads the layout well, which takes less memory."""
    if layout.compression not in _BYTEWISE:
        small = layout.bits <= 8 and layout.format == _UNSIGNED
        return small and layout.compression in (_OTHERS if layout.planes == 1 else _JPEG)
    together = layout.planes == 1 and layout.format == _UNSIGNED
    if layout.photometric == YCBCR:
        return together and layout.bits == 8
    usual = _USUAL.get((layout.samples, layout.bits), set())
    return together and layout.photometric in usual and layout.extra in ((), (1,), (2,))


_USUAL = {
    (1, 8): {BLACK_IS_ZERO},
    (3, 8): {RGB, LAB},
    (4, 8): {RGB, CMYK},
    (1, 16): {BLACK_IS_ZERO},
    (3, 16): {RGB},
    (4, 16): {RGB, CMYK},
}
"""Colours by the number of samples and their bits."""


def _require_read(layout: _Layout, directory: Directory, reading: Reading) -> None:
    """Refuse layouts that are not read.

    Raises:
        PictureError: it is one, by its name.
    """
    if layout.photometric in _RAW_PHOTOMETRIC:
        raise reading.unread(RAW)
    channels = _CHANNELS.get(layout.photometric)
    several = layout.photometric == CMYK and directory.number(tags.INK_SET, 1) != 1
    floats = layout.format == _FLOAT
    depth = f"{layout.bits}-bit {'floats' if floats else 'numbers'}"
    faults = {
        f"colours of kind {layout.photometric}": channels is None,
        "inks that are not CMYK": several,
        f"{layout.samples} samples": layout.samples < (channels or 0) or layout.samples > 64,
        f"compression {layout.compression}": layout.compression not in _BYTEWISE,
        f"predictor {layout.predictor}": layout.predictor not in (1, 2, 3),
        f"samples of kind {layout.format}": layout.format not in (1, 2, 3, 4),
        depth: layout.bits not in (samples.FLOATS if floats else samples.DEPTHS),
        "a palette of such": layout.photometric == PALETTE and (layout.bits > 8 or floats),
    }
    for what, wrong in faults.items():
        if wrong:
            raise reading.unread(Unread(f"a TIFF with {what}", "convert it to PNG"))


def _rows(directory: Directory, layout: _Layout, reading: Reading) -> Loaded:
    """Unpack each plane as a picture of bytes, and make samples of these."""
    planes, header = [], None
    for plane in range(layout.planes):
        data, across = _as_bytes(directory, layout, plane)
        header = opened("TIFF", BytesIO(data), reading.notes)
        header.load()
        rows = np.asarray(header)
        planes.append(_samples(rows, layout, directory.order, across))
    assert header is not None
    image, alpha = _picture(np.concatenate(planes, -1), layout, directory, reading)
    image.info |= {key: header.info[key] for key in ("icc_profile",) if key in header.info}
    return Loaded(image, header, alpha, directory.number(tags.ORIENTATION, 1))


def _as_bytes(directory: Directory, layout: _Layout, plane: int) -> tuple[bytes, int]:
    """Write a file in which the rows of one plane are grey pixels of 8 bits.

    Returns:
        The file, and the number of pixels across its tiles, or across the picture without tiles.
    """
    tiled = tags.TILES in directory.entries
    across = directory.number(tags.TILE_WIDTH) if tiled else layout.width
    down = directory.number(tags.TILE_HEIGHT) if tiled else layout.height
    width = -(-across * layout.together * layout.bits // 8)
    columns, lines = -(-layout.width // across), -(-layout.height // down)
    offsets = directory.numbers(tags.TILES if tiled else tags.STRIPS)
    sizes = directory.numbers(tags.TILE_SIZES if tiled else tags.STRIP_SIZES)
    part = partial(_part, plane=plane, planes=layout.planes)
    rows = min(directory.number(tags.ROWS, layout.height), layout.height)
    numbers: dict[int, tuple[int, ...]] = {
        tags.WIDTH: (width * columns,),
        tags.HEIGHT: (lines * down,),
        tags.BITS: (8,),
        tags.COMPRESSION: (layout.compression,),
        tags.PHOTOMETRIC: (BLACK_IS_ZERO,),
        tags.FILL_ORDER: (directory.number(tags.FILL_ORDER, 1),),
        tags.SAMPLES: (1,),
    }
    if tiled:
        numbers |= {tags.TILE_WIDTH: (width,), tags.TILE_HEIGHT: (down,)}
        numbers |= {tags.TILES: part(offsets), tags.TILE_SIZES: part(sizes)}
    else:
        numbers |= {tags.ROWS: (rows,), tags.STRIPS: part(offsets)}
        numbers |= {tags.STRIP_SIZES: part(sizes)}
    return tags.with_directory(directory, numbers), across


def _part(values: tuple[int, ...], plane: int, planes: int) -> tuple[int, ...]:
    each = len(values) // planes
    return values[plane * each : (plane + 1) * each]


def _samples(rows: Array, layout: _Layout, order: str, across: int) -> Array:
    """Make samples, ``(height, width, samples)``, from bytes of any kind of number."""
    wide = rows.reshape(len(rows), -1, -(-across * layout.together * layout.bits // 8))
    found = samples.unpacked(
        wide,
        layout.bits,
        samples.kind(layout.format, layout.bits),
        order,
        across=across,
        together=layout.together,
        predictor=layout.predictor,
    )
    found = found.reshape(len(rows), -1, layout.together)
    return found[: layout.height, : layout.width]


def _picture(
    values: Array, layout: _Layout, directory: Directory, reading: Reading
) -> tuple[Image.Image, Image.Image | None]:
    """Return the colours in one of Pillow's modes, and alpha."""
    channels = _CHANNELS[layout.photometric]
    colors, beside = values[..., :channels], values[..., channels:]
    alpha = next((at for at, kind in enumerate(layout.extra) if kind in (1, 2)), None)
    opacity = None
    if alpha is not None and alpha < beside.shape[-1]:
        opacity = samples.to_bytes(beside[..., alpha], layout.bits, [])
    if layout.photometric == PALETTE:
        table = np.array(directory.numbers(tags.COLORS)).reshape(3, -1)
        table = table // 257 if table.max() > 255 else table
        pixels = table[:, colors[..., 0]].transpose(1, 2, 0).astype(np.uint8)
    elif layout.photometric in (LAB, ICC_LAB):
        pixels = samples.lab_to_bytes(colors, layout.bits, signed=layout.photometric == LAB)
    else:
        pixels = samples.to_bytes(colors, layout.bits, reading.notes)
    if layout.photometric == WHITE_IS_ZERO:
        pixels = 255 - pixels
    if opacity is not None and alpha is not None and layout.extra[alpha] == 1:
        pixels = samples.divided(pixels, opacity)
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[pixels.shape[-1]]
    if layout.photometric in (LAB, ICC_LAB):
        image = Image.merge("LAB", [Image.fromarray(each) for each in np.moveaxis(pixels, -1, 0)])
    else:
        size, data = (layout.width, layout.height), np.ascontiguousarray(pixels)
        image = Image.frombuffer(mode, size, data, "raw", mode, 0, 1)
    return image, None if opacity is None else Image.fromarray(opacity)

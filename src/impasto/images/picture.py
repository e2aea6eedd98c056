"""The only picture type that crosses a function border, and the ways to get one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, overload

from impasto.files import atomic, kinds
from impasto.images.codecs import arrays, encode, pillow, sheet
from impasto.images.codecs import read as reading
from impasto.images.raster import Raster

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from PIL import Image

    from impasto.images.raster import Array, File, PictureSource
    from impasto.options import ReadOptions, WriteOptions


class Picture(Raster):
    """A picture in memory: 8-bit sRGB, upright, colours not premultiplied.

    See :class:`~impasto.images.raster.Raster` for what it holds.
    """

    def pil(self) -> Image.Image:
        """Return the same as a Pillow image, mode RGB or RGBA."""
        return pillow.to_pil(self)

    def encode(self, format: str = "PNG", options: WriteOptions | None = None) -> bytes:
        """Return the picture as a file's content: JPEG, PNG, WEBP, AVIF, TIFF or BMP."""
        return encode.encode(self, format, options)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """``np.asarray(picture)``: ``(height, width, 3)``, or 4 with alpha, 0..255; a copy.

        Raises:
            ValueError: ``copy=False``.
        """
        if copy is False:
            raise ValueError("a picture gives its pixels as a copy; leave copy=False out")
        return self.array().astype(dtype or "uint8", copy=False)

    @overload
    def save(
        self,
        target: str | os.PathLike[str],
        format: str | None = None,
        *,
        overwrite: bool = False,
        options: WriteOptions | None = None,
    ) -> Path: ...

    @overload
    def save(
        self,
        target: IO[bytes],
        format: str | None = None,
        *,
        overwrite: bool = False,
        options: WriteOptions | None = None,
    ) -> None: ...

    def save(
        self,
        target: str | os.PathLike[str] | IO[bytes],
        format: str | None = None,
        *,
        overwrite: bool = False,
        options: WriteOptions | None = None,
    ) -> Path | None:
        """Write the picture to a path, or into an open file.

        A path is written whole or not at all, and returned. The format is ``format``, or follows
        from the suffix.

        Raises:
            OptionError: a format that is not written, or none, or no place to write to.
            OutputError: the file is there already (``overwrite`` allows it), or the disk refuses.
        """
        if isinstance(target, str | os.PathLike):
            path = Path(target)
            data = encode.encode(self, format or kinds.format_of(path), options)
            return atomic.write(path, data, overwrite=overwrite)
        encode.into(target, self, format, options)
        return None

    def resized(self, long_side: int) -> Picture:
        """Return the same picture with its longer side at ``long_side`` pixels."""
        return pillow.resize(self, long_side)

    def _repr_png_(self) -> bytes:
        """Show the picture in a notebook: at most 1024 pixels."""
        return self.resized(min(1024, max(self.width, self.height))).encode("PNG")


def open_any(source: PictureSource) -> Picture:
    """Read a picture from anything that holds one.

    It may be a Picture, a path, a file's content as bytes, or a binary file. It may also be a
    Pillow image, or a NumPy array (see :func:`from_array`).

    Raises:
        OptionError: none of these, or a file that is open as text.
        PictureError: it holds no usable picture.
    """
    return source if isinstance(source, Picture) else _picture(reading.open_any(source))


def read(
    source: File,
    options: ReadOptions | None = None,
    *,
    enough: int | None = None,
    name: str = "the picture",
) -> Picture:
    """Decode a picture: upright, sRGB, 8 bits; alpha and metadata kept apart.

    A picture above the limits, or much larger than a long side of ``enough`` pixels, is read
    smaller. That needs a codec that can do it, and leaves at least ``enough`` pixels. ``name`` is
    what errors call a picture that is not in a file on disk.

    Raises:
        PictureLimitError: too many pixels or bytes; said from the header alone.
        PictureError: not a picture, one of another format, damaged, or not a file.
    """
    return _picture(reading.read(source, options, enough=enough, name=name))


def from_array(array: Array) -> Picture:
    """Make a Picture from a NumPy array.

    Takes ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA; uint8 0..255, uint16 0..65535,
    bool, or floats 0..1.

    Raises:
        PictureError: another shape, type or range; the message says what to change.
    """
    return _picture(arrays.from_array(array))


def from_pil(image: Image.Image) -> Picture:
    """Make a Picture from a Pillow image: upright, sRGB, 8 bits.

    Raises:
        PictureError: its pixels cannot be read.
    """
    return _picture(pillow.from_pil(image))


def compose(cells: Sequence[tuple[str, Raster]], *, columns: int | None = None) -> Picture:
    """Arrange pictures of one size row by row under their labels; about square by default."""
    return _picture(sheet.compose(cells, columns=columns))


def _picture(raster: Raster) -> Picture:
    return Picture(**vars(raster))

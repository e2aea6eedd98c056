"""The only picture type that crosses a function border, and how one is had."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, overload

from impasto.files import atomic, paths
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
        """The same as a Pillow image, mode RGB or RGBA."""
        return pillow.to_pil(self)

    def encode(self, format: str = "PNG", options: WriteOptions | None = None) -> bytes:
        """The picture as a file's content: JPEG, PNG, WEBP, AVIF, TIFF or BMP."""
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
        """Write the picture: to a path, whole or not at all, which is returned; or into a file
        that is open. The format is ``format``, or follows from the suffix.

        Raises:
            OptionError: a format that is not written, or none, or no place to write to.
            OutputError: the file is there already (``overwrite`` allows it), or the
                disk refuses.
        """
        if isinstance(target, str | os.PathLike):
            path = Path(target)
            data = encode.encode(self, format or paths.format_of(path), options)
            return atomic.write(path, data, overwrite=overwrite)
        encode.into(target, self, format, options)
        return None

    def resized(self, long_side: int) -> Picture:
        """The same picture with its longer side at ``long_side`` pixels."""
        return pillow.resize(self, long_side)

    def _repr_png_(self) -> bytes:
        """How a notebook shows it: at most 1024 pixels."""
        return self.resized(min(1024, max(self.width, self.height))).encode("PNG")


def open_any(source: PictureSource) -> Picture:
    """A picture from whatever holds one.

    Takes a Picture, a path, a file's content as bytes, a binary file, a Pillow image, or
    a NumPy array (see :func:`from_array`).

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

    One that is much larger than a long side of ``enough`` pixels, or above the limits, is read
    smaller, where its codec can and no less than that is left. ``name`` is what errors call one
    that is no file of the disk.

    Raises:
        PictureLimitError: too many pixels or bytes; said from the header alone.
        PictureError: not a picture, one of another format, damaged, or not a file.
    """
    return _picture(reading.read(source, options, enough=enough, name=name))


def from_array(array: Array) -> Picture:
    """A NumPy array as a Picture.

    Takes ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA; uint8 0..255, uint16
    0..65535, bool, or floats 0..1.

    Raises:
        PictureError: another shape, type or range; the message says what to change.
    """
    return _picture(arrays.from_array(array))


def from_pil(image: Image.Image) -> Picture:
    """A Pillow image as a Picture: upright, sRGB, 8 bits.

    Raises:
        PictureError: its pixels cannot be had.
    """
    return _picture(pillow.from_pil(image))


def compose(cells: Sequence[tuple[str, Raster]], *, columns: int | None = None) -> Picture:
    """Pictures of one size under their labels, row by row; about square by default."""
    return _picture(sheet.compose(cells, columns=columns))


def _picture(raster: Raster) -> Picture:
    return Picture(**vars(raster))

"""Files, bytes and streams to pictures.

impasto knows seven formats by their signature, and hands each to its own decoder. It parses nothing
else. Size limits are checked in the header, before there are pixels. Decoders misread some files,
refuse some, and unpack some without end. A module for each such format checks its files first.
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image

from impasto.errors import OptionError, PictureError, PictureLimitError, in_memory, reason
from impasto.files import addresses
from impasto.images.codecs import avif, bmp, gif, jpeg, png, tiff
from impasto.images.codecs.arrays import from_array
from impasto.images.codecs.formats import recognise
from impasto.images.codecs.pillow import Loaded, from_pil, noted, opened, to_picture
from impasto.images.codecs.reading import Reading
from impasto.images.raster import Raster
from impasto.options import ReadOptions

if TYPE_CHECKING:
    from impasto.images.raster import File, PictureSource

# Opening a FIFO waits for its writer. With this flag the FIFO is opened without waiting, then
# refused.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_any(source: PictureSource) -> Raster:
    """Read a picture from anything that holds one.

    It may be a picture already, a path, a file's content as bytes, or a binary file. It may also be
    a Pillow image, or a NumPy array (see :func:`from_array`).

    Raises:
        OptionError: none of these.
        PictureError: it holds no usable picture.
    """
    if isinstance(source, Raster):
        return source
    if isinstance(source, Image.Image):
        return from_pil(source)
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(
        source, "read"
    ):
        return read(source)
    raise OptionError(
        f"a {type(source).__name__} is not a picture",
        hint="give a path, bytes, a file, a Pillow image, a NumPy array or a Picture",
    )


def read(
    source: File,
    options: ReadOptions | None = None,
    *,
    enough: int | None = None,
    name: str = "the picture",
) -> Raster:
    """Decode a picture: upright, sRGB, 8 bits; alpha and metadata kept apart.

    A picture above the limits, or much larger than a long side of ``enough`` pixels, is read
    smaller. That needs a codec that can do it, and leaves at least ``enough`` pixels. ``name`` is
    what errors call a picture that is not in a file on disk.

    Raises:
        OptionError: a file that is open as text.
        PictureLimitError: too many pixels or bytes; said from the header alone.
        PictureError: not a picture, one of another format, damaged, or not a file.
    """
    options = options or ReadOptions()
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(io.BytesIO(source), Reading(name, options, enough))
    if not isinstance(source, (str, os.PathLike)):
        data = _bounded(source, options, name)
        return _decode(io.BytesIO(data), Reading(name, options, enough))
    path = Path(source)
    with _open_file(path, options) as file:
        return _decode(file, Reading(str(path), options, enough))


def content(path: Path, options: ReadOptions | None = None) -> bytes:
    """Read a file as it is, for a decoder elsewhere; raises as :func:`read` does of it."""
    with _open_file(path, options or ReadOptions()) as file:
        return file.read()


def _open_file(path: Path, options: ReadOptions) -> IO[bytes]:
    """Open a regular file; never wait for a file of another kind."""
    try:
        handle = os.open(path, _OPEN_FLAGS)
    except (OSError, ValueError) as error:
        addresses.require_file(str(path))
        raise PictureError(f"{path} cannot be opened: {reason(error)}") from error
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(about.st_mode) else "not a regular file"
        raise PictureError(f"{path} is {kind}")
    if about.st_size > options.max_bytes:
        os.close(handle)
        raise _too_many_bytes(str(path), options)
    return os.fdopen(handle, "rb")


def _bounded(stream: BinaryIO, options: ReadOptions, name: str) -> bytes:
    text = OptionError("the file is open as text", hint='open it with "rb"')
    if isinstance(stream, io.TextIOBase):
        raise text
    try:
        data = stream.read(options.max_bytes + 1)
    except (OSError, ValueError) as error:  # it is closed, or open to be written
        raise PictureError(f"the file cannot be read: {reason(error)}") from error
    if not isinstance(data, bytes | bytearray):
        raise text
    if len(data) > options.max_bytes:
        raise _too_many_bytes(name, options)
    return data


def _too_many_bytes(name: str, options: ReadOptions) -> PictureLimitError:
    return PictureLimitError(f"{name} is larger than {options.max_bytes / 1e6:g} MB")


def _decode(file: IO[bytes], reading: Reading) -> Raster:
    name = reading.name
    try:
        head = file.read(1024)
        file.seek(0)
    except OSError as error:
        raise PictureError(f"{name} cannot be read: {reason(error)}") from error
    format = recognise(head, name)
    try:
        with in_memory(name, hint="make it smaller first"):
            picture = _decoded(file, format, reading)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:  # WebP's decoder has a limit of its own
        raise PictureLimitError(
            f"{name} is too large: {reason(error)}", hint="make it smaller first"
        ) from error
    except Exception as error:  # decoders raise anything at hostile bytes
        raise PictureError(
            f"{name} is damaged: {reason(error)}", hint="get a whole copy of the file"
        ) from error
    return replace(picture, format=format, notes=tuple(dict.fromkeys(reading.notes)))


def _decoded(file: IO[bytes], format: str, reading: Reading) -> Raster:
    loaded = _LOADERS.get(format, partial(_load, format))(file, reading)
    with noted(reading.notes):
        return to_picture(loaded, reading)


def _load(format: str, file: IO[bytes], reading: Reading) -> Loaded:
    """Load a picture of a format that its decoder alone reads well."""
    image = opened(format, file, reading.notes)
    reading.require_size(*image.size)
    if _is_animated(image):
        reading.notes.append("only its first frame is used")
    image.load()
    return Loaded(image)


_LOADERS = {
    "AVIF": avif.load,
    "BMP": bmp.load,
    "GIF": gif.load,
    "JPEG": jpeg.load,
    "PNG": png.load,
    "TIFF": tiff.load,
}


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # damage shows itself when the picture is loaded
        return False

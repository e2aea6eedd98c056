"""Encodes pictures as files' content."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

from PIL import Image

from impasto.errors import OptionError, OutputError, reason
from impasto.files.kinds import format_of, valid_format
from impasto.images.codecs import carried
from impasto.images.codecs.color import srgb_profile
from impasto.images.codecs.pillow import noted, to_pil
from impasto.images.raster import Metadata, Raster
from impasto.options import WriteOptions

if TYPE_CHECKING:
    from impasto.images.codecs.carried import Setting


def encode(picture: Raster, format: str, options: WriteOptions | None = None) -> bytes:
    """Encode the picture as a file's content, with an sRGB profile and its metadata.

    JPEG is written at 4:4:4. Where a format has no alpha, the picture lies on white.

    Raises:
        OptionError: not a format that is written.
        OutputError: the format does not hold pictures of this size.
    """
    options = options or WriteOptions()
    format = valid_format(format)
    image = to_pil(picture)
    if format in ("JPEG", "BMP") and picture.alpha is not None:
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    settings = _SETTINGS[format] | _profile(format)
    if format in ("JPEG", "WEBP", "AVIF"):
        settings["quality"] = options.quality
    travelling, segments = ({}, b"") if options.strip else _travelling(picture.metadata, format)
    try:
        data = _saved(image, format, settings, travelling)
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{picture.width}x{picture.height} cannot be written as {format}: {reason(error)}",
            hint="use PNG or TIFF",
        ) from error
    return carried.with_segments(data, segments) if segments else data


def _travelling(metadata: Metadata, format: str) -> tuple[dict[str, Setting], bytes]:
    """Return settings of the format's writer for the metadata, and extra segments of a JPEG.

    Metadata that cannot be read any more gives nothing.
    """
    try:
        with noted([]):
            segments = carried.segments(metadata) if format == "JPEG" else b""
            return carried.settings(metadata, format), segments
    except Exception:  # Pillow raises anything at strange tags
        return {}, b""


def _saved(
    image: Image.Image,
    format: str,
    settings: dict[str, Setting],
    travelling: dict[str, Setting],
) -> bytes:
    """Encode the file's content. Bad metadata is left out, and does not cost the picture."""
    buffer = io.BytesIO()
    try:
        image.save(buffer, format, **settings | travelling)
    except Exception:  # its writers raise anything at strange tags
        if not travelling:
            raise
        return _saved(image, format, settings, {})
    return buffer.getvalue()


def into(
    file: IO[bytes],
    picture: Raster,
    format: str | None = None,
    options: WriteOptions | None = None,
) -> None:
    """Write the picture into a file that is open; without ``format`` as its name says.

    Raises:
        OptionError: nothing says the format, it is none that is written, or this is no file.
        OutputError: the file does not take it, or the format does not hold the picture.
    """
    if not hasattr(file, "write") or isinstance(file, io.TextIOBase):
        what = "a file that is open as text" if hasattr(file, "write") else type(file).__name__
        raise OptionError(
            f"{what} is no place for a picture", hint='give a path, or open it with "wb"'
        )
    name = getattr(file, "name", None)
    if format is None and not isinstance(name, str):
        raise OptionError(
            "a file without a name does not say its format", hint='name it, as in format="png"'
        )
    data = encode(picture, format or format_of(str(name)), options)
    try:
        file.write(data)
    except (OSError, ValueError) as error:  # it is closed, or open to be read
        raise OutputError(f"the file cannot be written: {reason(error)}") from error


_SETTINGS: dict[str, dict[str, Setting]] = {
    "JPEG": {"subsampling": "4:4:4"},
    "PNG": {"compress_level": 1},  # Pillow's own default takes five times as long
    "WEBP": {"method": 2},
    "AVIF": {"subsampling": "4:4:4", "speed": 8},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
}


def _profile(format: str) -> dict[str, Setting]:
    return {} if format == "BMP" else {"icc_profile": srgb_profile()}

"""Bytes to pictures and back: the border between the world's files and 8-bit sRGB.

Reading knows seven formats by their signature and hands each to its own decoder; nothing
else is ever parsed. Size limits hold in the header, before there are pixels.
"""

from __future__ import annotations

import io
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageFile

from impasto.errors import OptionError, OutputError, PictureError, PictureLimitError
from impasto.options import ReadOptions, WriteOptions
from impasto.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

BICUBIC = Image.Resampling.BICUBIC
SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
"""Formats that are written, by suffix; GIF is read as well."""

_DECODERS = {
    "JPEG": ("JpegImagePlugin", "JpegImageFile", rb"\xff\xd8\xff"),
    "PNG": ("PngImagePlugin", "PngImageFile", rb"\x89PNG\r\n\x1a\n"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile", rb"RIFF....WEBP"),
    "AVIF": ("AvifImagePlugin", "AvifImageFile", rb"....ftyp(avif|avis)"),
    "TIFF": ("TiffImagePlugin", "TiffImageFile", rb"II[*+]\0|MM\0[*+]"),
    "BMP": ("BmpImagePlugin", "BmpImageFile", rb"BM"),
    "GIF": ("GifImagePlugin", "GifImageFile", rb"GIF8[79]a"),
}
_RAW_SUFFIXES = {".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf"}
_STRANGERS = (
    (rb"....ftyp(heic|heix|mif1|msf1|hevc)", "HEIC", "export it as JPEG"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL", "export it as JPEG or PNG"),
    (rb"8BPS", "a Photoshop document", "export it as PNG or TIFF"),
    (rb"%PDF", "a PDF", "export the page as PNG"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript", "export it as PNG"),
    (
        rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg",
        "SVG",
        "export it as PNG",
    ),
    (rb"\s*<(!DOCTYPE )?html", "a web page", "save the picture itself"),
    (rb"PK\x03\x04", "a zip file", "unpack it first"),
)
# Opening a FIFO would wait for its writer; not blocking, it is opened and then refused.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MAX_PROFILE = 4 * 2**20
_ORIENTATION = 0x0112
_THUMBNAIL_IFD = 1
# In a TIFF the tags that describe the file's own layout stand among those about the picture.
_STRUCTURE = {*range(254, 260), 262, 273, *range(277, 282), 284, 317, *range(320, 326), 338, 339}
_STRUCTURE |= {347, 530, 531, 532, 700, 34675, 34377}
_MAX_JPEG_SEGMENT = 65_533
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:="|='|>))\d""")
# Pillow reports oddities as warnings; recording them changes global state, one at a time.
_recording = threading.Lock()


def open_any(source: Any) -> Picture:
    """A picture from whatever holds one.

    Takes a Picture, a path, a file's content as bytes, a binary file, a Pillow image, or
    a NumPy array (see :func:`from_array`).

    Raises:
        OptionError: none of these.
        PictureError: it holds no usable picture.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, Image.Image):
        return from_pil(source)
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, (str, os.PathLike, bytes, bytearray)) or hasattr(source, "read"):
        return read(source)
    raise OptionError(
        f"a {type(source).__name__} is not a picture",
        hint="give a path, bytes, a file, a Pillow image, a NumPy array or a Picture",
    )


def read(
    source: str | os.PathLike[str] | bytes | bytearray | BinaryIO,
    options: ReadOptions | None = None,
) -> Picture:
    """Decode a picture: upright, sRGB, 8 bits; alpha and metadata kept apart.

    Raises:
        PictureLimitError: too many pixels or bytes; said from the header alone.
        PictureError: not a picture, one of another format, damaged, or not a file.
    """
    options = options or ReadOptions()
    if isinstance(source, (bytes, bytearray)):
        return _decode(io.BytesIO(source), "the picture", options)
    if not isinstance(source, (str, os.PathLike)):
        return _decode(io.BytesIO(_bounded(source, options)), "the picture", options)
    path = Path(source)
    with _open_file(path, options) as file:
        return _decode(file, str(path), options)


def _open_file(path: Path, options: ReadOptions) -> IO[bytes]:
    """Open a regular file without ever waiting for one that is not."""
    try:
        handle = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PictureError(f"{path} cannot be opened: {reason}") from error
    file = os.fdopen(handle, "rb", closefd=True) if _is_regular(handle) else None
    if file is None:
        kind = "a folder" if path.is_dir() else "not a regular file"
        os.close(handle)
        raise PictureError(f"{path} is {kind}")
    if os.fstat(handle).st_size > options.max_bytes:
        file.close()
        raise _too_many_bytes(str(path), options)
    return file


def _is_regular(handle: int) -> bool:
    return stat.S_ISREG(os.fstat(handle).st_mode)


def _bounded(stream: BinaryIO, options: ReadOptions) -> bytes:
    data = stream.read(options.max_bytes + 1)
    if len(data) > options.max_bytes:
        raise _too_many_bytes("the picture", options)
    return data


def _too_many_bytes(name: str, options: ReadOptions) -> PictureLimitError:
    return PictureLimitError(f"{name} is larger than {options.max_bytes / 1e6:.0f} MB")


def _decode(file: IO[bytes], name: str, options: ReadOptions) -> Picture:
    head = file.read(1024)
    file.seek(0)
    format = _recognise(head, name)
    notes: list[str] = []
    try:
        with _noted(notes):
            image = _decoder(format)(file)
        _check_limits(image.size, name, options)
        if _is_animated(image):
            notes.append("only its first frame is used")
        image.load()
        with _noted(notes):
            picture = _to_picture(image, notes)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureLimitError(f"{name} does not fit into memory", hint="use --size") from error
    except Exception as error:  # decoders raise anything at hostile bytes
        raise PictureError(
            f"{name} is damaged: {_reason(error)}", hint="get a whole copy of the file"
        ) from error
    return replace(picture, format=format, notes=tuple(dict.fromkeys(notes)))


def _recognise(head: bytes, name: str) -> str:
    if not head:
        raise PictureError(f"{name} is empty")
    if Path(name).suffix.lower() in _RAW_SUFFIXES:
        raise PictureError(f"{name} is a camera's raw file", hint="develop it to JPEG or TIFF")
    for format, (_, _, signature) in _DECODERS.items():
        if re.match(signature, head, re.DOTALL):
            return format
    for signature, kind, hint in _STRANGERS:
        if re.match(signature, head, re.DOTALL | re.IGNORECASE):
            raise PictureError(f"{name} is {kind}, which is not read", hint=hint)
    looks = " (looks like text)" if _is_text(head) else ""
    raise PictureError(f"{name} is not a picture{looks}", hint=f"{', '.join(_DECODERS)} are read")


def _is_text(head: bytes) -> bool:
    try:
        return head[:512].decode("utf-8", "ignore").strip("\ufeff").isprintable() or all(
            byte >= 32 or byte in b"\t\n\r\f" for byte in head
        )
    except UnicodeDecodeError:
        return False


@cache
def _decoder(format: str) -> type[ImageFile.ImageFile]:
    """The decoder's class itself: unlike ``Image.open`` it does not go by process-wide limits."""
    module, name, _ = _DECODERS[format]
    decoder: type[ImageFile.ImageFile] = getattr(import_module(f"PIL.{module}"), name)
    return decoder


def _check_limits(size: tuple[int, int], name: str, options: ReadOptions) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels ({width}x{height})")
    pixels = width * height
    if pixels > options.max_pixels or max(size) > options.max_side:
        limit = (
            f"{options.max_pixels / 1e6:g} megapixels"
            if pixels > options.max_pixels
            else f"{options.max_side} pixels a side"
        )
        raise PictureLimitError(
            f"{name} is {width}x{height} ({pixels / 1e6:.0f} megapixels); the limit is {limit}",
            hint="make it smaller first, or raise --max-pixels if there is memory for it",
        )


@contextmanager
def _noted(notes: list[str]) -> Iterator[None]:
    """Turn the decoder's warnings into notes."""
    with _recording, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    notes.extend(_reason(warning.message) for warning in caught)


def _reason(error: Warning | BaseException | str) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # only looking: what is damaged shows itself when it is loaded
        return False


def from_pil(image: Image.Image) -> Picture:
    """A Pillow image as a Picture: upright, sRGB, 8 bits.

    Raises:
        PictureError: its pixels cannot be had.
    """
    notes: list[str] = []
    try:
        with _noted(notes):
            picture = _to_picture(image, notes)
    except PictureError:
        raise
    except Exception as error:
        raise PictureError(f"the Pillow image cannot be used: {_reason(error)}") from error
    return replace(picture, format=image.format, notes=tuple(notes))


def to_pil(picture: Picture) -> Image.Image:
    """The picture as a Pillow image, mode RGB or RGBA."""
    image = Image.fromarray(picture.pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    return image


def _to_picture(image: Image.Image, notes: list[str]) -> Picture:
    metadata, orientation = _metadata(image, notes)
    color, alpha = _split(image)
    color = _to_srgb(color, image.info.get("icc_profile"), notes)
    turn = _TURNS.get(orientation)
    if turn is not None:
        color = color.transpose(turn)
        alpha = alpha.transpose(turn) if alpha else None
    pixels = np.asarray(color)
    return Picture(pixels, np.asarray(alpha) if alpha else None, metadata=metadata)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours in an 8-bit mode (L, RGB, CMYK, LAB) and alpha."""
    mode = image.mode
    if mode.startswith(("I", "F")):
        return _reduce(image), None
    if mode in ("LA", "RGBA", "PA", "La", "RGBa") or "transparency" in image.info:
        # A premultiplied or palette picture goes by way of plain RGBA.
        full = image.convert("RGBA") if mode not in ("LA", "La") else image.convert("LA")
        return full.convert("L" if full.mode == "LA" else "RGB"), full.getchannel("A")
    if mode in ("1", "L"):
        return image.convert("L"), None
    if mode in ("RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("RGB"), None


def _reduce(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, or floats, to 8 bits over its whole range."""
    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise PictureError("it holds values that are not numbers (NaN or infinite)")
    if image.mode == "F":
        scale = 255.0 if values.max() <= 1 else 1.0
    else:
        wide = image.mode.startswith("I;16") or values.max() > 255
        scale = 1 / 257 if wide else 1.0
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    if image.mode == "LAB":
        return _transform(image, ImageCms.createProfile("LAB"))
    if profile:
        if len(profile) > _MAX_PROFILE:
            notes.append("its colour profile is too large to be one; taken as sRGB")
        else:
            try:
                return _from_profile(image, profile)
            except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
                notes.append(f"its colour profile is damaged ({_reason(error)}); taken as sRGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.getOpenProfile(io.BytesIO(profile))
    description = ImageCms.getProfileDescription(source)
    if image.mode == "RGB" and description.startswith("sRGB"):
        return image
    return _transform(image, source)


def _transform(image: Image.Image, source: Any) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None
    return converted


@cache
def _srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _metadata(image: Image.Image, notes: list[str]) -> tuple[dict[str, Any], int]:
    """What travels with the pixels, and the orientation that is applied to them."""
    kept: dict[str, Any] = {}
    if isinstance(xmp := image.info.get("xmp"), bytes):
        kept["xmp"] = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    dpi = image.info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(0 < float(d) < 1e6 for d in dpi):
        kept["dpi"] = tuple(float(d) for d in dpi)
    try:
        orientation, exif = _exif(image)
    except Exception as error:  # a camera's metadata must not cost the picture
        notes.append(f"its EXIF data is damaged and left out ({_reason(error)})")
        return kept, 1
    if exif:
        kept["exif"] = exif
    if orientation not in (1, *_TURNS):
        notes.append(f"its EXIF orientation {orientation} does not exist; left as it is")
    return kept, orientation


def _exif(image: Image.Image) -> tuple[int, bytes]:
    exif = image.getexif()
    if not exif:
        return 1, b""
    orientation = exif.get(_ORIENTATION, 1)
    exif[_ORIENTATION] = 1
    exif._ifds.pop(_THUMBNAIL_IFD, None)
    for tag in _STRUCTURE.intersection(exif):
        del exif[tag]
    return int(orientation), exif.tobytes()


def from_array(array: NDArray[Any]) -> Picture:
    """A NumPy array as a Picture.

    Takes ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA; uint8 0..255, uint16
    0..65535, bool, or floats 0..1.

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
        return Picture(np.repeat(data[..., None], 3, 2))
    alpha = data[..., 3].copy() if data.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(data[..., :3]), alpha)


def _to_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
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


def resize(picture: Picture, long_side: int) -> Picture:
    """The picture with its longer side at ``long_side`` pixels; Lanczos."""
    scale = long_side / max(picture.width, picture.height)
    return resize_to(
        picture, (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    )


def resize_to(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at ``(width, height)``; Lanczos, with colours weighted by their alpha."""
    if size == (picture.width, picture.height):
        return picture
    resized = to_pil(picture).resize(size, Image.Resampling.LANCZOS)
    color, alpha = _split(resized)
    return replace(
        picture, pixels=np.asarray(color), alpha=None if alpha is None else np.asarray(alpha)
    )


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's suffix stands for.

    Raises:
        OptionError: none that is written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(
            f"{path} has no suffix of a picture that can be written",
            hint=f"use one of {', '.join(SUFFIXES)}",
        )
    return SUFFIXES[suffix]


def valid_format(format: str) -> str:
    """``format`` by its usual name: JPEG, PNG, WEBP, AVIF, TIFF or BMP.

    Raises:
        OptionError: none that is written.
    """
    known = {suffix[1:]: name for suffix, name in SUFFIXES.items()}
    if format.lower() not in known:
        names = ", ".join(dict.fromkeys(name.lower() for name in SUFFIXES.values()))
        raise OptionError(f"{format!r} is not a format that is written", hint=f"use {names}")
    return known[format.lower()]


def encode(picture: Picture, format: str, options: WriteOptions | None = None) -> bytes:
    """The picture as a file's content, with an sRGB profile and its metadata.

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
    settings = _SETTINGS[format] | _travelling(picture, format, options)
    if format in ("JPEG", "WEBP", "AVIF"):
        settings["quality"] = options.quality
    buffer = io.BytesIO()
    try:
        image.save(buffer, format, **settings)
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{picture.width}x{picture.height} cannot be written as {format}: {_reason(error)}",
            hint="use PNG or TIFF",
        ) from error
    return buffer.getvalue()


_SETTINGS: dict[str, dict[str, Any]] = {
    "JPEG": {"subsampling": "4:4:4"},
    "PNG": {"compress_level": 1},  # Pillow's own default takes five times as long
    "WEBP": {"method": 2},
    "AVIF": {"subsampling": "4:4:4", "speed": 8},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
}


def _travelling(picture: Picture, format: str, options: WriteOptions) -> dict[str, Any]:
    """Profile and metadata as the format's writer wants them."""
    if format == "BMP":
        return {}
    settings: dict[str, Any] = {"icc_profile": _srgb_profile()}
    if options.strip:
        return settings
    exif, xmp = picture.metadata.get("exif"), picture.metadata.get("xmp")
    too_long = format == "JPEG" and len(exif or b"") > _MAX_JPEG_SEGMENT
    if exif and not too_long:
        settings["exif"] = exif
    if format == "TIFF" and (exif or xmp):
        # The compressing writer cannot store EXIF's nested directories (GPS).
        settings |= {"exif": _tiff_tags(exif, xmp), "compression": "raw"}
    elif xmp and not (format == "JPEG" and len(xmp) > _MAX_JPEG_SEGMENT - 100):
        settings |= _xmp_setting(xmp, format)
    if "dpi" in picture.metadata and format in ("JPEG", "PNG", "TIFF"):
        settings["dpi"] = picture.metadata["dpi"]
    return settings


def _tiff_tags(exif: bytes | None, xmp: bytes | None) -> Image.Exif:
    """A TIFF's tags are its EXIF data, and XMP is one of them."""
    tags = Image.Exif()
    tags.load(exif or b"")
    if xmp:
        tags[700] = xmp
    return tags


def _xmp_setting(xmp: bytes, format: str) -> dict[str, Any]:
    if format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        chunk = PngInfo()
        chunk.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
        return {"pnginfo": chunk}
    return {"xmp": xmp}

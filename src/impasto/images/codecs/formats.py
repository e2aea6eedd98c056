"""The formats. A signature says what is read, a suffix what is written."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path

from PIL import ImageFile

from impasto.errors import PictureError
from impasto.files import kinds
from impasto.files.kinds import Unread

_AVIF = rb"....ftyp(avif|avis|(mif1|msf1).{4}(.{4}){0,8}(avif|avis))"
"""AVIF's own brand, or the general one with AVIF's among the compatible brands."""
_DECODERS = {
    "JPEG": ("JpegImagePlugin", "JpegImageFile", rb"\xff\xd8\xff"),
    "PNG": ("PngImagePlugin", "PngImageFile", rb"\x89PNG\r\n\x1a\n"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile", rb"RIFF....WEBP"),
    "AVIF": ("AvifImagePlugin", "AvifImageFile", _AVIF),
    "TIFF": ("TiffImagePlugin", "TiffImageFile", rb"II[*+]\0|MM\0[*+]"),
    "BMP": ("BmpImagePlugin", "BmpImageFile", rb"BM"),
    "GIF": ("GifImagePlugin", "GifImageFile", rb"GIF8[79]a"),
}
_RAW = rb"II\*\0.{4}CR|FUJIFILM|II(RO|RS|U\0)|MMOR|....ftypcrx|FOVb|\0MRM"
_TARGA = rb".[\0\1][\1\2\3\x09\x0a\x0b].{5}.{4}(?!\0\0)..(?!\0\0)..[\x08\x0f\x10\x18\x20][\0-\x3f]"
"""Targa has no mark; this matches kinds of palette and pixels, a size, and valid bits of a pixel.
"""
_STRANGERS = (
    (rb"....ftyp(heic|heix|heim|heis|mif1|msf1|hevc|hevx)", kinds.HEIC),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", kinds.JPEG_XL),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", kinds.JPEG_2000),
    (rb"8BPS", kinds.PHOTOSHOP),
    (rb"v/1\x01", kinds.OPENEXR),
    (rb"#\?(RADIANCE|RGBE)", kinds.RADIANCE),
    (rb"qoif", kinds.QOI),
    (rb"P[1-7]\s|P[fF]\s", kinds.NETPBM),
    (rb"DDS ", kinds.DDS),
    (rb"II\xbc", kinds.JPEG_XR),
    (rb"\0\0[\1\2]\0[^\0]\0|icns", kinds.ICON),
    (rb"gimp xcf", kinds.LAYERED),
    (rb"%PDF", kinds.PDF),
    (rb"%!PS|\xc5\xd0\xd3\xc6", kinds.POSTSCRIPT),
    (rb"....ftyp|....(moov|mdat|wide|free)|\x1aE\xdf\xa3|RIFF....AVI ", kinds.FILM),
    (rb"\s*<(!DOCTYPE )?html", Unread("a web page", "save the picture itself")),
    (rb"\s*<.*<svg|\s*<svg", kinds.SVG),
    (rb"PK\x03\x04", Unread("a zip file", "unpack it first")),
    (_TARGA, kinds.TARGA),
)


def recognise(head: bytes, name: str) -> str:
    """Return the format of a file that begins with ``head``.

    Raises:
        PictureError: it is none that is read, with its name if it has one.
    """
    if not head:
        raise PictureError(f"{name} is empty")
    kind = kinds.unread(Path(name))
    if kind == kinds.RAW or re.match(_RAW, head, re.DOTALL):
        raise PictureError(f"{name} is a camera's raw file", hint=kinds.RAW.remedy)
    for format, (_, _, signature) in _DECODERS.items():
        if re.match(signature, head, re.DOTALL):
            return format
    marks = (about for mark, about in _STRANGERS if re.match(mark, head, re.DOTALL | re.IGNORECASE))
    looks = " (looks like text)" if _is_text(head) else ""
    if found := next(marks, None if looks else kind):
        raise PictureError(f"{name} is {found.name}, which is not read", hint=found.remedy)
    raise PictureError(f"{name} is not a picture{looks}", hint=f"{', '.join(_DECODERS)} are read")


def _is_text(head: bytes) -> bool:
    try:
        return head[:512].decode("utf-8", "ignore").strip("\ufeff").isprintable() or all(
            byte >= 32 or byte in b"\t\n\r\f" for byte in head
        )
    except UnicodeDecodeError:
        return False


@cache
def decoder(format: str) -> type[ImageFile.ImageFile]:
    """Return the decoder's class itself; unlike ``Image.open`` it ignores process-wide limits."""
    module, name, _ = _DECODERS[format]
    plugin: type[ImageFile.ImageFile] = getattr(import_module(f"PIL.{module}"), name)
    return plugin

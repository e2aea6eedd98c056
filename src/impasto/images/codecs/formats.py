"""The formats: what is read goes by its signature, what is written by its suffix."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path

from PIL import ImageFile

from impasto.errors import PictureError

_AVIF = rb"....ftyp(avif|avis|(mif1|msf1).{4}(.{4}){0,8}(avif|avis))"
"""Its own brand, or the general one with its own among those that it is compatible with."""
_DECODERS = {
    "JPEG": ("JpegImagePlugin", "JpegImageFile", rb"\xff\xd8\xff"),
    "PNG": ("PngImagePlugin", "PngImageFile", rb"\x89PNG\r\n\x1a\n"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile", rb"RIFF....WEBP"),
    "AVIF": ("AvifImagePlugin", "AvifImageFile", _AVIF),
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
    (rb"\s*<(!DOCTYPE )?html", "a web page", "save the picture itself"),
    (rb"\s*<.*<svg|\s*<svg", "SVG", "export it as PNG"),
    (rb"PK\x03\x04", "a zip file", "unpack it first"),
)


def recognise(head: bytes, name: str) -> str:
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
def decoder(format: str) -> type[ImageFile.ImageFile]:
    """The decoder's class itself: unlike ``Image.open`` it does not go by process-wide limits."""
    module, name, _ = _DECODERS[format]
    plugin: type[ImageFile.ImageFile] = getattr(import_module(f"PIL.{module}"), name)
    return plugin

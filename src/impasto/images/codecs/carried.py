"""Metadata on its way into a file: each format's own place for it, or the nearest one."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from impasto.images.codecs.metadata import TIFF_IPTC, exif_of
from impasto.images.raster import Metadata, Text

if TYPE_CHECKING:
    Setting: TypeAlias = int | str | bytes | tuple[float, float] | Image.Exif | PngInfo
    """A setting of a format's writer."""

_MAX_SEGMENT = 65_533
_COMMENT, _PHOTOSHOP = 0xFE, 0xED
_TIFF_XMP = 700
_EXIF_TAGS = {
    "Description": 0x010E,
    "Title": 0x010E,
    "Comment": 0x010E,
    "Author": 0x013B,
    "Artist": 0x013B,
    "Copyright": 0x8298,
}
"""EXIF's tags for texts with PNG's keywords."""


def settings(metadata: Metadata, format: str) -> dict[str, Setting]:
    """Return the settings that give ``metadata`` to the format's writer."""
    if format == "BMP":
        return {}
    exif, rest = _with_texts(metadata, format)
    xmp, iptc = metadata.get("xmp"), metadata.get("iptc")
    told: dict[str, Setting] = {}
    if exif and not (format == "JPEG" and len(exif) > _MAX_SEGMENT):
        # AVIF's writer takes bytes apart, and would lose letters.
        told["exif"] = exif_of(exif) if format == "AVIF" else exif
    if format == "TIFF" and (exif or xmp or iptc):
        # The compressing writer cannot store EXIF's nested directories (GPS).
        told |= {"exif": _tiff_tags(exif, xmp, iptc), "compression": "raw"}
    elif format == "PNG":
        told["pnginfo"] = _png_texts(rest, xmp, iptc)
    elif xmp and not (format == "JPEG" and len(xmp) > _MAX_SEGMENT - 100):
        told["xmp"] = xmp
    if "dpi" in metadata and format in ("JPEG", "PNG", "TIFF"):
        told["dpi"] = metadata["dpi"]
    return told


def segments(metadata: Metadata) -> bytes:
    """Make segments of a JPEG from IPTC records and comments; Pillow's writer has no place for
    them."""
    added = b""
    if iptc := metadata.get("iptc"):
        added += _segment(_PHOTOSHOP, b"Photoshop 3.0\0" + _resource(iptc))
    for keyword, text in _with_texts(metadata, "JPEG")[1]:
        line = text if keyword in ("Comment", "") else f"{keyword}: {text}"
        added += _segment(_COMMENT, line.encode())
    return added


def with_segments(jpeg: bytes, segments: bytes) -> bytes:
    """Add segments to a JPEG."""
    at = _behind_segments(jpeg)
    return jpeg[:at] + segments + jpeg[at:]


def _behind_segments(jpeg: bytes) -> int:
    """Find where the segments of applications end, and the tables begin."""
    at = 2
    while jpeg[at] == 0xFF and 0xE0 <= jpeg[at + 1] <= 0xEF:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return at


def _segment(code: int, content: bytes) -> bytes:
    """Make a segment; empty for content that no segment holds."""
    if len(content) > _MAX_SEGMENT:
        return b""
    return struct.pack(">BBH", 0xFF, code, len(content) + 2) + content


def _resource(iptc: bytes) -> bytes:
    """Pack IPTC records as a resource of Photoshop, which is their place in a JPEG."""
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)


def _with_texts(metadata: Metadata, format: str) -> tuple[bytes | None, list[Text]]:
    """Put texts into EXIF data where it has a free place; also return the other texts.

    PNG has texts itself, and JPEG comments; there they stay.
    """
    data, texts = metadata.get("exif"), [*metadata.get("texts", ())]
    own = {"PNG": set(_EXIF_TAGS), "JPEG": {"Comment"}}.get(format, set())
    if all(keyword in own or keyword not in _EXIF_TAGS for keyword, _ in texts):
        return data, texts
    exif, rest = exif_of(data), []
    for keyword, text in texts:
        tag = None if keyword in own else _EXIF_TAGS.get(keyword)
        if tag and not exif.get(tag):
            exif[tag] = text.encode()
        else:
            rest.append((keyword, text))
    return exif.tobytes(), rest


def _tiff_tags(exif: bytes | None, xmp: bytes | None, iptc: bytes | None) -> Image.Exif:
    """Make a TIFF's tags. They are its EXIF data, with XMP and IPTC among them."""
    tags = exif_of(exif)
    for tag, data in ((_TIFF_XMP, xmp), (TIFF_IPTC, iptc)):
        if data:
            tags[tag] = data
    return tags


def _png_texts(texts: Iterable[Text], xmp: bytes | None, iptc: bytes | None) -> PngInfo:
    chunks = PngInfo()
    if xmp:
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    for keyword, text in [*texts, *_as_text(iptc)]:
        with suppress(UnicodeError):  # PNG takes keywords of Latin letters
            if "\0" not in keyword and 0 < len(keyword.encode("latin-1")) < 80:
                # Readers would refuse a long compressed one as a bomb.
                chunks.add_text(keyword, text.replace("\0", " "))
    return chunks


def _as_text(iptc: bytes | None) -> Iterator[Text]:
    """Write IPTC records as ImageMagick keeps them in a PNG."""
    if iptc:
        digits = (block := _resource(iptc)).hex()
        lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
        yield "Raw profile type iptc", "\n".join(["", "iptc", f"{len(block):8}", *lines, ""])

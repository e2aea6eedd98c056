"""Kinds of files by their suffixes: what is read, what is written, what impasto knows by name.

In the end a picture's content decides (``images/codecs/formats.py``). In a folder, and for a
result, there is only the name.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import NamedTuple

from impasto.errors import OptionError
from impasto.files import addresses

PICTURES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".jif": "JPEG",
    ".jfi": "JPEG",
    ".apng": "PNG",
    ".dib": "BMP",
}
"""Formats that are written, by suffix; GIF is read as well."""

USUAL = tuple(PICTURES)[:8]
"""The suffixes that a hint names; the others are rare spellings of the same formats."""

FILMS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".gif")
"""Kinds of films that are written.

A GIF is a film only on request. By default, its first frame is painted as a picture.
"""

OTHER_FILMS = {
    *(".avi", ".wmv", ".asf", ".flv", ".ogv", ".3gp"),
    *(".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts", ".m2ts"),
}
"""Kinds of films that are read only."""

MOVING = {*FILMS, *OTHER_FILMS}
"""Suffixes of all films; a GIF is a picture, too."""

NO_PICTURES = MOVING - {".gif"}
"""Suffixes of what is a film only."""


class Unread(NamedTuple):
    """A kind of picture that is not read."""

    name: str
    """The name that a person uses for it."""
    remedy: str
    """What to do with such a file."""


JPEG_IT = "export it as JPEG"
PNG_IT = "convert it to PNG"

HEIC = Unread("HEIC", JPEG_IT)
RAW = Unread("a camera's raw file", "develop it to JPEG or TIFF")
JPEG_2000 = Unread("JPEG 2000", PNG_IT)
JPEG_XL = Unread("JPEG XL", "export it as JPEG or PNG")
PHOTOSHOP = Unread("a Photoshop document", "export it as PNG or TIFF")
OPENEXR = Unread("OpenEXR", "convert it to PNG or TIFF")
RADIANCE = Unread("Radiance HDR", "convert it to PNG or TIFF")
TARGA = Unread("Targa", PNG_IT)
ICON = Unread("an icon", PNG_IT)
QOI = Unread("QOI", PNG_IT)
NETPBM = Unread("Netpbm", PNG_IT)
DDS = Unread("DDS", PNG_IT)
JPEG_XR = Unread("JPEG XR", PNG_IT)
PDF = Unread("a PDF", "export the page as PNG")
POSTSCRIPT = Unread("PostScript", "export it as PNG")
SVG = Unread("SVG", "export it as PNG")
FILM = Unread("a film", "give it the suffix of its kind, such as .mp4")
LAYERED = Unread("a painting program's own file", "export it as PNG")

_BY_NAME = {
    HEIC: ".heic .heif .hif .heics .heifs",
    RAW: ".3fr .arw .bay .cap .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .k25 .kdc .mef .mos"
    " .mrw .nef .nrw .orf .ori .pef .raf .raw .rw2 .rwl .sr2 .srf .srw .x3f",
    JPEG_2000: ".jp2 .j2k .jpf .jpx .j2c .jpc .jpm .jph .jhc",
    JPEG_XL: ".jxl",
    PHOTOSHOP: ".psd .psb",
    OPENEXR: ".exr",
    RADIANCE: ".hdr .rgbe",
    TARGA: ".tga .icb .vda .vst",
    ICON: ".ico .cur .icns",
    QOI: ".qoi",
    NETPBM: ".ppm .pgm .pbm .pnm .pam .pfm",
    DDS: ".dds",
    JPEG_XR: ".jxr .wdp .hdp",
    PDF: ".pdf .ai",
    POSTSCRIPT: ".eps .ps",
    SVG: ".svg .svgz",
    LAYERED: ".xcf .kra .ora .clip .afphoto .pdn .procreate",
}
UNREAD = {suffix: kind for kind, suffixes in _BY_NAME.items() for suffix in suffixes.split()}
"""Kinds of pictures that are not read, by suffix."""


def suffix(path: PurePath) -> str:
    """Return the suffix of a file's name, in small letters."""
    return path.suffix.lower()


def unread(path: PurePath) -> Unread | None:
    """Return the unread kind of picture that a file's name stands for, if it does."""
    return UNREAD.get(suffix(path))


def is_picture(path: PurePath) -> bool:
    """Say whether a file's name is that of a picture, also of a kind that is not read."""
    return suffix(path) in {*PICTURES, *UNREAD, ".gif"}


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format that a file's suffix stands for.

    Raises:
        OptionError: a format that is not written.
    """
    addresses.require_file(os.fspath(path), addresses.ON_DISK)
    ending = suffix(Path(path))
    if ending not in PICTURES:
        raise OptionError(
            f"{path} has no suffix of a picture that can be written",
            hint=f"use one of {', '.join(USUAL)}",
        )
    return PICTURES[ending]


def valid_format(format: str) -> str:
    """Return the usual name of ``format``: JPEG, PNG, WEBP, AVIF, TIFF or BMP.

    Raises:
        OptionError: a format that is not written.
    """
    known = PICTURES.get(f".{spelt(format)}")
    if not known:
        names = ", ".join(dict.fromkeys(name.lower() for name in PICTURES.values()))
        raise OptionError(f"{format!r} is not a format that is written", hint=f"use {names}")
    return known


def spelt(format: str) -> str:
    """Return the format as the user spells it, without blanks and without the dot of a suffix."""
    return format.strip().lower().removeprefix(".")

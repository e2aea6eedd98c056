"""Metadata that travels with the pixels: EXIF, XMP and the resolution."""

from __future__ import annotations

import re
from dataclasses import replace

from PIL import Image

from impasto.errors import reason
from impasto.images.raster import AnyRaster, Metadata, Raster

_ORIENTATION = 0x0112
_EXIF_IFD, _USER_COMMENT = 0x8769, 0x9286
_ASCII = b"ASCII\0\0\0"  # how the comment says what it is written in
_THUMBNAIL_IFD = 1
_SIZE = 0xA002, 0xA003  # turning and --size change it
# In a TIFF the tags that describe the file's own layout stand among those about the picture.
_STRUCTURE = {*range(254, 260), 262, 263, 266, 273, *range(277, 282), 284, 292, 293, 317}
_STRUCTURE |= {*range(320, 326), 330, 338, 339, 347, *range(512, 522), *range(529, 533)}
_STRUCTURE |= {700, 34675, 34377}
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:="|='|>))\d""")


def extract(image: Image.Image, notes: list[str]) -> tuple[Metadata, int]:
    """What travels with the pixels of ``image``, and the orientation to apply to them.

    What travels says that the picture is upright. ``image`` itself stays as it is.
    """
    kept = Metadata()
    if isinstance(xmp := image.info.get("xmp"), bytes):
        kept["xmp"] = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    dpi = image.info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(0 < float(d) < 1e6 for d in dpi):
        kept["dpi"] = float(dpi[0]), float(dpi[1])
    orientation = 1
    try:  # a camera's metadata must not cost the picture
        exif = image.getexif()
        orientation = int(exif.get(_ORIENTATION, 1))
        if exif:
            kept["exif"] = _upright(exif)
    except Exception as error:
        notes.append(f"its EXIF data is damaged and left out ({reason(error)})")
    if not 1 <= orientation <= 8:
        notes.append(f"its EXIF orientation {orientation} does not exist; left as it is")
    return kept, orientation


def _upright(exif: Image.Exif) -> bytes:
    """A copy without the thumbnail, which would show the photo, without the size, and with
    nothing to turn."""
    copy = Image.Exif()
    copy.load(exif.tobytes())
    copy[_ORIENTATION] = 1
    copy._ifds.pop(_THUMBNAIL_IFD, None)
    for tag in _SIZE:
        copy.get_ifd(_EXIF_IFD).pop(tag, None)
    for tag in _STRUCTURE.intersection(copy):
        del copy[tag]
    return copy.tobytes()


def comment(picture: Raster) -> str:
    """The text of EXIF's UserComment; empty where there is none."""
    exif = Image.Exif()
    exif.load(picture.metadata.get("exif") or b"")
    value = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT, b"")
    data = value if isinstance(value, bytes) else str(value).encode()
    return data.removeprefix(_ASCII).decode("ascii", "replace").strip("\0 ")


def with_comment(picture: AnyRaster, text: str) -> AnyRaster:
    """The picture with ``text``, plain ASCII, as EXIF's UserComment."""
    exif = Image.Exif()
    exif.load(picture.metadata.get("exif") or b"")
    exif[_EXIF_IFD] = {**exif.get_ifd(_EXIF_IFD), _USER_COMMENT: _ASCII + text.encode("ascii")}
    return replace(picture, metadata={**picture.metadata, "exif": exif.tobytes()})

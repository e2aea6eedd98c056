"""Metadata that travels with the pixels: EXIF, XMP, IPTC, texts and the resolution."""

from __future__ import annotations

import re
import struct
from dataclasses import replace

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from impasto.errors import reason
from impasto.images.codecs.reading import Reading
from impasto.images.codecs.xmp import of_one_picture
from impasto.images.raster import AnyRaster, Metadata, Raster, Text

_ORIENTATION = 0x0112
_EXIF_IFD, _USER_COMMENT = 0x8769, 0x9286
_NESTED = _EXIF_IFD, 0x8825  # and GPS
_ASCII = b"ASCII\0\0\0"  # the comment's mark for its encoding
_THUMBNAIL_IFD = 1
_COLOR_SPACE, _SRGB, _INTEROP = 0xA001, 1, 0xA005
_MAKER_NOTE, _APPLE, _LIVE_PHOTO = 0x927C, b"Apple iOS\0\0\1MM", 0x0011
_XIAOMI_FILM = 0x8897
_SIZE = 0xA002, 0xA003  # turning and --size change it
_IRB, _IRB_IPTC, _IRB_HEAD = b"8BIM", 0x0404, 12
TIFF_IPTC = 33723
# A TIFF mixes tags about the picture with tags about the file's own layout.
_STRUCTURE = {*range(254, 260), 262, 263, 266, 273, *range(277, 282), 284, 292, 293, 317}
_STRUCTURE |= {*range(320, 326), 330, 338, 339, 347, *range(512, 522), *range(529, 533)}
_STRUCTURE |= {700, TIFF_IPTC, 34377, 34675}  # XMP, IPTC, Photoshop's and the profile
_PNG_XMP = "XML:com.adobe.xmp"
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:="|='|>))\d""")


def extract(image: Image.Image, reading: Reading) -> tuple[Metadata, int]:
    """Return the metadata of ``image``, and the orientation to apply to its pixels.

    The metadata says that the picture is upright and alone in its file. ``image`` itself stays as
    it is.
    """
    kept, notes = Metadata(), reading.notes
    xmp = _profile(image, "xmp") or image.info.get("xmp")
    if isinstance(xmp, bytes) and (xmp := of_one_picture(xmp, notes)):
        kept["xmp"] = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    dpi = image.info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(0 < float(d) < 1e6 for d in dpi):
        kept["dpi"] = float(dpi[0]), float(dpi[1])
    if texts := reading.texts or _texts(image):
        kept["texts"] = tuple(texts)
    if iptc := _iptc(image):
        kept["iptc"] = iptc
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


def _texts(image: Image.Image) -> list[Text]:
    """Return comments of JPEG and GIF, and the texts of a PNG that Pillow has read."""
    comments = [data for kind, data in getattr(image, "applist", ()) if kind == "COM"]
    if not comments and "comment" in image.info:
        comments = [image.info["comment"]]
    texts = [("Comment", _decoded(each)) for each in comments]
    if isinstance(image, PngImageFile):
        texts += [(key, str(text)) for key, text in image.text.items() if key != _PNG_XMP]
    return [(key, text) for key, text in texts if text]


def _decoded(comment: bytes | str) -> str:
    if isinstance(comment, str):
        return comment
    try:
        text = comment.decode("utf-8")
    except UnicodeDecodeError:
        text = comment.decode("latin-1")
    return text.strip("\0")


def _iptc(image: Image.Image) -> bytes:
    """Return IPTC data from a JPEG's block of Photoshop, a TIFF's tag, or a PNG's text of
    ImageMagick."""
    resources = image.info.get("photoshop")
    found = resources.get(_IRB_IPTC) if isinstance(resources, dict) else None
    if not found:
        found = getattr(image, "tag_v2", {}).get(TIFF_IPTC)
    if not found and (block := _profile(image, "iptc")):
        length = int.from_bytes(block[_IRB_HEAD - 4 : _IRB_HEAD], "big")
        resource = block[_IRB_HEAD:][:length]
        found = resource if block.startswith(_IRB) else block
    return found if isinstance(found, bytes) and found[:1] == b"\x1c" else b""


def _profile(image: Image.Image, kind: str) -> bytes:
    """Return what ImageMagick stores in a PNG's text: a name, a length, hexadecimal digits."""
    text = image.info.get(f"Raw profile type {kind}")
    if not isinstance(text, str):
        return b""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def _upright(exif: Image.Exif) -> bytes:
    """Copy EXIF data for an upright picture.

    The copy has no size and no turn. It has no thumbnail either, which would show the photograph.
    """
    copy = Image.Exif()
    copy.load(exif.tobytes())
    _keep_texts(exif, copy)
    copy[_ORIENTATION] = 1
    copy._ifds.pop(_THUMBNAIL_IFD, None)
    details = copy.get_ifd(_EXIF_IFD)
    for tag in _SIZE:
        details.pop(tag, None)
    if _COLOR_SPACE in details:
        details[_COLOR_SPACE] = _SRGB
    if _INTEROP in details and 1 in (interop := copy.get_ifd(_INTEROP)):
        interop[1] = "R98"  # sRGB
    _unpair(details)
    for tag in _STRUCTURE.intersection(copy):
        del copy[tag]
    return copy.tobytes()


def _unpair(details: dict[int, object]) -> None:
    """Remove the tags that make galleries look for a film or a gain map.

    They are Xiaomi's tag and Oppo's flags in the comment. The third is the number that Apple's note
    shares with the film of a live photo.
    """
    details.pop(_XIAOMI_FILM, None)
    if re.search(rb"oplus_\d", str(details.get(_USER_COMMENT)).encode(), re.IGNORECASE):
        del details[_USER_COMMENT]
    note = details.get(_MAKER_NOTE)
    if not isinstance(note, bytes) or not note.startswith(_APPLE):
        return
    for at in range(16, 16 + 12 * int.from_bytes(note[14:16], "big"), 12):
        tag, _, count, place = struct.unpack(">HHII", note[at : at + 12].ljust(12, b"\0"))
        if tag == _LIVE_PHOTO and 4 < count <= 64 and place + count <= len(note):
            details[_MAKER_NOTE] = note[:place] + bytes(count) + note[place + count :]


def has_adobe_rgb(image: Image.Image) -> bool:
    """Say whether a camera has marked its colours as Adobe RGB, without a profile (DCF 2.0)."""
    try:
        details = image.getexif().get_ifd(_EXIF_IFD)
        interop = image.getexif().get_ifd(_INTEROP)
    except Exception:  # damaged EXIF data is reported elsewhere
        return False
    return details.get(_COLOR_SPACE) not in (None, _SRGB) and interop.get(1) == "R03"


def exif_of(data: bytes | None) -> Image.Exif:
    """Parse EXIF data, to look at, change and write it."""
    exif = Image.Exif()
    exif.load(data or b"")
    _keep_texts(exif, exif)
    return exif


def _keep_texts(exif: Image.Exif, copy: Image.Exif) -> None:
    """Make ``copy`` keep the texts of ``exif`` byte for byte.

    Pillow reads them as Latin-1, and writes question marks for what is not ASCII.
    """
    places = [(exif, copy), *((exif.get_ifd(at), copy.get_ifd(at)) for at in _NESTED if at in exif)]
    for original, target in places:
        for tag, text in list(original.items()):
            if isinstance(text, str) and not text.isascii():
                target[tag] = text.encode("latin-1", "replace")


def comment(picture: Raster) -> str:
    """Return the text of EXIF's UserComment; empty where there is none."""
    exif = exif_of(picture.metadata.get("exif"))
    value = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT, b"")
    data = value if isinstance(value, bytes) else str(value).encode()
    return data.removeprefix(_ASCII).decode("ascii", "replace").strip("\0 ")


def with_comment(picture: AnyRaster, text: str) -> AnyRaster:
    """Return the picture with ``text``, plain ASCII, as EXIF's UserComment."""
    exif = exif_of(picture.metadata.get("exif"))
    exif[_EXIF_IFD] = {**exif.get_ifd(_EXIF_IFD), _USER_COMMENT: _ASCII + text.encode("ascii")}
    return replace(picture, metadata={**picture.metadata, "exif": exif.tobytes()})

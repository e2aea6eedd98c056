"""PNG files: texts of any length and colour tags, which Pillow refuses or ignores.

This module walks over the chunks (W3C PNG, third edition). It unpacks texts and the profile within
bounds. Pillow gets the file without them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, TYPE_CHECKING

from impasto.errors import reason
from impasto.images.codecs import icc
from impasto.images.codecs.color import MAX_PROFILE, TOO_LARGE
from impasto.images.codecs.pillow import Loaded, opened

if TYPE_CHECKING:
    from PIL import Image

    from impasto.images.codecs.reading import Reading

Info = dict[str | tuple[int, int], object]
"""A picture's ``info``, as Pillow has it."""
_SIGNATURE = 8
_MAX_CHUNKS, _USUAL_SIZE = 10_000, 512
_MAX_TEXT, _MAX_TEXTS = 8 * 2**20, 16 * 2**20
_XMP = "XML:com.adobe.xmp"


@dataclass
class _Chunks:
    """The parts of a file beside its pixels."""

    rest: list[bytes | memoryview] = field(default_factory=list)
    """The file without the parts below."""
    texts: list[tuple[bytes, bytes]] = field(default_factory=list)
    profile: bytes = b""
    numbers: bytes = b""
    """Numbers of the chunk cICP."""


def load(file: IO[bytes], reading: Reading) -> Loaded:
    """Load the picture with its pixels; leave its texts in ``reading``."""
    data = file.read()
    chunks = _chunks(data, reading)
    whole = not (chunks.texts or chunks.profile)
    image = opened("PNG", BytesIO(data if whole else b"".join(chunks.rest)), reading.notes)
    reading.require_size(*image.size)
    if getattr(image, "is_animated", False):
        reading.notes.append("only its first frame is used")
    image.load()
    if profile := _profile(image, chunks, reading.notes):
        image.info["icc_profile"] = profile
    image.info.update(_texts(chunks.texts, reading))
    return Loaded(image)


def _chunks(data: bytes, reading: Reading) -> _Chunks:
    """Read the chunks.

    Raises:
        PictureError: more chunks than a real file of this size has.
    """
    chunks, view, at, count = _Chunks(), memoryview(data), _SIGNATURE, 0
    chunks.rest.append(view[:at])
    most = _MAX_CHUNKS + len(data) // _USUAL_SIZE
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end, content = at + 12 + length, view[at + 8 : at + 8 + length]
        if count > most:
            raise reading.endless(f"more than {most} chunks")
        if end > len(data):
            break
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            chunks.texts.append((kind, bytes(content)))
        elif kind == b"iCCP":
            chunks.profile = bytes(content)
        else:
            chunks.rest.append(view[at:end])
            chunks.numbers = bytes(content) if kind == b"cICP" else chunks.numbers
        at, count = end, count + 1
    chunks.rest.append(view[at:])
    return chunks


def _profile(image: Image.Image, chunks: _Chunks, notes: list[str]) -> bytes | None:
    """Return the profile of the most exact colour tag: cICP, iCCP, sRGB, then gAMA and cHRM."""
    if len(chunks.numbers) == 4 and chunks.numbers[2:] == b"\0\1":
        return icc.of_numbers(chunks.numbers[0], chunks.numbers[1], notes)
    if chunks.profile:
        return _unpacked_profile(chunks.profile, notes)
    if "srgb" in image.info:
        return None
    return _of_gamma(image.info.get("gamma"), image.info.get("chromaticity"), notes)


def _unpacked_profile(content: bytes, notes: list[str]) -> bytes | None:
    packed = content.partition(b"\0")[2][1:]
    try:
        found = _unpacked(packed, MAX_PROFILE)
    except zlib.error as error:
        notes.append(f"its colour profile is damaged ({reason(error)}); taken as sRGB")
        return None
    if found is None:
        notes.append(TOO_LARGE)
    return found


def _of_gamma(gamma: object, points: object, notes: list[str]) -> bytes | None:
    curve: icc.Curve = icc.SRGB_CURVE
    if isinstance(gamma, float) and gamma > 0 and abs(gamma * 2.2 - 1) > 0.05:
        curve = (1 / gamma,)
    colours = icc.REC_709
    if isinstance(points, tuple) and len(points) == 8:
        pairs = zip(points[::2], points[1::2], strict=True)
        colours = icc.Chromaticities(*((float(x), float(y)) for x, y in pairs))
    if curve == icc.SRGB_CURVE and _like(colours, icc.REC_709):
        return None
    try:
        return icc.profile(colours, curve)
    except (ValueError, struct.error):
        notes.append("its colour tags make no sense; taken as sRGB")
        return None


def _like(one: icc.Chromaticities, other: icc.Chromaticities) -> bool:
    return all(
        abs(a - b) < 0.002
        for left, right in zip(one, other, strict=True)
        for a, b in zip(left, right, strict=True)
    )


def _texts(
    chunks: list[tuple[bytes, bytes]], reading: Reading
) -> dict[str | tuple[int, int], object]:
    """Leave the texts in ``reading``; return XMP and profiles among them as Pillow's ``info``."""
    about: Info = {}
    for keyword, text in _unpacked_texts(chunks, reading.notes):
        if keyword == _XMP:
            about["xmp"] = text.encode()
        elif keyword.startswith("Raw profile type "):  # ImageMagick's
            about[keyword] = text
        else:
            reading.texts.append((keyword, text))
    return about


def _unpacked_texts(
    chunks: list[tuple[bytes, bytes]], notes: list[str]
) -> Iterator[tuple[str, str]]:
    room = _MAX_TEXTS
    for kind, content in chunks:
        keyword, _, rest = content.partition(b"\0")
        name = keyword.decode("latin-1")
        text = None
        with suppress(zlib.error):
            text = _text(kind, rest, min(_MAX_TEXT, room))
        if text is None:
            notes.append(f"its text {name!r} is too long or damaged, and left out")
            continue
        room -= len(text)
        yield name, text


def _text(kind: bytes, rest: bytes, most: int) -> str | None:
    """Unpack a text; None if it is longer than ``most``."""
    packed = kind == b"zTXt" or (kind == b"iTXt" and rest[:1] == b"\1")
    if kind == b"zTXt":
        rest = rest[1:]
    elif kind == b"iTXt":
        rest = b"".join(rest[2:].split(b"\0", 2)[2:])  # after a language and a translation
    text = _unpacked(rest, most) if packed else rest[: most + 1]
    if text is None or len(text) > most:
        return None
    return text.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace")


def _unpacked(packed: bytes, most: int) -> bytes | None:
    data = zlib.decompressobj().decompress(packed, most + 1)
    return data if len(data) <= most else None

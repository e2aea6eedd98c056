"""The first directory of a TIFF: how its samples are laid out (TIFF 6.0, BigTIFF)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impasto.images.codecs.reading import Reading

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, ORIENTATION, SAMPLES, ROWS, STRIP_SIZES, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, COLORS, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES = 317, 320, 322, 323, 324, 325
INK_SET, EXTRA, FORMAT = 332, 338, 339
SUBFILE, SUBDIRECTORIES, DNG = 254, 330, 50706

_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BYTES = {1, 2, 6, 7}
_MAX_ENTRIES, _MAX_NUMBERS = 4096, 1_000_000


@dataclass(frozen=True)
class Directory:
    """The entries of a directory as they stand in the file, and where the next one is."""

    order: str
    """``"<"`` or ``">"``, as :mod:`struct` has them."""
    big: bool
    entries: Mapping[int, bytes]
    """For each tag: type, count, and value or offset."""
    data: bytes
    following: int

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return the whole numbers of a tag."""
        entry = self.entries.get(tag)
        if entry is None:
            return default
        kind, count = struct.unpack_from(self.order + ("HQ" if self.big else "HI"), entry)
        if kind not in _NUMBERS:
            raise ValueError(f"tag {tag} has no whole numbers")
        place = entry[10:] if self.big else entry[6:]
        layout = f"{self.order}{count}{_NUMBERS[kind]}"
        if struct.calcsize(layout) > len(place):
            (at,) = struct.unpack(self.order + ("Q" if self.big else "I"), place)
            return struct.unpack_from(layout, self.data, at)
        return struct.unpack_from(layout, place)

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first number of a tag."""
        return (self.numbers(tag) or (default,))[0]


def read(data: bytes, reading: Reading) -> Directory:
    """Read the first directory of a file.

    Raises:
        PictureError: more entries, or longer ones, than a real file has.
        ValueError, struct.error: the file ends within it.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    (at,) = struct.unpack_from(order + "Q" if big else order + "I", data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    at, size = at + (8 if big else 2), 20 if big else 12
    if count > _MAX_ENTRIES:
        raise reading.endless(f"a directory of {count} entries")
    entries: dict[int, bytes] = {}
    for _ in range(count):
        (tag,) = struct.unpack_from(order + "H", data, at)
        entry = data[at + 2 : at + size]
        kind, numbers = struct.unpack_from(order + ("HQ" if big else "HI"), entry)
        if numbers > _MAX_NUMBERS and kind not in _BYTES:
            raise reading.endless(f"{numbers} numbers in one tag")
        entries.setdefault(tag, entry)
        at += size
    (following,) = struct.unpack_from(order + ("Q" if big else "I"), data.ljust(at + 8, b"\0"), at)
    return Directory(order, big, entries, data, following)


def with_directory(directory: Directory, numbers: Mapping[int, tuple[int, ...]]) -> bytes:
    """Write the file with another first directory.

    It has these tags, and those tags of the old one that do not describe the layout. The data that
    tags point to stays where it is. A BigTIFF becomes a plain TIFF.

    Raises:
        struct.error: it is larger than four gigabytes.
    """
    order, start = directory.order, len(directory.data) + len(directory.data) % 2
    kept = _plain(directory)
    count = len({*kept, *numbers})
    behind, table, body = start + 2 + 12 * count + 4, b"", b""
    for tag in sorted({*kept, *numbers}):
        head, place = kept.get(tag, (b"", b""))
        if tag in numbers:
            head = struct.pack(order + "HI", 4, len(numbers[tag]))
            place = struct.pack(f"{order}{len(numbers[tag])}I", *numbers[tag])
        if len(place) > 4:
            body, place = body + place, struct.pack(order + "I", behind + len(body))
        table += struct.pack(order + "H", tag) + head + place.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return b"".join(
        (
            mark + struct.pack(order + "I", start),
            directory.data[8:].ljust(start - 8, b"\0"),
            struct.pack(order + "H", count) + table + bytes(4) + body,
        )
    )


def _plain(directory: Directory) -> dict[int, tuple[bytes, bytes]]:
    """Return the tags that do not describe the layout, as a plain TIFF stores them.

    Each is type and count, then four bytes for the place of its value, or the value itself. The
    value of a BigTIFF may be longer than four bytes.
    """
    kept = {}
    for tag, entry in directory.entries.items():
        if tag in _LAYOUT:
            continue
        if not directory.big:
            kept[tag] = entry[:6], entry[6:]
            continue
        kind, count = struct.unpack_from(directory.order + "HQ", entry)
        if tag in _DIRECTORIES or kind > _LAST_PLAIN or kind not in _SIZES:
            continue
        place = entry[10:]
        if (size := count * _SIZES[kind]) > 8:
            (at,) = struct.unpack(directory.order + "Q", place)
            place = struct.pack(directory.order + "I", at)
        kept[tag] = struct.pack(directory.order + "HI", kind, count), place[: max(4, size)]
    return kept


_LAST_PLAIN = 13
_DIRECTORIES = {330, 34665, 34853, 40965}
_LAYOUT = {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIPS, ORIENTATION, SAMPLES}
_LAYOUT |= {ROWS, STRIP_SIZES, PLANAR, PREDICTOR, COLORS, TILE_WIDTH, TILE_HEIGHT, TILES}
_LAYOUT |= {TILE_SIZES, INK_SET, EXTRA, FORMAT, 280, 281, 290, 291, 340, 341}

"""JPEG files: which kinds are read, whether all of the picture is there, and how long it takes.

Where a file lacks data, Pillow's decoder paints grey if the end marker is there. It refuses a whole
picture if only the end marker is missing. So this module reads the markers itself (ITU-T T.81,
annex B). It finds out with the decoder whether the coded data suffices.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO

import numpy as np
from PIL import Image, ImageChops

from impasto.files.kinds import Unread
from impasto.images.codecs.pillow import Loaded, opened
from impasto.images.codecs.reading import Reading

_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_AFTER_CODED_DATA = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")  # \0 is stuffed, d0..d7 restart
_EOI, _SOS, _DRI = 0xD9, 0xDA, 0xDD
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_ALONE = {0x01, *range(0xD0, 0xD9)}
_END = b"\xff\xd9"
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xCA}
_ARITHMETIC = {0xC9, 0xCA}
_READ = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_KINDS = {0xC3: "a lossless JPEG", 0xCB: "a lossless JPEG", 0xF7: "JPEG-LS"}

_MAX_SEGMENTS = 10_000
# A scan goes over the whole picture, for some bytes of the file. Cameras and programs write at
# most some 20 of them; on one core, the largest work that is allowed takes a few seconds.
_MAX_SCANS, _USUAL_SCANS, _MAX_WORK = 500, 32, 2_000_000_000

_LAST_ZEROS = 4
_LOOKAHEAD = 8
"""Bytes that libjpeg wants behind those that it decodes."""
_SMALL = 2**18
_rng = np.random.default_rng(0)
_OTHER_DATA = b"\xaa" + _rng.integers(0, 255, 4095, np.uint8).tobytes()  # no \xff among them


@dataclass
class _Component:
    across: int
    down: int
    """Sampling factors."""
    to_come: list[int] = field(default_factory=lambda: [-1] * 64)
    """Bits of its coefficients that are still to come; -1 for all."""


@dataclass
class _Frame:
    """What the markers tell."""

    kind: int = 0
    precision: int = 8
    width: int = 0
    height: int = 0
    components: dict[int, _Component] = field(default_factory=dict)
    interval: int = 0
    """Units between restart markers; 0 for none."""
    scans: int = 0
    restarts_missing: int = 0
    """How many restart markers the last scan lacks."""
    coded_until: int = 0
    """Where the coded data of the last scan ends."""
    end: int | None = None
    """Where the end marker stands."""
    reduction: int = 1
    """The divisor of both sides, where the picture is read reduced."""

    @property
    def size(self) -> tuple[int, int]:
        """Return the width and height to decode."""
        return -(-self.width // self.reduction), -(-self.height // self.reduction)


def load(file: IO[bytes], reading: Reading) -> Loaded:
    """The picture with its pixels.

    Raises:
        PictureError: a kind of JPEG that is not read, or too many scans.
        ValueError: a part of the picture is missing.
    """
    data = file.read()
    frame = _markers(data, reading)
    if not frame.scans:
        raise ValueError("it ends before the picture begins")
    frame.reduction = reading.reduction(frame.width, frame.height, _most(frame))
    reading.require_size(*frame.size)
    coded = data[: frame.coded_until]
    if frame.end is not None:
        between = data[frame.coded_until : frame.end]
        return Loaded(_require_whole(coded, between, frame, reading.notes))
    image = _without_end(coded, frame, reading.notes)
    reading.notes.append("its end marker is missing; the picture is whole")
    return Loaded(image)


def _most(frame: _Frame) -> float:
    """Return how many times the limit of pixels a picture may have, if it is read reduced.

    A progressive picture may have fewer, because all its coefficients are in memory.
    """
    return 1.25 if frame.kind in _PROGRESSIVE else 4


def _without_end(coded: bytes, frame: _Frame, notes: list[str]) -> Image.Image:
    """Remove the zeros that cameras and file systems append.

    Some zeros are data and stay: one that the last bits fill, and a few where nothing was appended.
    All stay if the picture needs all.
    """
    bare = coded.rstrip(b"\xff\0")
    zeros = len(coded.rstrip(b"\xff")) - len(bare)
    counts = range(zeros + 1) if zeros <= _LAST_ZEROS else (0, 1)
    for count in counts:
        if image := _if_whole(bare + bytes(count), frame, notes):
            return image
    image = _if_whole(bare + bytes(zeros), frame, notes)
    if not image or _if_whole(bare + bytes(zeros - 1), frame, notes):
        raise ValueError("it ends before the picture does")
    return image


def _if_whole(coded: bytes, frame: _Frame, notes: list[str]) -> Image.Image | None:
    try:
        return _require_whole(coded, b"", frame, notes)
    except (ValueError, OSError):
        return None


def _markers(data: bytes, reading: Reading) -> _Frame:
    frame, at = _Frame(), 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if not found:
            return frame
        code, at = found[1][0], found.end()
        if code == _EOI:
            frame.end = found.start()
            return frame
        if code in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        segment, at = data[at + 2 : at + length], at + max(2, length)
        if code in _FRAMES and not frame.kind:
            _read_frame(frame, code, segment)
            _require_read(frame, reading)
        elif code == _DRI:
            frame.interval = int.from_bytes(segment[:2], "big")
        elif code == _SOS:
            at = _read_scan(frame, segment, data, at)
            _require_few_scans(frame, reading)
    raise reading.endless(f"more than {_MAX_SEGMENTS} segments")


def _read_frame(frame: _Frame, code: int, segment: bytes) -> None:
    precision, height, width, count = struct.unpack_from(">BHHB", segment)
    frame.kind, frame.precision, frame.width, frame.height = code, precision, width, height
    for at in range(6, 6 + 3 * count, 3):
        frame.components[segment[at]] = _Component(segment[at + 1] >> 4, segment[at + 1] & 15)


def _read_scan(frame: _Frame, segment: bytes, data: bytes, at: int) -> int:
    """Read the markers of a scan, and return where its coded data ends."""
    count = segment[0]
    first, last, bits = segment[1 + 2 * count : 4 + 2 * count]
    if frame.kind not in _PROGRESSIVE:
        first, last, bits = 0, 63, 0
    parts = [frame.components[each] for each in segment[1 : 1 + 2 * count : 2]]
    for each in parts:
        each.to_come[first : last + 1] = [bits & 15] * len(each.to_come[first : last + 1])
    frame.scans += 1
    after = _AFTER_CODED_DATA.search(data, at)
    frame.coded_until = after.start() if after else len(data)
    if frame.interval:
        found = sum(1 for _ in _RESTART.finditer(data, at, frame.coded_until))
        frame.restarts_missing = -(-_units(frame, parts) // frame.interval) - 1 - found
    return frame.coded_until


def _units(frame: _Frame, parts: Sequence[_Component]) -> int:
    """Count the coded units in a scan: blocks of one component, or of several as sampled."""
    across = max(each.across for each in frame.components.values())
    down = max(each.down for each in frame.components.values())
    if len(parts) == 1:
        width = -(-frame.width * parts[0].across // across)
        height = -(-frame.height * parts[0].down // down)
        return -(-width // 8) * -(-height // 8)
    return -(-frame.width // (8 * across)) * -(-frame.height // (8 * down))


def _require_few_scans(frame: _Frame, reading: Reading) -> None:
    pixels = max(1, frame.width * frame.height)
    most = min(_MAX_SCANS, max(_USUAL_SCANS, _MAX_WORK // pixels))
    if frame.scans > most:
        raise reading.endless(f"more than {most} scans")


def _require_read(frame: _Frame, reading: Reading) -> None:
    """Refuse what the decoder cannot read.

    Raises:
        PictureError: a kind of JPEG that the decoder does not know.
    """
    kind = "" if frame.kind in _READ else _KINDS.get(frame.kind, "a hierarchical JPEG")
    if frame.precision != 8:
        kind = f"a {frame.precision}-bit JPEG"
    if len(frame.components) not in (1, 3, 4):
        kind = f"a {len(frame.components)}-channel JPEG"
    if kind:
        raise reading.unread(Unread(kind, "convert it to PNG or TIFF"))


def _require_whole(coded: bytes, between: bytes, frame: _Frame, notes: list[str]) -> Image.Image:
    """Decode the picture, if no coded data is missing.

    Where data is missing, the decoder takes the bytes that follow for data. So the picture is
    decoded twice, with other data behind the last scan. A whole picture is the same both times.

    One decoding is enough for a large picture with an end marker, if the decoder finishes within
    its look-ahead. Then at most some blocks of its last corner are missing. A progressive picture
    never finishes that early.
    """
    if frame.kind not in _ARITHMETIC:  # arithmetic coders may leave zeros out at the end
        if any(any(each.to_come) for each in frame.components.values()):
            raise ValueError("its last scans are missing")
        if frame.restarts_missing > 0:
            raise ValueError("it ends before the picture does")
    file = _Watched(coded + _OTHER_DATA + between + _END, len(coded) + _LOOKAHEAD)
    other = _decoded(file, frame, notes)
    if file.enough and frame.end is not None and frame.width * frame.height > _SMALL:
        return other
    image = _decoded(BytesIO(coded + between + _END), frame, [])
    if frame.kind not in _ARITHMETIC and not _equal(image, other):
        raise ValueError("it ends before the picture does")
    return image


class _Watched(BytesIO):
    """A file that gives ``until`` bytes first, and notes whether they are ``enough``."""

    def __init__(self, data: bytes, until: int) -> None:
        super().__init__(data)
        self._until, self.enough = until, True

    def read(self, size: int | None = -1) -> bytes:
        left = self._until - self.tell()
        if left <= 0:
            self.enough = False
            return super().read(size)
        return super().read(left if size is None or size < 0 else min(size, left))


def _decoded(file: BytesIO, frame: _Frame, notes: list[str]) -> Image.Image:
    image = opened("JPEG", file, notes)
    if frame.reduction > 1:
        # The mode stays. Rounded up, the decoder would not take sizes for such parts.
        width, height = frame.width // frame.reduction, frame.height // frame.reduction
        image.draft(None, (max(1, width), max(1, height)))
    image.load()
    return image


def _equal(one: Image.Image, other: Image.Image, rows: int = 512) -> bool:
    width, height = one.size
    return not any(
        ImageChops.difference(one.crop(box), other.crop(box)).getbbox(alpha_only=False)
        for top in range(0, height, rows)
        for box in [(0, top, width, min(height, top + rows))]
    )

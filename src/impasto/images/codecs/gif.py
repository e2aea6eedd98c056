"""GIF files: their first frame, however much comes before it."""

from __future__ import annotations

from io import BytesIO
from typing import IO, TYPE_CHECKING

from impasto.images.codecs.pillow import Loaded, opened

if TYPE_CHECKING:
    from impasto.images.codecs.reading import Reading

_MAX_BLOCKS = 50_000
_HEADER = 13
_EXTENSION, _FRAME = 0x21, 0x2C


def load(file: IO[bytes], reading: Reading) -> Loaded:
    """Load the first frame with its pixels.

    Raises:
        PictureError: more blocks before the frame than a real file has.
    """
    data = file.read()
    _require_few_blocks(data, reading)
    image = opened("GIF", BytesIO(data), reading.notes)
    reading.require_size(*image.size)
    if getattr(image, "is_animated", False):
        reading.notes.append("only its first frame is used")
    image.load()
    return Loaded(image)


def _require_few_blocks(data: bytes, reading: Reading) -> None:
    """Limit the blocks of extensions, such as comments; each has at most 255 bytes (GIF89a)."""
    colours = 3 << ((data[10] & 7) + 1) if len(data) > _HEADER and data[10] & 0x80 else 0
    at, inside = _HEADER + colours, False
    for _ in range(_MAX_BLOCKS):
        if at >= len(data) or (not inside and data[at] == _FRAME):
            return
        if inside:
            inside = data[at] > 0
            at += 1 + data[at]
        else:
            inside = data[at] == _EXTENSION
            at += 2 if inside else 1
    raise reading.endless(f"more than {_MAX_BLOCKS} blocks before its first frame")

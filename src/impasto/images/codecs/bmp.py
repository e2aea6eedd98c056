"""BMP files; files with run lengths are read only if they are small."""

from __future__ import annotations

from io import SEEK_END
from typing import IO, TYPE_CHECKING

from impasto.files.kinds import PNG_IT, Unread
from impasto.images.codecs.pillow import Loaded, opened

if TYPE_CHECKING:
    from impasto.images.codecs.reading import Reading

_RUN_LENGTHS = {b"\1\0\0\0", b"\2\0\0\0"}
_COMPRESSION = slice(30, 34)
_MAX_RUN_LENGTHS = 2 * 2**20
"""Most bytes of run lengths; Pillow unpacks them in Python, at about three seconds for a million.
"""


def load(file: IO[bytes], reading: Reading) -> Loaded:
    """Load the picture with its pixels.

    Raises:
        PictureError: it has more run lengths than are unpacked in a few seconds.
    """
    head, size = file.read(64), file.seek(0, SEEK_END)
    file.seek(0)
    if head[_COMPRESSION] in _RUN_LENGTHS and size > _MAX_RUN_LENGTHS:
        raise reading.unread(Unread("a large BMP of run lengths", PNG_IT))
    image = opened("BMP", file, reading.notes)
    reading.require_size(*image.size)
    image.load()
    return Loaded(image)

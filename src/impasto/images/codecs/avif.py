"""AVIF files, with colours given as numbers, which Pillow ignores."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from impasto.images.codecs import icc
from impasto.images.codecs.pillow import Loaded, opened

if TYPE_CHECKING:
    from impasto.images.codecs.reading import Reading

_HEAD = 64 * 2**10
_NUMBERS = re.compile(rb"colrnclx(..)(..)", re.DOTALL)
"""Primaries and transfer of the colour box (ISO 23008-12, 6.5.5)."""


def load(file: IO[bytes], reading: Reading) -> Loaded:
    """Load the first frame with its pixels."""
    numbers = _NUMBERS.search(file.read(_HEAD))
    file.seek(0)
    image = opened("AVIF", file, reading.notes)
    reading.require_size(*image.size)
    if getattr(image, "is_animated", False):
        reading.notes.append("only its first frame is used")
    image.load()
    if numbers and not image.info.get("icc_profile"):
        primaries, transfer = (int.from_bytes(each, "big") for each in numbers.groups())
        if profile := icc.of_numbers(primaries, transfer, reading.notes):
            image.info["icc_profile"] = profile
    return Loaded(image)

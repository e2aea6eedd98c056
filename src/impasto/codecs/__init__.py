"""Bytes to pictures and back: the border between the world's files and 8-bit sRGB."""

from impasto.codecs.arrays import from_array
from impasto.codecs.encode import encode
from impasto.codecs.formats import SUFFIXES, format_of, valid_format
from impasto.codecs.metadata import comment, with_comment
from impasto.codecs.pillow import BICUBIC, from_pil, resize, resize_to, to_pil
from impasto.codecs.read import open_any, read

__all__ = [
    "BICUBIC",
    "SUFFIXES",
    "comment",
    "encode",
    "format_of",
    "from_array",
    "from_pil",
    "open_any",
    "read",
    "resize",
    "resize_to",
    "to_pil",
    "valid_format",
    "with_comment",
]

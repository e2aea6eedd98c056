"""Bytes to pictures and back: the border between the world's files and 8-bit sRGB."""

from impasto.images.codecs.arrays import from_array
from impasto.images.codecs.encode import encode
from impasto.images.codecs.metadata import comment, with_comment
from impasto.images.codecs.pillow import BICUBIC, from_pil, resize, resize_pixels, resize_to, to_pil
from impasto.images.codecs.read import open_any, read
from impasto.images.codecs.sheet import compose

__all__ = [
    "BICUBIC",
    "comment",
    "compose",
    "encode",
    "from_array",
    "from_pil",
    "open_any",
    "read",
    "resize",
    "resize_pixels",
    "resize_to",
    "to_pil",
    "with_comment",
]

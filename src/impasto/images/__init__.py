"""Pictures: reading, writing, resizing, and operations on their pixels."""

from impasto.images.codecs.encode import encode
from impasto.images.codecs.metadata import comment, with_comment
from impasto.images.codecs.pillow import (
    BICUBIC,
    BILINEAR,
    averaged,
    enlarging,
    resize,
    resize_pixels,
    resize_to,
    smoothed,
    to_pil,
)
from impasto.images.codecs.read import content
from impasto.images.picture import Picture, compose, from_array, from_pil, open_any, read
from impasto.images.raster import Size

__all__ = [
    "BICUBIC",
    "BILINEAR",
    "Picture",
    "Size",
    "averaged",
    "comment",
    "compose",
    "content",
    "encode",
    "enlarging",
    "from_array",
    "from_pil",
    "open_any",
    "read",
    "resize",
    "resize_pixels",
    "resize_to",
    "smoothed",
    "to_pil",
    "with_comment",
]

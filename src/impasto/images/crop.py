"""Parts of a picture, by a word or by a box."""

from __future__ import annotations

import numpy as np

from impasto.errors import OptionError
from impasto.images.picture import Picture

CROPS = ("whole", "left", "center", "right", "auto")


def cropped(picture: Picture, crop: str, aspect: float) -> Picture:
    """Cut out a part of the picture: a word of :data:`CROPS`, or ``X,Y,WIDTH,HEIGHT`` from 0 to 1.

    ``left``, ``center`` and ``right`` are squares. In an upright picture they lie at the top, in
    the middle and at the bottom. ``auto`` is the largest part in the middle with ``aspect``, width
    to height.

    Raises:
        OptionError: neither, or a box that is not inside.
    """
    width, height = picture.width, picture.height
    if crop == "whole":
        return picture
    if crop == "auto":
        w, h = min(width, round(height * aspect)), min(height, round(width / aspect))
        box = ((width - w) // 2, (height - h) // 2, w, h)
    elif crop in CROPS:
        side = min(width, height)
        place = {"left": 0.0, "center": 0.5, "right": 1.0}[crop]
        box = (round((width - side) * place), round((height - side) * place), side, side)
    else:
        parts = zip(_box(crop), (width, height) * 2, strict=True)
        left, top, w, h = (round(part * length) for part, length in parts)
        box = (left, top, w, h)
    left, top, w, h = box
    pixels = picture.pixels[top : top + max(1, h), left : left + max(1, w)]
    return Picture(np.ascontiguousarray(pixels))


def _box(crop: str) -> tuple[float, float, float, float]:
    try:
        x, y, w, h = (float(part) for part in crop.split(","))
    except ValueError:
        x = y = w = h = -1.0
    if not (0 <= x < 1 and 0 <= y < 1 and 0 < w <= 1 - x + 1e-9 and 0 < h <= 1 - y + 1e-9):
        raise OptionError(
            f"{crop!r} is no part of a picture",
            hint=f"use {', '.join(CROPS)}, or X,Y,WIDTH,HEIGHT from 0 to 1",
        )
    return x, y, w, h

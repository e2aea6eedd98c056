"""Pictures side by side on one sheet of paper, each under its label."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

import numpy as np
from anyascii import anyascii
from PIL import Image, ImageDraw, ImageFont

from impasto.images.codecs.pillow import to_pil
from impasto.images.raster import Raster

_GAP = 12
_LINES = (18, 14)
"""Sizes of the letters of a label's lines."""
_LEADING = 1.2
_MARGIN = 6
"""Pixels between a picture and its label."""
_PAPER = (250, 249, 246)
_INK = ((40, 38, 34), (96, 92, 84))
"""Colours of the lines."""


def compose(cells: Sequence[tuple[str, Raster]], *, columns: int | None = None) -> Raster:
    """Arrange pictures of one size row by row under their labels; about square by default.

    A label has one line or two.
    """
    first = cells[0][1]
    lines = max(label.count("\n") + 1 for label, _ in cells)
    height = first.height + _below(lines) + _GAP
    width = first.width + _GAP
    columns = columns or _columns(len(cells), width, height)
    rows = -(-len(cells) // columns)
    paper = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _PAPER)
    draw = ImageDraw.Draw(paper)
    for index, (label, picture) in enumerate(cells):
        left = _GAP + index % columns * width
        top = _GAP + index // columns * height
        image = to_pil(picture)
        paper.paste(image, (left, top), image if image.mode == "RGBA" else None)
        _write(draw, label, (left + 2, top + picture.height + _MARGIN), first.width - 2)
    return Raster(np.asarray(paper))


def _below(lines: int) -> int:
    """Return the pixels for labels of so many lines."""
    return round(2 * _MARGIN + sum(_LINES[:lines]) * _LEADING)


def _write(draw: ImageDraw.ImageDraw, label: str, place: tuple[int, int], width: int) -> None:
    left, top = place
    for text, size, ink in zip(label.split("\n"), _LINES, _INK, strict=False):
        font = ImageFont.load_default(size)
        draw.text((left, top), _fitting(_plain(text), font, width), ink, font)
        top += round(size * _LEADING)


def _plain(label: str) -> str:
    """Write a label in letters of Pillow's font; other scripts are transliterated."""
    return anyascii(unicodedata.normalize("NFC", label))


def _fitting(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Cut a label to the width, so that none runs into the next."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(f"{label}...") > width:
        label = label[:-1].rstrip()
    return f"{label}..."


def _columns(count: int, width: int, height: int) -> int:
    """Return the number of columns that makes the sheet nearest to 4:3 with few empty cells."""

    def cost(columns: int) -> float:
        rows = -(-count // columns)
        shape = columns * width / (rows * height)
        return abs(math.log(shape / (4 / 3))) + 0.15 * (rows * columns - count)

    return min(range(1, count + 1), key=cost)

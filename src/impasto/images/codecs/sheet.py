"""Pictures side by side on one sheet of paper, each under its label."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from impasto.images.codecs.pillow import to_pil
from impasto.images.raster import Raster

_GAP = 12


_LABEL = 34


_PAPER = (250, 249, 246)


_INK = (40, 38, 34)


def compose(cells: Sequence[tuple[str, Raster]], *, columns: int | None = None) -> Raster:
    """Pictures of one size under their labels, row by row; about square by default."""
    first = cells[0][1]
    width, height = first.width + _GAP, first.height + _LABEL + _GAP
    columns = columns or _columns(len(cells), width, height)
    rows = -(-len(cells) // columns)
    paper = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _PAPER)
    draw = ImageDraw.Draw(paper)
    font = ImageFont.load_default(18)
    for index, (label, picture) in enumerate(cells):
        left = _GAP + index % columns * width
        top = _GAP + index // columns * height
        image = to_pil(picture)
        paper.paste(image, (left, top), image if image.mode == "RGBA" else None)
        text = _fitting(_plain(label), font, first.width - 2)
        draw.text((left + 2, top + picture.height + 6), text, _INK, font)
    return Raster(np.asarray(paper))


def _plain(label: str) -> str:
    """As the font that Pillow carries can write it: without accents, other letters as "?"."""
    letters = unicodedata.normalize("NFKD", label)
    bare = (each for each in letters if not unicodedata.combining(each))
    return "".join(each if each.isascii() else "?" for each in bare)


def _fitting(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As much of it as has room, so that none runs into the next."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(f"{label}...") > width:
        label = label[:-1].rstrip()
    return f"{label}..."


def _columns(count: int, width: int, height: int) -> int:
    """As many as make the sheet nearest to 4:3 with few empty cells."""

    def cost(columns: int) -> float:
        rows = -(-count // columns)
        shape = columns * width / (rows * height)
        return abs(math.log(shape / (4 / 3))) + 0.15 * (rows * columns - count)

    return min(range(1, count + 1), key=cost)

"""White paper and black bars, which stay as light and as dark as they were.

A network that normalises its features subtracts their mean. So it paints an empty area in the mean
tone of its artwork. In a photograph that is part of the look. Where such areas fill much of a
picture, as in a drawing, the mean is that of the paper. Then the paper turns dark. So a page is
painted with a photograph's statistics. This module takes back what is left of the change.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from impasto.images.operations import LUMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.raster import Array

    Pixels = NDArray[np.uint8]
    Cells = NDArray[np.float32]

_BAND = 256
_CELLS = 48
"""Cells along each side; each cell is paper or not."""
_FULL = 0.9
"""Share of white or black pixels that makes a cell paper."""
_SOME, _MUCH = 0.2, 0.25
"""Shares of paper cells from which a picture counts a little, and fully, as a page."""
_WHITE, _BLACK = 250, 5
_SAMPLED = 512
"""Pixels along a side that are looked at."""


def is_page(photo: Pixels) -> bool:
    """Say whether white paper or black bars fill much of a picture, ``(H, W, 3)``."""
    return amount(photo) == 1


def amount(photo: Pixels) -> float:
    """Return how far a picture ``(H, W, 3)`` is a page, 0 to 1.

    It rises over a range, so that a film that becomes a page does not jump.
    """
    share = float((_paper(photo) > _FULL).mean())
    return min(1.0, max(0.0, (share - _SOME) / (_MUCH - _SOME)))


def kept(photo: Pixels, painting: Pixels, amount: float = 1.0) -> Pixels:
    """Make paper as light, and bars as dark, as in the photograph; both pictures have one size.

    ``amount``, 0 to 1, is how far. Each cell gets its mean lightness back as far as it is paper.
    Between the middles of cells the change is linear. So brush marks and colours stay, and no edges
    appear.
    """
    rows, columns = (_cells(side) for side in photo.shape[:2])
    apart = (_means(photo, rows, columns) - _means(painting, rows, columns)) @ LUMA
    paper = amount * np.clip((_paper(photo) - 0.5) / (_FULL - 0.5), 0, 1)
    rise = (apart * paper).astype(np.float32)
    across = _between(rise.T, columns, photo.shape[1]).T
    change = _between(across, rows, photo.shape[0])
    result = np.empty_like(painting)
    for top in range(0, len(painting), _BAND):
        band = painting[top : top + _BAND] + change[top : top + _BAND, :, None]
        result[top : top + _BAND] = np.clip(np.rint(band), 0, 255)
    return result


def _paper(photo: Pixels) -> Cells:
    """Return, for each cell, the share of white or black pixels."""
    sampled = photo[:: -(-photo.shape[0] // _SAMPLED), :: -(-photo.shape[1] // _SAMPLED)]
    red, green, blue = np.moveaxis(sampled, -1, 0)  # min(-1) reduces three values at a time, slowly
    white = np.minimum(np.minimum(red, green), blue) >= _WHITE
    black = np.maximum(np.maximum(red, green), blue) <= _BLACK
    found = (white | black)[..., None]
    rows, columns = (_cells(side) for side in sampled.shape[:2])
    return _means(found, rows, columns)[..., 0]


def _cells(side: int) -> NDArray[np.int64]:
    """Return where the cells of one side begin, and where the last ends."""
    return np.linspace(0, side, min(side, _CELLS) + 1).astype(int)


def _means(pixels: Array, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Cells:
    sums = [
        np.add.reduceat(pixels[top:end].sum(0, dtype=np.float64), columns[:-1])
        for top, end in pairwise(rows)
    ]
    areas = np.diff(rows)[:, None] * np.diff(columns)
    return (np.array(sums) / areas[..., None]).astype(np.float32)


def _between(cells: Cells, edges: NDArray[np.int64], side: int) -> Cells:
    """Interpolate linearly along the first axis, between the middles of cells."""
    middles = (edges[:-1] + edges[1:] - 1) / 2
    at = np.interp(np.arange(side), middles, np.arange(len(middles))).astype(np.float32)
    below = at.astype(int)
    above = np.minimum(below + 1, len(middles) - 1)
    share = (at - below)[:, None]
    return (1 - share) * cells[below] + share * cells[above]

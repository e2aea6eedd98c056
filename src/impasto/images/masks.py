"""Masks: how much of which painting each pixel gets.

White is painted, black stays the photograph, grey lies between. A mask is scaled to its photograph.
Its edges become soft over about a 500th of the photograph's long side. So no more detail of the
mask is kept than that needs. Its rows are made where they are needed.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from impasto import images
from impasto.errors import PictureError
from impasto.images.operations import LUMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.picture import Picture
    from impasto.images.raster import PictureSource, Size
    from impasto.options import ReadOptions

    Pixels = NDArray[np.uint8]
    Shares = NDArray[np.float32]
    Rows: TypeAlias = Callable[[slice], Shares]
    """A function that gives the shares, 0 to 1, of some rows of a picture: ``(rows, W)``."""

_BAND = 64
_SIDE = 2048
"""Most pixels of a mask's long side that are kept."""
_SOFT = 1 / 1000
"""Deviation of the Gaussian that softens a mask's edges, as a part of its long side."""
_STAIRS = 0.75
"""Least deviation, in the mask's own pixels, for a mask that is enlarged: it removes the stairs."""
_OTHER_SHAPE = 0.03
"""How much longer one side may be than the photograph's, in proportion."""
_BLACK = 2
"""Highest level, of 255, that counts as black; beside an edge, JPEG has no purer black."""


@dataclass(frozen=True, eq=False)
class Mask:
    """How much of a painting each pixel gets."""

    shares: Pixels
    """``(H, W)``, 0 none .. 255 all."""
    name: str = "the mask"

    @property
    def sha256(self) -> str:
        """Hash the shares, as hexadecimal digits."""
        return hashlib.sha256(self.shares.tobytes()).hexdigest()

    def require_shape(self, size: Size, photo: str = "the photograph") -> None:
        """Check the mask's shape for a photograph of this height and width.

        Raises:
            PictureError: the mask has another shape.
        """
        height, width = self.shares.shape
        rounding = 1 / min(*size, height, width)
        if abs(math.log(width * size[0] / (height * size[1]))) > _OTHER_SHAPE + rounding:
            raise PictureError(
                f"{self.name} is {width}x{height}, and {photo} is {size[1]}x{size[0]}",
                hint="draw a mask over the photograph itself, so that both have one shape",
            )

    def rows(self, size: Size) -> Rows:
        """Return the shares of a photograph of this height and width."""
        longest = max(size)
        side = min(longest, max(self.shares.shape))
        scale = side / longest
        fitted = images.averaged(
            self.shares, (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        )
        soft = images.smoothed(fitted, max(side * _SOFT, _STAIRS if side < longest else 0))
        enlarged = images.enlarging(_shares_of(soft)[..., None], size, images.BILINEAR)
        return lambda part: enlarged(part)[..., 0]


MaskSource: TypeAlias = "Mask | PictureSource"


def read(source: MaskSource, options: ReadOptions | None = None, *, name: str = "") -> Mask:
    """Read the mask that a picture holds.

    It is the picture's lightness, over black where the picture is transparent. It is the opacity
    alone where all visible pixels have one colour. ``name`` is what errors call the mask; a file on
    disk has its own name.

    Raises:
        OptionError: nothing that holds a picture.
        PictureError: not a usable picture, or a mask that leaves all as it is.
    """
    if isinstance(source, Mask):
        return source
    if isinstance(source, (str, os.PathLike)):
        name = name or f"the mask {os.fspath(source)}"
        picture = images.read(source, options, enough=_SIDE)
    else:
        name = name or Mask.name
        picture = _open(source, options, name)
    shares = _smaller(_shares(picture))
    if shares.max() <= _BLACK:
        raise PictureError(
            f"{name} is black everywhere, and so nothing would be painted",
            hint="make white what is to be painted",
        )
    return Mask(shares, name)


def _open(source: PictureSource, options: ReadOptions | None, name: str) -> Picture:
    if isinstance(source, (bytes, bytearray)):
        return images.read(source, options, enough=_SIDE, name=name)
    return images.open_any(source)


def _shares(picture: Picture) -> Pixels:
    pixels, alpha = picture.pixels, picture.alpha
    if alpha is not None and alpha.min() < 255 and _has_one_color(pixels, alpha):
        return alpha
    shares = np.empty(pixels.shape[:2], np.uint8)
    for band in _bands(len(pixels)):
        light = pixels[band] @ LUMA
        if alpha is not None:
            light *= alpha[band] / np.float32(255)
        shares[band] = np.rint(light)
    return shares


def _has_one_color(pixels: Pixels, alpha: Pixels) -> bool:
    """Say whether all pixels that are not fully transparent have one colour."""
    seen = alpha > 0
    if not seen.any():
        return True
    color = pixels[np.unravel_index(np.argmax(seen), seen.shape)]
    return all(bool((pixels[band][seen[band]] == color).all()) for band in _bands(len(pixels)))


def _shares_of(levels: Pixels) -> Shares:
    return levels.astype(np.float32) / np.float32(255)


def _smaller(shares: Pixels) -> Pixels:
    scale = _SIDE / max(shares.shape)
    if scale >= 1:
        return shares
    height, width = (max(1, round(side * scale)) for side in shares.shape)
    return images.averaged(shares, (height, width))


def laid(below: Pixels, above: Pixels, rows: Rows) -> Pixels:
    """Lay the picture ``above`` over the one ``below``, as much as ``rows`` say; both ``(H, W,
    3)``.

    It works in bands, so that shares and sums never exist for the whole picture.
    """
    result = np.empty_like(below)
    for band in _bands(len(below)):
        share, ground = rows(band), below[band].astype(np.float32)
        if share.any():  # often all are 0, and the test is quick
            ground += share[..., None] * (above[band] - ground)
        result[band] = np.rint(ground, out=ground)
    return result


def each_over_the_last(masks: Sequence[Mask | None], size: Size) -> list[Rows]:
    """Return, for paintings laid one after the other, how much of each to lay over the last.

    In the end every painting has the share that its mask says. Where masks add up to more than 1,
    their sum divides them. Where they leave a rest, it belongs to the painting whose mask is None,
    or else to the photograph.
    """
    given = [mask.rows(size) if mask else None for mask in masks]

    def rows(number: int, part: slice) -> Shares:
        shares = _normalized([each(part) if each else None for each in given])
        share, below = shares[number], np.maximum(1 - np.sum(shares[number:], axis=0), 0)
        return np.divide(share, below + share, out=np.zeros_like(share), where=share > 0)

    return [partial(rows, number) for number in range(len(given))]


def _normalized(shares: Sequence[Shares | None]) -> list[Shares]:
    """Scale shares so that they add up to 1 at most; the one without a mask gets the rest."""
    total: Shares = np.sum([each for each in shares if each is not None], axis=0)
    most: Shares = np.maximum(total, 1)
    rest: Shares = np.maximum(1 - total, 0)
    return [rest if each is None else each / most for each in shares]


def _bands(height: int) -> Iterator[slice]:
    return (slice(top, min(top + _BAND, height)) for top in range(0, height, _BAND))

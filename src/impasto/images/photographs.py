"""Photographs to learn from, and photographs that are kept apart.

The seed and the number of a crop decide the whole crop. So a training that goes on after an
interruption sees exactly what it would have seen.
"""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

import numpy as np

from impasto import images
from impasto.errors import PictureError, TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Pixels = NDArray[np.uint8]

Picture = TypeVar("Picture")
Decoded = TypeVar("Decoded")
_ZOOM = (0.6, 2.0)
"""Range of enlargement of the crops.

Photographs come at every size. A leaf is a pixel in a small one, and a flat area in a large one.
The network has to paint both.
"""
_BARS = (0.1, 0.6)
"""Range of the part of a framed photograph that frames take."""
_OF_PAPER = 3
"""Keeps these random numbers apart from others with the same seed and number."""


class Drawn(NamedTuple):
    """The random choices of a crop."""

    number: int
    """The number of the photograph."""
    zoom: float
    left: float
    """Where the crop lies, from left (0) to right (1)."""
    top: float
    mirrored: bool


class Square(NamedTuple):
    """A square part of a photograph, in its pixels and parts of them."""

    left: float
    top: float
    side: float

    @classmethod
    def of(cls, size: Sequence[int], most: float, left: float, top: float) -> Self:
        """Place a square of up to ``most`` pixels a side, from left and top (0) to right and bottom
        (1); ``size`` is width and height."""
        side = min(most, *size)
        return cls(left * (size[0] - side), top * (size[1] - side), side)


class Bars(NamedTuple):
    """Black bars, as films have them, or white margins, as scans do, on two opposite sides."""

    level: int
    """0 or 255."""
    across: bool
    """Whether they are above and below."""
    share: float
    """The part of the height or width that both take."""
    first: float
    """The part of that which is above, or at the left."""

    @classmethod
    def drawn(cls, chance: np.random.Generator) -> Self:
        share, first = chance.uniform(*_BARS), chance.random()
        level, across = chance.choice([0, 255]), chance.random() < 0.5
        return cls(int(level), bool(across), float(share), float(first))

    def areas(self, side: int) -> list[tuple[slice, slice]]:
        """Return the rows and columns of both, in a square of ``side`` pixels."""
        both = round(self.share * side)
        first = round(self.first * both)
        lengths, whole = (slice(first), slice(side - (both - first), side)), slice(side)
        return [(each, whole) if self.across else (whole, each) for each in lengths]


class Photographs(ABC, Generic[Decoded]):
    """Photographs of files, decoded, each with the crop to take of it.

    ``held_out`` of them, a tenth at most, are in no crop. A photograph that cannot be read is left
    out from then on, and listed in :attr:`skipped`. ``paper`` is the part of the crops that get
    :class:`Bars`. Photographs are decoded once for as long as ``room`` bytes hold them; the others
    are decoded for each crop. Subclasses say what a decoded photograph is, and cut the crops.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        crop: int,
        seed: int,
        held_out: int,
        paper: float = 0,
        room: int = 0,
    ) -> None:
        self._paths, self._apart = parted(paths, held_out)
        self.side, self._seed, self._paper = crop, seed, paper
        self._room = room
        self._kept: dict[Path, Decoded] = {}
        self.skipped: dict[Path, str] = {}

    @abstractmethod
    def _decoded(self, image: Image) -> Decoded:
        """Return what a decoded photograph is kept as; it takes as many bytes."""

    def __len__(self) -> int:
        """Return how many photographs there are to learn from."""
        return len(self._paths)

    def digest(self) -> str:
        """Hash the names and sizes of all; the folder does not count."""
        return digest(self._paths, self._apart)

    def apart(self) -> Iterator[Decoded]:
        """Give the photographs that are in no crop."""
        for path in self._apart:
            try:
                yield self._decoded(decoded(path))
            except PictureError as error:
                self.skipped[path] = str(error)

    def drawn(self, number: int) -> tuple[Decoded, Drawn]:
        """Return the photograph of the crop of this number, and what is drawn of it.

        Raises:
            TrainingError: more than half of them cannot be read.
        """
        for drawn in crops(self._seed, number, len(self._paths)):
            # Draw this also where the photograph is left out. That may have become known only now.
            path = self._paths[drawn.number]
            if path in self.skipped:
                continue
            try:
                return self._opened(path), drawn
            except PictureError as error:
                self._skip(path, error)
        raise AssertionError("there is always one more")

    def bars(self, number: int) -> list[tuple[int, tuple[slice, slice]]]:
        """Return the level, rows and columns of each bar over the crop of this number, if any."""
        chance = np.random.default_rng([self._seed, number, _OF_PAPER])
        if not self._paper or chance.random() >= self._paper:
            return []
        bars = Bars.drawn(chance)
        return [(bars.level, area) for area in bars.areas(self.side)]

    def _opened(self, path: Path) -> Decoded:
        """Return a photograph, decoded now or before."""
        if path in self._kept:
            return self._kept[path]
        image = decoded(path)
        taken, photograph = 3 * math.prod(image.size), self._decoded(image)
        if taken <= self._room:
            self._room -= taken
            self._kept[path] = photograph
        return photograph

    def _skip(self, path: Path, error: PictureError) -> None:
        self.skipped[path] = str(error)
        if len(self.skipped) * 2 > len(self._paths):
            raise TrainingError(
                f"more than half of the photographs cannot be read, such as {error}",
                hint="check the folder",
            ) from error


class PhotographBytes(Photographs["Image"]):
    """Crops as bytes, sRGB: ``(crop, crop, 3)``."""

    def _decoded(self, image: Image) -> Image:
        return image

    def middles(self) -> list[Pixels]:
        """Return the middles of the photographs that are kept apart."""
        return [self._cut(each, Square.of(each.size, math.inf, 0.5, 0.5)) for each in self.apart()]

    def crop(self, number: int) -> Pixels:
        """Return a random part of a random photograph, zoomed, mirrored, sometimes with bars.

        Raises:
            TrainingError: more than half of them cannot be read.
        """
        image, drawn = self.drawn(number)
        place = Square.of(image.size, self.side / drawn.zoom, drawn.left, drawn.top)
        square = self._cut(image, place)[:, :: -1 if drawn.mirrored else 1].copy()
        for level, area in self.bars(number):
            square[area] = level
        return square

    def _cut(self, image: Image, place: Square) -> Pixels:
        left, top, side = place
        box = (left, top, left + side, top + side)
        return np.asarray(image.resize((self.side, self.side), images.BICUBIC, box=box))


def decoded(path: Path) -> Image:
    """Read a photograph, sRGB in 8 bits.

    Raises:
        PictureError: it cannot be read.
    """
    return images.read(path).pil().convert("RGB")


def crops(seed: int, number: int, photographs: int) -> Iterator[Drawn]:
    """Give the crop of this number; then crops to use in its place, where it cannot be read.

    ``photographs`` says how many there are.
    """
    chance = np.random.default_rng([seed, number])
    while True:
        photograph = int(chance.integers(photographs))
        zoomed, left, top, mirrored = chance.random(4).tolist()
        zoom = _ZOOM[0] * (_ZOOM[1] / _ZOOM[0]) ** zoomed
        yield Drawn(photograph, zoom, left, top, mirrored < 0.5)


def parted(pictures: Sequence[Picture], held_out: int) -> tuple[list[Picture], list[Picture]]:
    """Split pictures into those to learn from and those to keep apart: a tenth at most, evenly
    spread."""
    apart = min(held_out, len(pictures) // 10)
    every = len(pictures) // apart if apart else 1
    numbers = range(every - 1, len(pictures), every)[:apart]
    rest = [each for number, each in enumerate(pictures) if number not in numbers]
    return rest, [pictures[number] for number in numbers]


def digest(*several: Sequence[Path]) -> str:
    """Hash the names and sizes of files; their folders do not count."""
    kinds = [[(path.name, _bytes(path)) for path in each] for each in several]
    return hashlib.sha256(json.dumps(kinds).encode()).hexdigest()[:16]


def _bytes(path: Path) -> int:
    """Return the size of the file; 0 where it is gone."""
    return path.stat().st_size if path.is_file() else 0

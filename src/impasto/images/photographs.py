"""Photographs to learn from, and photographs that are kept apart.

The seed and the number of a crop decide the whole crop. So a training that goes on after an
interruption sees exactly what it would have seen.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from impasto import images
from impasto.errors import PictureError, TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Pixels = NDArray[np.uint8]

Picture = TypeVar("Picture")
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


class Photographs:
    """Files, as squares of ``crop`` pixels a side: ``(crop, crop, 3)`` bytes, sRGB.

    Only :meth:`middles` gives the ``held_out`` photographs, a tenth of all at most. A photograph
    that cannot be read is left out from then on, and listed in :attr:`skipped`. ``paper`` is the
    part of the crops that :func:`framed` changes. Photographs are decoded once for as long as
    ``room`` bytes hold them; the others are decoded for each crop.
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
        self._decoded: dict[Path, Image] = {}
        self.skipped: dict[Path, str] = {}

    def __len__(self) -> int:
        """Return how many photographs there are to learn from."""
        return len(self._paths)

    def digest(self) -> str:
        """Hash the names and sizes of all; the folder does not count."""
        return digest(self._paths, self._apart)

    def middles(self) -> list[Pixels]:
        """Return the middles of the photographs that are kept apart."""
        found = []
        for path in self._apart:
            try:
                found.append(self._square(path, math.inf, (0.5, 0.5)))
            except PictureError as error:
                self.skipped[path] = str(error)
        return found

    def crop(self, number: int) -> Pixels:
        """Return a random part of a random photograph, zoomed and mirrored, and sometimes framed.

        Raises:
            TrainingError: more than half of them cannot be read.
        """
        crop = self._part(number)
        chance = np.random.default_rng([self._seed, number, _OF_PAPER])
        return framed(crop, chance) if self._paper and chance.random() < self._paper else crop

    def _part(self, number: int) -> Pixels:
        for drawn in crops(self._seed, number, len(self._paths)):
            # Draw this also where the photograph is left out. That may have become known only now.
            path = self._paths[drawn.number]
            if path in self.skipped:
                continue
            try:
                square = self._square(path, self.side / drawn.zoom, (drawn.left, drawn.top))
                return np.ascontiguousarray(square[:, :: -1 if drawn.mirrored else 1])
            except PictureError as error:
                self._skip(path, error)
        raise AssertionError("there is always one more")

    def _square(self, path: Path, most: float, place: tuple[float, float]) -> Pixels:
        """Cut a square of up to ``most`` pixels, from left and top (0) to right and bottom (1)."""
        image = self._opened(path)
        side = min(most, *image.size)
        left, top = (part * (length - side) for part, length in zip(place, image.size, strict=True))
        box = (left, top, left + side, top + side)
        return np.asarray(image.resize((self.side, self.side), images.BICUBIC, box=box))

    def _opened(self, path: Path) -> Image:
        """Return a photograph, decoded now or before."""
        if path in self._decoded:
            return self._decoded[path]
        image = images.read(path).pil().convert("RGB")
        taken = 3 * math.prod(image.size)
        if taken <= self._room:
            self._room -= taken
            self._decoded[path] = image
        return image

    def _skip(self, path: Path, error: PictureError) -> None:
        self.skipped[path] = str(error)
        if len(self.skipped) * 2 > len(self._paths):
            raise TrainingError(
                f"more than half of the photographs cannot be read, such as {error}",
                hint="check the folder",
            ) from error


def framed(photograph: Pixels, chance: np.random.Generator) -> Pixels:
    """Frame a square photograph with black bars, as films have them, or white margins, as scans do.

    They are on two opposite sides, and take a tenth to six tenths of the height or width.
    """
    share, part = chance.uniform(*_BARS), chance.random()
    level, across = chance.choice([0, 255]), chance.random() < 0.5
    bars = round(share * len(photograph))
    first = round(part * bars)
    result = photograph.copy()
    sides = result if across else result.transpose(1, 0, 2)
    sides[:first], sides[len(sides) - (bars - first) :] = level, level
    return result


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

"""What a step of a hypernetwork's training sees: paintings, and photographs to paint like them.

The seed and the step's number decide everything. So a training that goes on sees what it would have
seen. Paintings serve in several steps, with other photographs each time. Crops are small for the
first half of a training. There is most to learn then, and a step on them takes a fifth of the time.
In the second half they grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.options import TrainAnyOptions
from impasto.studio.tensors import cut, grained
from impasto.studio.training.bank import SIDE, Bank

_ENLARGED = 0.6, 1.6
"""Range of enlargement of photographs' crops."""
BLOCK = 32
"""Steps after which paintings are drawn again, or serve again."""
_LEAST = 0.5
"""Smallest part of a painting's side that a crop shows."""
_MIXED = 0.4
"""Most of each colour that may come from the others, when colours are mixed anew."""
_INVERTED = 0.1
"""Part of the paintings with mixed colours that become their negative."""


@dataclass(frozen=True)
class Pairs:
    """What one step learns from."""

    photographs: Tensor
    """``(P, 3, crop, crop)``, 0..1."""
    ground: Tensor
    """The same photographs with grain."""
    drawn: int
    """The paintings, by the number of the step that drew them: :meth:`Source.styles`."""
    boldness: Tensor
    """The boldness of each style, ``(S,)``."""
    chance: int = 0
    """Seed of other random choices of this step: dropout."""


@dataclass(frozen=True)
class Pictures:
    """Some of the pictures of a bank."""

    bank: Bank
    numbers: Sequence[int]

    def __call__(self, places: Sequence[int]) -> Tensor:
        return self.bank([self.numbers[place] for place in places])

    def middles(self, side: int, device: torch.device) -> Tensor:
        """Return the middles of all of them, ``(N, 3, side, side)``, 0..1."""
        if not self.numbers:
            return torch.empty(0, 3, side, side, device=device)
        whole = [(0, 0, SIDE, False)] * len(self.numbers)
        return crops(self(range(len(self.numbers))).to(device), whole, side)


@dataclass(frozen=True)
class Source:
    """Draws pairs by their number.

    Attributes:
        batches: how many there are in the whole training.
        stride: what sides are multiples of.
    """

    options: TrainAnyOptions
    paintings: Pictures
    photographs: Pictures
    device: torch.device
    batches: int
    stride: int

    def __call__(self, number: int) -> Pairs:
        options, rng = self.options, np.random.default_rng([self.options.seed, number, 3])
        photographs = self._photographs(rng, options.batch, self.sides(number)[0])
        return Pairs(
            photographs,
            grained(photographs, options.grain, options.seed, number * options.batch),
            self.drawn(number),
            self._tensor(options.boldness ** rng.uniform(-1, 1, options.styles)),
            int(rng.integers(1 << 62)),
        )

    def drawn(self, number: int) -> int:
        """Return the step that draws the paintings of step ``number``.

        A block of steps draws, and as many steps see the same paintings again. So those of two
        steps one after the other are never the same.
        """
        return number // (BLOCK * self.options.uses) * BLOCK + number % BLOCK

    def styles(self, drawn: int) -> Tensor:
        """Return paintings, some of them recoloured, with some photographs among them.

        They are as the hypernetwork sees them, ``(S, 3, side, side)``, 0..1.
        """
        options, rng = self.options, np.random.default_rng([self.options.seed, drawn, 5])
        side = self.sides(drawn // BLOCK * BLOCK * options.uses)[1]
        squares = []
        for _ in range(options.styles):
            instead = rng.random() < options.photo_styles
            pictures = self.photographs if instead else self.paintings
            wanted = [round(SIDE * rng.uniform(_LEAST, 1))]
            squares.append(self._crops(rng, pictures, wanted, side))
        return recolored(torch.cat(squares), rng, options.recolored)

    def sides(self, number: int) -> tuple[int, int]:
        """Return the sides of photographs and of paintings, in pixels.

        Paintings shrink less. They are seen as a whole, and have to stay recognisable.
        """
        first, last = min(self.options.first_crop, self.options.crop), self.options.crop
        grown = max(0.0, 2 * number / self.batches - 1)
        crop = self._multiple(first + (last - first) * grown)
        return crop, self._multiple(self.options.style_size * (1 + 2 * crop / last) / 3)

    def _multiple(self, side: float) -> int:
        return max(1, round(side / self.stride)) * self.stride

    def _photographs(self, rng: np.random.Generator, count: int, crop: int) -> Tensor:
        low, high = np.log(_ENLARGED)
        sides = [min(SIDE, round(crop / np.exp(rng.uniform(low, high)))) for _ in range(count)]
        return self._crops(rng, self.photographs, sides, crop)

    def _crops(
        self, rng: np.random.Generator, pictures: Pictures, sides: Sequence[int], out: int
    ) -> Tensor:
        chosen = rng.integers(len(pictures.numbers), size=len(sides)).tolist()
        places = [(*_corner(rng, side), side, bool(rng.random() < 0.5)) for side in sides]
        return crops(pictures(chosen).to(self.device), places, out)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.device)


def _corner(rng: np.random.Generator, side: int) -> tuple[int, int]:
    left, top = rng.integers(SIDE - side + 1, size=2).tolist()
    return left, top


def crops(pictures: Tensor, places: Sequence[tuple[int, int, int, bool]], out: int) -> Tensor:
    """Cut squares out of ``(N, 3, H, W)`` bytes: ``(N, 3, out, out)``, 0..1.

    Each place is left, top, side, and whether the square is mirrored.
    """
    squares = [
        cut(picture, (left, top, side), out, mirrored=mirrored)
        for picture, (left, top, side, mirrored) in zip(pictures, places, strict=True)
    ]
    return torch.stack(squares)


def smoothed(pictures: Tensor, deviation: float) -> Tensor:
    """Convolve ``(N, 3, H, W)``, 0..1, with a Gaussian of this deviation in pixels; the edge
    repeats."""
    if not deviation:
        return pictures
    around = max(1, round(3 * deviation))
    places = torch.arange(-around, around + 1, device=pictures.device, dtype=pictures.dtype)
    weights = torch.exp(-places.square() / (2 * deviation**2))
    weights = weights / weights.sum()
    single = F.pad(pictures.flatten(0, 1)[:, None], (around,) * 4, mode="replicate")
    rows = F.conv2d(single, weights.view(1, 1, -1, 1))
    return F.conv2d(rows, weights.view(1, 1, 1, -1)).view_as(pictures)


def recolored(paintings: Tensor, rng: np.random.Generator, part: float) -> Tensor:
    """Recolour a part of ``(N, 3, H, W)``, 0..1.

    Channels change places and are mixed. Contrast, light and gamma change, and some pictures become
    negatives.
    """
    made = [_recolored(each, rng) if rng.random() < part else each for each in paintings]
    return torch.stack(made)


def _recolored(painting: Tensor, rng: np.random.Generator) -> Tensor:
    share = rng.uniform(0, _MIXED)
    matrix = (1 - share) * np.eye(3)[rng.permutation(3)] + share * rng.dirichlet(np.ones(3), 3)
    mixed = torch.tensordot(torch.from_numpy(matrix).to(painting), painting, 1)
    if rng.random() < _INVERTED:
        mixed = 1 - mixed
    contrast, light, gamma = rng.uniform(0.7, 1.5), rng.uniform(-0.1, 0.1), rng.uniform(-0.5, 0.5)
    mean = mixed.mean()
    return ((mixed - mean) * contrast + mean + light).clamp(1e-4, 1) ** float(np.exp(gamma))

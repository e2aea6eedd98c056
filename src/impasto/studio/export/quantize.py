"""A style's network in 8 bits: a smaller file, faster where a CPU can.

The network is brought to 8 bits (:mod:`impasto.studio.export.int8`). Its paintings of other
photographs are compared with those in floats. Where they differ too much, less of the network is
brought to 8 bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from impasto import catalog
from impasto.catalog import Card, Style, writing
from impasto.catalog.card import Closeness, Quantization
from impasto.errors import OptionError, TrainingError, in_memory
from impasto.files import atomic
from impasto.images import sampling
from impasto.images.metrics import mean_difference, psnr
from impasto.inference.engine import OnnxEngine
from impasto.options import QuantizeOptions
from impasto.progress import OnProgress, Progress, silent
from impasto.studio.export.int8 import Input, large, to_int8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.picture import Picture

LARGEST_DIFFERENCE = 3.0
"""Largest mean absolute difference from the painting in floats, in levels of 255.

It holds for the worst photograph. Flat ones suffer most: normalisation enlarges what little they
have, and the rounding with it.
"""
SMALLEST_PSNR = 34.0
"""Smallest peak signal-to-noise ratio, in decibels."""
KEPT = (0, 1 / 8, 1 / 4, 1 / 2)
"""Parts of the large convolutions that may stay in floats: those that lose most in 8 bits.

The smallest part that meets the bounds is taken.
"""

_PROBES = 2
"""How many photographs ranges are measured on, where only convolutions are compared."""
_RUNS = 5
_SPEED_SIDE = 768


@dataclass(frozen=True)
class Difference:
    """Difference between paintings in 8 bits and in floats: the worst photograph's in the worst
    style."""

    levels: float
    psnr: float
    worst: int = 0
    """The number of the worst painting."""

    def record(self) -> Closeness:
        """Return the difference as the card stores it."""
        psnr = round(self.psnr, 2) if math.isfinite(self.psnr) else None
        return Closeness(round(self.levels, 3), psnr)

    @property
    def accepted(self) -> bool:
        return self.levels <= LARGEST_DIFFERENCE and self.psnr >= SMALLEST_PSNR


@dataclass(frozen=True)
class Quantized:
    """A style that was written, and its comparison with the style that it came from."""

    folder: Path
    difference: Difference
    kept: list[str]
    """Large convolutions that stayed in floats."""
    size: float
    """Bytes of the file, divided by those of the other file."""
    speed: float
    """How many times as fast as the other it paints here."""


@in_memory("what is compared", hint="use a smaller --size", kind=TrainingError)
def quantize(
    style: str | Path | Style,
    folder: str | Path,
    output: str | Path,
    *,
    options: QuantizeOptions | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
) -> Quantized:
    """Write ``style`` in 8 bits as another style, with all styles of its network.

    Args:
        style: a name, a folder or a card; as :func:`impasto.catalog.find` takes it.
        folder: photographs, such as it was learnt on; a few dozen are enough.
        output: the new style's folder, or its name alone, for the user's styles. Several
            styles of one network are named NAME-STYLE.
        options: see :class:`~impasto.options.QuantizeOptions`.
        overwrite: replace a style that is there.
        on_progress: called after every photograph.

    Raises:
        OptionError: no such style, a blend of several networks, or a name that no style can have.
        OutputError: ``output`` is there already.
        TrainingError: too few photographs, or a painting that differs by more than
            :data:`LARGEST_DIFFERENCE` or :data:`SMALLEST_PSNR` allow. Nothing is written.
    """
    options, original = options or QuantizeOptions(), catalog.of_one_network(style)
    target = catalog.place(output)
    _require_place(original, target, overwrite)
    pictures = sampling.some(Path(folder), options.count + options.held_out, options.size)
    if len(pictures) < 2:
        raise TrainingError(
            f"{folder} has one photograph; one to measure and one to compare are needed",
            hint="give a folder with a few dozen photographs",
        )
    apart = min(options.held_out, len(pictures) // 2)
    names, model = [path.name for path in pictures][apart:], original.model()
    quantizer = _Quantizer(
        model, list(pictures.values()), apart, len(original.weights), on_progress
    )
    quantized, difference, kept = quantizer()
    record = Quantization(
        bits=8,
        kept_in_floats=tuple(kept),
        bound=Closeness(LARGEST_DIFFERENCE, SMALLEST_PSNR),
        measured=difference.record(),
        photographs=tuple(names),
        held_out=apart,
    )
    writing.write_folder(target, quantized, _cards(original.folder, target.name, quantized, record))
    size = len(quantized) / original.card.model.bytes
    return Quantized(
        target, difference, kept, size, _speed(model, quantized, quantizer.held_out[0][0])
    )


class _Quantizer:
    """Brings one network to 8 bits, compares it, and tries again with more of it in floats."""

    def __init__(
        self,
        model: bytes,
        pictures: Sequence[Picture],
        apart: int,
        styles: int,
        on_progress: OnProgress,
    ) -> None:
        pixels = [np.ascontiguousarray(picture.pixels) for picture in pictures]
        mixes = np.eye(styles).tolist()
        self._model = model
        self.held_out: list[Input] = [(photo, mix) for mix in mixes for photo in pixels[:apart]]
        rest = pixels[apart:]
        self._measured: list[Input] = [
            (rest[number % len(rest)], mixes[number % styles])
            for number in range(max(len(rest), styles))
        ]
        engine = OnnxEngine(model, device="cpu")
        self._wanted = [engine.paint(*given) for given in self.held_out]
        self._on_progress, self._step, self._total = on_progress, 0, 0

    def __call__(self) -> tuple[bytes, Difference, list[str]]:
        """Return the network in 8 bits, its difference, and what stayed in floats.

        Raises:
            TrainingError: none meets the bound.
        """
        names = large(self._model)
        ranked: list[str] = []
        difference = Difference(math.inf, 0)
        for share in KEPT:
            if share and not ranked:
                ranked = self._by_loss(names, difference.worst)
            kept = ranked[: math.ceil(share * len(ranked))]
            self._total += len(self._measured) + len(self.held_out)
            eight = [name for name in names if name not in kept]
            quantized = to_int8(self._model, self._shown(self._measured), eight)
            difference = difference_of(self._both(quantized, range(len(self.held_out))))
            if difference.accepted:
                return quantized, difference, kept
        raise TrainingError(
            f"in 8 bits the painting is {difference.levels:.1f} levels off, with a PSNR of "
            f"{difference.psnr:.1f} dB; {LARGEST_DIFFERENCE} and {SMALLEST_PSNR} are allowed",
            hint="give more photographs, or keep the style as it is",
        )

    def _by_loss(self, names: Sequence[str], probe: int) -> list[str]:
        """Order convolutions by the difference that each alone in 8 bits makes, worst first."""
        self._total += len(names)
        kept = {}
        for name in names:
            alone = to_int8(self._model, iter(self._measured[:_PROBES]), [name])
            kept[name] = psnr(*self._both(alone, [probe])[0])
        return sorted(names, key=lambda name: kept[name])

    def _both(self, quantized: bytes, which: Sequence[int]) -> list[Pair]:
        """Return these held-out paintings, in 8 bits and in floats."""
        engine = OnnxEngine(quantized, device="cpu")
        painted = [engine.paint(*given) for given in self._shown([self.held_out[n] for n in which])]
        return list(zip(painted, (self._wanted[n] for n in which), strict=True))

    def _shown(self, inputs: list[Input]) -> Iterator[Input]:
        for given in inputs:
            yield given
            self._step += 1
            self._on_progress(Progress(self._step, self._total))


Pair = tuple["NDArray[np.uint8]", "NDArray[np.uint8]"]
"""One photograph's painting in 8 bits and in floats."""


def difference_of(pairs: Sequence[Pair]) -> Difference:
    """Return the difference of the worst of these paintings."""
    ratios = [psnr(*pair) for pair in pairs]
    worst = int(np.argmin(ratios))
    return Difference(max(mean_difference(*pair) for pair in pairs), ratios[worst], worst)


def _cards(folder: Path, name: str, model: bytes, record: Quantization) -> list[Card]:
    """Return the cards of the original styles, with other names and another network."""
    cards = [style.card for style in catalog.read(folder)]
    renamed = []
    for card in cards:
        own = name if len(cards) == 1 else f"{name}-{card.name}"
        file = replace(card.model.holding(model), file=writing.FILE, quantized=record)
        renamed.append(replace(card, name=own, preview=f"{own}.jpg", model=file))
    return renamed


def _require_place(style: Style, target: Path, overwrite: bool) -> None:
    if style.card.model.quantized:
        raise OptionError(f"{style.name} is in 8 bits already", hint="give the one it came from")
    catalog.require_other(target, style)
    if (target / catalog.CARD).exists() and not overwrite:
        raise atomic.there_already(target)


def _speed(model: bytes, quantized: bytes, photo: NDArray[np.uint8]) -> float:
    """Return how many times as fast the second paints; they take turns on the same machine."""
    times = -(-_SPEED_SIDE // max(photo.shape))
    large = np.tile(photo, (times, times, 1))
    engines = [OnnxEngine(each, device="cpu") for each in (model, quantized)]
    best = [math.inf, math.inf]
    for _ in range(_RUNS):
        for index, engine in enumerate(engines):
            began = time.perf_counter()
            engine.paint(large)
            best[index] = min(best[index], time.perf_counter() - began)
    return best[0] / best[1]

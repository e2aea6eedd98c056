"""A network that paints with given statistics.

Instance normalisation takes mean and variance of the whole picture. They may be known from a
smaller copy, or from earlier frames of a film. Then any part of a picture can be painted alone, in
bands of rows, in one pass, without temporary files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from impasto.inference import partition
from impasto.inference.banded import Statistics, band_rows, parts
from impasto.inference.engine import OnnxEngine, budget, grown
from impasto.inference.network import Forecasts
from impasto.inference.runtimes import OutOfMemoryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.inference.banded import Arrays, Run
    from impasto.inference.onnx_proto import Array

    Pixels = NDArray[np.uint8]
    Size = tuple[int, int]

_LEAST = 4
"""Fewest rows of a band, as a multiple of its reach into its neighbours."""


class Guided:
    """A network that paints up to ``at_once`` pictures at the same time.

    Statistics are mean and variance of all that the network normalises, by name.
    """

    def __init__(self, engine: OnnxEngine, at_once: int = 1) -> None:
        self.engine, self.at_once = engine, at_once
        self._runs: dict[tuple[bool, bool], Run] = {}

    @cached_property
    def reach(self) -> tuple[int, int]:
        """Return :attr:`impasto.inference.network.Forecasts.reach`."""
        return Forecasts(self.engine.network).reach

    def paint(
        self,
        pixels: Pixels,
        weights: Sequence[float] = (),
        statistics: Arrays | None = None,
        *,
        measured: bool = False,
    ) -> tuple[Pixels, dict[str, Array]]:
        """Paint ``(H, W, 3)`` sRGB with the given statistics, or with the picture's own.

        Returns:
            The painting; and the statistics that were found, if they are ``measured``.
        """
        if not (statistics or measured):
            return self.engine.paint(pixels, weights), {}
        if statistics and not measured and self._is_large(pixels):
            painting = np.empty_like(pixels)
            self.paint_rows(pixels.__getitem__, weights, statistics, painting)
            return painting, {}
        return self._whole(pixels, weights, statistics or {}, measured=measured)

    def _is_large(self, pixels: Pixels) -> bool:
        """Say whether it would take too much memory to paint it whole."""
        area = pixels.shape[0] * pixels.shape[1]
        return area > self._area() and area * self.engine.bytes_per_pixel > budget()

    def _whole(
        self, pixels: Pixels, weights: Sequence[float], statistics: Arrays, *, measured: bool
    ) -> tuple[Pixels, dict[str, Array]]:
        height, width = pixels.shape[:2]
        run = self._run(given=bool(statistics), measured=measured)
        mix = self.engine.mix(weights)
        results = run(grown(pixels)[None], {**mix, **statistics})
        painting = next(array for array in results.values() if array.dtype == np.uint8)
        return painting[0, :height, :width], _found(results)

    def paint_rows(
        self,
        photo: Callable[[slice], Pixels],
        weights: Sequence[float],
        statistics: Arrays,
        onto: Pixels,
    ) -> None:
        """Paint a picture ``onto`` an array of its size; ``photo`` gives any rows of it."""
        area = self._area()
        while True:
            try:
                return self._paint_rows(photo, weights, statistics, onto, area)
            except OutOfMemoryError:
                if area < onto.shape[1] * self.reach[1]:
                    raise
                area //= 4

    def bytes(self, size: Size) -> float:
        """Forecast the bytes that painting the rows of a picture of this size takes."""
        return min(size[0] * size[1], self._area()) * self.engine.bytes_per_pixel

    def rows(self, width: int, area: int | None = None) -> int:
        """Return how many rows of its own a band of a picture's width has.

        ``area`` is its pixels, with those that it reaches into.
        """
        left = (self._area() if area is None else area) - 2 * self._overlap * width
        return max(_LEAST * self._overlap, band_rows(left, width, self.reach[0]))

    @property
    def _overlap(self) -> int:
        step, reach = self.reach
        return -(-reach // step) * step

    def _area(self) -> int:
        """Return the pixels of a band: fewer where several pictures are painted at once."""
        share = self.at_once if self.at_once == 1 else 2 * self.at_once
        return self.engine.band(budget()) // share

    def _paint_rows(
        self,
        photo: Callable[[slice], Pixels],
        weights: Sequence[float],
        statistics: Arrays,
        onto: Pixels,
        area: int,
    ) -> None:
        height, width = onto.shape[:2]
        for part in parts(height, self.rows(width, area), self.reach[0], self._overlap):
            seen = photo(slice(part.seen.start, min(part.seen.stop, height)))
            painting, _ = self._whole(seen, weights, statistics, measured=False)
            onto[part.owned] = painting[part.inner]

    def _run(self, *, given: bool, measured: bool) -> Run:
        if (given, measured) not in self._runs:
            whole = partition.whole(self.engine.network, given=given, measured=measured)
            self._runs[given, measured] = self.engine.start(
                whole, seldom=not given, at_once=self.at_once
            )
        return self._runs[given, measured]


def _found(results: Arrays) -> dict[str, Array]:
    """Collect the statistics of all that the network normalises, from one picture's results."""
    merged: dict[str, Array] = {}
    for name in [key.removesuffix(".found") for key in results if key.endswith(".found")]:
        statistics = Statistics()
        statistics.add(results, name)
        merged |= statistics.known(name)
    return merged

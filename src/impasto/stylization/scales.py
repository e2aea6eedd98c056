"""One painting from several scales: the same look at every size, and crisp up close.

A network's brush marks have a size in pixels. In a painting made small they have their share of the
picture, and are blurred when it is enlarged. In one made at full size they are crisp, and too fine
once the whole is seen. So each band of frequencies comes from the painting made at its scale, as in
a Laplacian pyramid (Burt and Adelson 1983). Coarse shapes and marks come from the smallest. Edges
and fine marks come from the larger ones.

Fine marks are painted with the statistics of the smallest scale, in bands of rows. A smaller
network may paint them, because the tones are those of the coarse painting anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from impasto import images
from impasto.images.grain import grained

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.raster import Size
    from impasto.inference.banded import Arrays
    from impasto.inference.guided import Guided
    from impasto.inference.onnx_proto import Array

    Pixels = NDArray[np.uint8]

_OCTAVES = 2
"""Most octaves between two scales; further apart, marks of the sizes between are missing."""
_NEAR = 1.3
"""How much larger than the coarse painting a picture must be to get finer marks.

Below that, finer marks are hardly visible. They would make films of 1280 pixels half as slow again.
"""
_SMOOTH, _COARSE = 0.75, 1.0
"""Deviations of two Gaussians, in pixels of the smaller painting.

One removes the stairs that enlarging would show from the smaller painting. The other removes from
the larger painting what the smaller one has.
"""
_BAND = 32
"""Rows that are combined at a time."""
_AT_ONCE = 4
_MEASURED = 1024
"""Long side at which the statistics of finer scales are measured, or that of the smallest scale."""
_FINE = "fine "
"""The beginning of the names of their statistics."""


@dataclass(frozen=True)
class Scales:
    """How a style paints at several scales.

    Its network paints coarse marks, with a long side of ``side``. A network that paints alike
    paints finer ones.
    """

    coarse: Guided
    fine: Callable[[], Guided]
    """A function that gives it when it is needed."""
    side: int
    weights: Sequence[float] = ()
    crisp: float = 1.0
    grain: float = 0.0

    def paint(
        self, pixels: Pixels, statistics: Arrays | None = None, *, measured: bool = False
    ) -> tuple[Pixels, dict[str, Array]]:
        """Paint ``(H, W, 3)`` sRGB with the given statistics, or with the picture's own.

        Returns:
            The painting; and the statistics that were found, if they are ``measured``.
        """
        size, given = (pixels.shape[0], pixels.shape[1]), statistics or {}
        coarsest, *finer = sizes(size, self.side)
        small = grained(images.resize_pixels(pixels, coarsest), self.grain)
        own = {name: values for name, values in given.items() if not name.startswith(_FINE)}
        painting, found = self.coarse.paint(small, self.weights, own, measured=measured)
        if not (finer and self.crisp):
            return at(painting, size), found
        fine = {name[len(_FINE) :]: given[name] for name in given.keys() - own.keys()}
        if measured or not fine:
            measures = self._measures(small if max(coarsest) <= _MEASURED else pixels)
            found |= {f"{_FINE}{name}": values for name, values in measures.items()}
            fine = fine or measures
        for each in finer:
            larger = self._painted(pixels, each, fine)
            painting = refined(painting, larger, self.crisp)
        return painting, found

    def bytes(self, size: Size) -> float:
        """Forecast the bytes that painting a picture of this size takes."""
        coarsest, *finer = sizes(size, self.side)
        area = coarsest[0] * coarsest[1]
        whole = area * self.coarse.engine.bytes_per_pixel
        return max([whole, *(self.fine().bytes(each) for each in finer if self.crisp)])

    def statistics(self, pixels: Pixels) -> dict[str, Array]:
        """Measure the statistics of another picture, to paint with."""
        size = _scaled(
            (pixels.shape[0], pixels.shape[1]), min(self.side, _MEASURED) / max(pixels.shape)
        )
        small = grained(images.resize_pixels(pixels, size), self.grain)
        _, found = self.coarse.paint(small, self.weights, measured=True)
        if self.crisp:
            found |= {f"{_FINE}{name}": values for name, values in self._measures(small).items()}
        return found

    def _measures(self, seen: Pixels) -> dict[str, Array]:
        """Measure the statistics of the network of fine marks."""
        if max(seen.shape) > _MEASURED:
            size = _scaled((seen.shape[0], seen.shape[1]), _MEASURED / max(seen.shape))
            seen = grained(images.resize_pixels(seen, size), self.grain)
        return self.fine().paint(seen, self.weights, measured=True)[1]

    def _painted(self, pixels: Pixels, size: Size, statistics: Arrays) -> Pixels:
        """Paint with the network of fine marks."""
        photo, painting = images.resize_pixels(pixels, size), np.empty((*size, 3), np.uint8)
        rows = partial(grained, photo, self.grain)
        self.fine().paint_rows(rows, self.weights, statistics, painting)
        return painting


def sizes(size: Size, side: float) -> list[Size]:
    """Return heights and widths to paint at.

    The first has the long side ``side``. Those up to ``size`` follow, at most two octaves apart.
    There is only one if the picture is hardly larger.
    """
    growth = max(size) / side
    steps = math.ceil(math.log2(growth) / _OCTAVES - 0.01) if growth >= _NEAR else 0
    coarser = [_scaled(size, growth ** (step / steps - 1)) for step in range(steps)]
    return [*coarser, size] if coarser else [_scaled(size, 1 / growth)]


def at(coarse: Pixels, size: Size) -> Pixels:
    """Resize a painting ``(H, W, 3)``; an enlarged one shows no stairs of pixels."""
    growth = max(size) / max(coarse.shape)
    if growth <= 1:
        return images.resize_pixels(coarse, size)
    if growth < _NEAR:  # too little for stairs, and films are sooner done
        return images.resize_pixels(coarse, size, images.BICUBIC)
    return _laid(_blurred(coarse, _SMOOTH * _octaves(coarse, size)), np.empty((*size, 3), np.uint8))


def refined(coarse: Pixels, fine: Pixels, crisp: float) -> Pixels:
    """Combine a smaller painting with the fine marks of a larger one; both ``(H, W, 3)`` sRGB.

    The result has the larger one's size. ``crisp``, 0 to 1, is the share of the larger one's fine
    detail, which replaces the smaller one's. Nearly equal sizes give the smaller one, enlarged.
    """
    size = fine.shape[0], fine.shape[1]
    octaves = _octaves(coarse, size)
    share = crisp * octaves
    below = _blurred(coarse, _SMOOTH * octaves)
    if share:
        reduced = images.resize_pixels(fine, coarse.shape[:2])
        below -= np.float32(share) * _blurred(reduced, _COARSE)
    return _laid(below, fine, share)


def _octaves(coarse: Pixels, size: Size) -> float:
    """Return how many octaves larger a size is, up to one; below one, less detail is added."""
    return min(1.0, math.log2(max(1.0, max(size) / max(coarse.shape))))


def _laid(below: NDArray[np.float32], painting: Pixels, share: float = 0) -> Pixels:
    """Enlarge ``below``, and add a share of the painting."""
    enlarged = images.enlarging(below, (painting.shape[0], painting.shape[1]))

    def lay(rows: slice) -> None:
        band = enlarged(rows)
        if share:
            band += np.float32(share) * painting[rows]
        np.rint(band, out=band)
        painting[rows] = np.clip(band, 0, 255, out=band)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(lay, _bands(len(painting))):
            pass
    return painting


def _scaled(size: Size, factor: float) -> Size:
    height, width = (max(1, round(side * factor)) for side in size)
    return height, width


def _bands(height: int) -> Iterator[slice]:
    return (slice(top, min(top + _BAND, height)) for top in range(0, height, _BAND))


def _blurred(pixels: Pixels, deviation: float) -> NDArray[np.float32]:
    """Convolve with a Gaussian; edges repeat."""
    values = pixels.astype(np.float32)
    radius = math.ceil(3 * deviation)
    if not radius:
        return values
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        values = _convolved(values, taps, axis)
    return values


def _convolved(
    values: NDArray[np.float32], taps: NDArray[np.float32], axis: int
) -> NDArray[np.float32]:
    radius, length = len(taps) // 2, values.shape[axis]
    around = [(radius, radius) if each == axis else (0, 0) for each in range(values.ndim)]
    padded = np.pad(values, around, mode="edge")
    result = np.zeros_like(values)
    for offset, tap in enumerate(taps):
        part = [slice(None)] * axis + [slice(offset, offset + length)]
        result += tap * padded[tuple(part)]
    return result

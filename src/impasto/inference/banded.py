"""Pictures of any size in little memory: painted band by band, with the statistics of the whole.

A network with instance normalisation cannot paint one part of a picture alone. It would normalise
by that part. Parts would drift in tone, and their seams would show.

So the network runs stage by stage (:mod:`impasto.inference.partition`). Each stage runs over the
whole picture, in bands of rows. What later stages need waits in temporary files. Statistics are
those of the whole picture. Nothing is computed twice, except where bands overlap. Memory depends
only on the picture's width.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from impasto.errors import DeviceError
from impasto.inference.partition import Stage, cut

if TYPE_CHECKING:
    from io import FileIO

    from numpy.typing import NDArray

    from impasto.inference.onnx_proto import Array, Network

    Arrays = Mapping[str, Array]
    Run = Callable[[NDArray[np.uint8], Arrays], Arrays]

_PROBES = 64, 128
_COARSEST = 16
"""Stride that no network exceeds. A network that normalises nothing does not show its own."""
_END = int(np.iinfo(np.int64).max)


class Tiles:
    """A network that paints in bands.

    ``start`` makes a session of a network. A session is a function of the photograph, ``(1, H, W,
    3)``, and of other inputs by name. It gives the outputs by name. Each stage has a session.
    """

    def __init__(self, network: Network, start: Callable[[Network], Run]) -> None:
        self._stages = [(stage, start(stage.network)) for stage in cut(network)]
        self._grids: dict[str, _Grid] = {}

    def paint(self, photo: NDArray[np.uint8], weights: Arrays, band: int) -> NDArray[np.uint8]:
        """Paint ``(H, W, 3)`` sRGB; the result has the same size.

        ``weights`` are the style weights as the network takes them. ``band`` is the height of a
        band in pixels, at least a few rows.

        Raises:
            DeviceError: there is no room for the temporary files.
        """
        self._grids = self._grids or self._probed(weights)
        step = max((grid.step for grid in self._grids.values()), default=_COARSEST)
        with _Shelf() as shelf:
            return self._paint(photo, weights, band_rows(band, photo.shape[1], step), step, shelf)

    def _probed(self, weights: Arrays) -> dict[str, _Grid]:
        """Find out how the tensors lie over the photograph, from small pictures that are painted
        whole."""
        shapes = []
        for height in _PROBES:
            blank = np.zeros((height, min(_PROBES), 3), np.uint8)
            with _Shelf() as shelf:
                self._paint(blank, weights, height, height, shelf)
                shapes.append(shelf.rows)
        return {name: _Grid.of(rows, shapes[1][name]) for name, rows in shapes[0].items()}

    def _paint(
        self, photo: NDArray[np.uint8], weights: Arrays, band: int, step: int, shelf: _Shelf
    ) -> NDArray[np.uint8]:
        painting, known = np.empty_like(photo), dict(weights)
        for stage, run in self._stages:
            statistics = {name: Statistics() for name in stage.measures}
            for part in parts(len(photo), band, step, step * (1 + stage.reach)):
                results = run(photo[None, part.seen], known | self._given(stage, part, shelf))
                for name in stage.keeps:
                    shelf.append(name, results[f"{name}.kept"])
                for name, each in statistics.items():
                    each.add(results, name)
                if not stage.keeps:
                    (painted,) = results.values()
                    painting[part.owned] = painted[0, part.inner]
            for name, each in statistics.items():
                known |= each.known(name)
            shelf.drop(stage.drops)
        return painting

    def _given(self, stage: Stage, part: Part, shelf: _Shelf) -> dict[str, Array]:
        inputs = {}
        for name in stage.reads:
            top, end = (0, _END) if part.whole else self._grids[name].seen(part)
            inputs[name] = shelf.read(name, top, end)
        for name in stage.keeps:
            top, end = (0, _END) if part.whole else self._grids[name].owned(part)
            inputs[f"{name}.top"], inputs[f"{name}.end"] = np.array([top]), np.array([end])
        return inputs


def band_rows(band: int, width: int, step: int) -> int:
    """Return how many rows a band of so many pixels has, in whole steps."""
    return max(1, band // width // step) * step


@dataclass(frozen=True)
class Part:
    """A band of the photograph, and the rows of its neighbours that it needs."""

    top: int
    end: int
    above: int
    below: int
    height: int

    @property
    def owned(self) -> slice:
        return slice(self.top, self.end)

    @property
    def seen(self) -> slice:
        return slice(self.above, self.below)

    @property
    def inner(self) -> slice:
        """Return the rows that the band owns, within those that it sees."""
        return slice(self.top - self.above, self.end - self.above)

    @property
    def whole(self) -> bool:
        return self.top == 0 and self.end == self.height


def parts(height: int, rows: int, step: int, overlap: int) -> Iterator[Part]:
    """Give bands of ``rows`` that overlap their neighbours.

    The photograph counts as extended to ``step``, as the network itself extends it.
    """
    height += -height % step
    for top in range(0, height, rows):
        end = min(top + rows, height)
        yield Part(top, end, max(0, top - overlap), min(end + overlap, height), height)


@dataclass(frozen=True)
class _Grid:
    """How a tensor lies over the photograph.

    It has a place for each ``step`` pixels, and ``margin`` more at each edge.
    """

    step: int
    margin: int

    @classmethod
    def of(cls, small: int, large: int) -> _Grid:
        """Return the grid of a tensor that has these heights over the two probes."""
        step = (_PROBES[1] - _PROBES[0]) // (large - small)
        return cls(step, (small - _PROBES[0] // step) // 2)

    def seen(self, part: Part) -> tuple[int, int]:
        """Return the rows of the whole tensor that a band sees."""
        return part.above // self.step, part.below // self.step + 2 * self.margin

    def owned(self, part: Part) -> tuple[int, int]:
        """Return the rows that a band owns, within those that it sees.

        The outermost bands own the margins, too.
        """
        first, last = part.top == 0, part.end == part.height
        top = 0 if first else (part.top - part.above) // self.step + self.margin
        end = (part.end - part.above) // self.step + self.margin
        return top, end + self.margin * last


def _nothing() -> NDArray[np.float64]:
    return np.zeros(())


@dataclass
class Statistics:
    """The mean of all bands, and squared distances to it, from those of each (Chan et al. 1979)."""

    places: int = 0
    mean: NDArray[np.float64] = field(default_factory=_nothing)
    squares: NDArray[np.float64] = field(default_factory=_nothing)

    def add(self, results: Arrays, name: str) -> None:
        mean = results[f"{name}.found"].ravel().astype(np.float64)
        places = int(results[f"{name}.size"]) // mean.size
        share = places / (self.places + places)
        apart = mean - self.mean
        squares = results[f"{name}.squares"].ravel()
        self.squares = self.squares + squares + apart**2 * (self.places * share)
        self.mean = self.mean + apart * share
        self.places += places

    def known(self, name: str) -> dict[str, Array]:
        return {
            f"{name}.mean": self.mean.astype(np.float32),
            f"{name}.var": (self.squares / self.places).astype(np.float32),
        }


class _Shelf(ExitStack):
    """Tensors in temporary files, band below band."""

    def __init__(self) -> None:
        super().__init__()
        self._tensors: dict[str, _Tensor] = {}
        self.rows: dict[str, int] = {}
        """How many rows of each tensor were put here, also of tensors that were dropped."""

    def drop(self, names: Iterable[str]) -> None:
        for name in names:
            self._tensors.pop(name).file.close()

    def append(self, name: str, band: NDArray[np.float32]) -> None:
        """Add ``(1, C, rows, W)`` below what is there."""
        try:
            if name not in self._tensors:
                temporary = tempfile.TemporaryFile(prefix="impasto-", buffering=0)  # noqa: SIM115
                file = self.enter_context(temporary)
                self._tensors[name] = _Tensor(file, band.shape[1], band.shape[3])
            self._tensors[name].append(band)
        except OSError as error:
            raise DeviceError(
                f"a large picture's temporary files cannot be written: {error}",
                hint=f"make room in {tempfile.gettempdir()}, or set TMPDIR to another folder",
            ) from error
        self.rows[name] = self.rows.get(name, 0) + band.shape[2]

    def read(self, name: str, top: int, end: int) -> NDArray[np.float32]:
        """Return rows of a tensor, ``(1, C, rows, W)``."""
        return self._tensors[name].read(top, min(end, self.rows[name]))[None]


@dataclass
class _Tensor:
    """One file, in which each band has all its channels together."""

    file: FileIO
    channels: int
    width: int
    bands: list[tuple[int, int]] = field(default_factory=list)
    """First row and end of each."""

    def append(self, band: NDArray[np.float32]) -> None:
        top = self.bands[-1][1] if self.bands else 0
        self.file.seek(0, os.SEEK_END)
        band.tofile(self.file)
        self.bands.append((top, top + band.shape[2]))

    def read(self, top: int, end: int) -> NDArray[np.float32]:
        result = np.empty((self.channels, end - top, self.width), np.float32)
        for first, last in self.bands:
            begin, stop = max(top, first), min(end, last)
            for channel in range(self.channels if begin < stop else 0):
                row = first * self.channels + (last - first) * channel + begin - first
                self.file.seek(row * self.width * result.itemsize)
                rows = np.fromfile(self.file, np.float32, (stop - begin) * self.width)
                result[channel, begin - top : stop - top] = rows.reshape(-1, self.width)
        return result

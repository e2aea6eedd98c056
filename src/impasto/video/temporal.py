"""Paints a film: one frame after the other, without flicker, and without optical flow.

A network paints each frame anew. So grain or a passing car changes the tone of the whole frame, and
brush marks dance where nothing moves. Two things make it steady:

* The network normalises with statistics. They are measured now and then, and followed slowly
  instead of jumping with each frame. So what stands still is painted alike.
* Some parts of a frame were there before, up to noise. There the painting moves only a little
  towards the new one. A memory that moves along decides this. So slow changes add up until they are
  painted.

A cut starts anew, and so does a scene that fades in.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from impasto.inference import devices
from impasto.inference.engine import budget
from impasto.inference.guided import Guided

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.inference.banded import Arrays
    from impasto.inference.engine import OnnxEngine
    from impasto.inference.onnx_proto import Array

    Pixels = NDArray[np.uint8]
    Cells = NDArray[np.float32]
    _Painted = Future[tuple[Pixels, dict[str, Array]]]

_FOLLOW = 0.1
"""How far the statistics move, with each frame, towards those that were measured last."""
_MEASURED = 8
"""Frames after which they are measured anew; that takes an eighth of a painting's time."""
_KNOWN = 4
"""Frames after which a measurement is used: so many are painted without waiting for it."""
_STILL, _MOVING = 2.0, 10.0
"""Changes of a cell, in levels: up to the first it stands still, from the second it moves."""
_SETTLE = 0.1
"""How far the painting of a still place moves towards the new one."""
_CUT = 40.0
"""Mean change of all cells from frame to frame, in levels, that means another scene."""
_FADES_IN, _BLANK = 1.25, 2.0
"""Limits of contrast for fades.

From the first on, a ratio to the frames before, the statistics of those frames are of no use. The
second is the most, in levels, that a blank frame has.
"""
_CELL = 4
_MEMORY = "cells", "painting"
_KINDS = "now ", "goal", "next"
_BAND = 8 * _CELL
"""Rows that are blended at a time."""
_SPARSE = 2 * _CELL
"""Step in rows and columns between places that show how much the painting flickers."""


class FramePainter(Protocol):
    """Paints a frame with given statistics, or with those that it finds."""

    def paint(
        self, pixels: Pixels, statistics: Arrays, *, measured: bool
    ) -> tuple[Pixels, dict[str, Array]]:
        """Return the painting of ``(H, W, 3)``, and the statistics if they are ``measured``."""

    def bytes(self, size: tuple[int, int]) -> float:
        """Forecast the bytes that a frame of this height and width takes."""


@dataclass(frozen=True)
class _Alone:
    """A network that paints frames at their own size."""

    network: Guided
    weights: Sequence[float]

    def paint(
        self, pixels: Pixels, statistics: Arrays, *, measured: bool
    ) -> tuple[Pixels, dict[str, Array]]:
        return self.network.paint(pixels, self.weights, statistics, measured=measured)

    def bytes(self, size: tuple[int, int]) -> float:
        return size[0] * size[1] * self.network.engine.bytes_per_pixel


class SteadyEngine:
    """Paints the frames of a film, in their order, with a network on a device.

    ``flicker`` is the mean change of still places in the painting, from frame to frame, in levels.
    ``noise`` is the same in the film.
    """

    def __init__(self, engine: OnnxEngine, threads: int | None = None) -> None:
        threads = threads or devices.threads()
        # OpenVINO paints one at a time. Runs at once have waited for each other for ever.
        self.at_once = min(threads, _KNOWN) if engine.device == "cpu" else 1
        self._guided = Guided(engine, self.at_once)
        self._last: _Frame | None = None
        self._memory: dict[str, Array] = {}
        self._changes: list[tuple[float, float]] = []

    @property
    def flicker(self) -> float:
        return float(np.mean([painted for painted, _ in self._changes] or [0]))

    @property
    def noise(self) -> float:
        return float(np.mean([film for _, film in self._changes] or [0]))

    @property
    def state(self) -> dict[str, Array]:
        """What is remembered of the frames so far, to go on from another day."""
        return self._memory | (self._last.state if self._last else {})

    @state.setter
    def state(self, state: Mapping[str, Array]) -> None:
        """Go on from a state.

        Raises:
            ValueError, KeyError: it is none that a film has left.
        """
        self._last = _Frame.of(state) if state else None
        self._memory = _remembered(state, self._last) if self._last else {}

    def film(
        self,
        frames: Iterable[Pixels],
        weights: Sequence[float] = (),
        painter: FramePainter | None = None,
    ) -> Generator[Pixels, None, None]:
        """Paint the frames of a film, ``(H, W, 3)`` each.

        The network paints alone, or a ``painter`` that uses it. A few frames are in progress at
        once. The next call goes on from the last frame that was taken.
        """
        return self._film(frames, painter or _Alone(self._guided, weights))

    def paint(self, pixels: Pixels, weights: Sequence[float] = ()) -> Pixels:
        """Paint the next frame of a film."""
        with closing(self.film([pixels], weights)) as frames:
            return next(frames)

    def _film(
        self, frames: Iterable[Pixels], painter: FramePainter
    ) -> Generator[Pixels, None, None]:
        begun: deque[_Frame] = deque()
        with ExitStack() as stack:
            for pixels in frames:
                if not begun:
                    most = self._fitting(pixels, painter)
                    pool = stack.enter_context(ThreadPoolExecutor(most))
                before = begun[-1] if begun else self._last
                begun.append(_begun(pixels, before, painter, pool))
                if len(begun) > most + 1:
                    yield self._settled(begun.popleft())
            while begun:
                yield self._settled(begun.popleft())

    def _fitting(self, pixels: Pixels, painter: FramePainter) -> int:
        """Return how many such frames may be painted at once."""
        each = painter.bytes((pixels.shape[0], pixels.shape[1]))
        return max(1, min(self.at_once, int(budget() / each)))

    def _settled(self, frame: _Frame) -> Pixels:
        """Blend a frame: what moves as it is painted, what stands still nearly as it was."""
        painted, _ = frame.painted.result()
        last, self._last = self._last, frame
        if last is None or frame.course.age == 0:
            self._memory = {"cells": frame.cells.copy(), "painting": painted.astype(np.float32)}
        else:
            painted = self._moved(last, frame, painted)
        return painted

    def _moved(self, last: _Frame, frame: _Frame, painted: Pixels) -> Pixels:
        memory: Cells = self._memory["cells"]
        painting: Cells = self._memory["painting"]
        moves = np.clip((np.abs(frame.cells - memory) - _STILL) / (_MOVING - _STILL), 0, 1)
        share = _SETTLE + (1 - _SETTLE) * _spread(moves)
        memory += share * (frame.cells - memory)
        before = _sparse(painting).copy()
        settled = _moved(painting, painted, share)
        still = share[:: _SPARSE // _CELL, :: _SPARSE // _CELL] <= _SETTLE
        if still.any():
            film = _sparse(frame.pixels).astype(int) - _sparse(last.pixels)
            change = _sparse(painting) - before
            self._changes.append(
                (float(np.abs(change[still]).mean()), float(np.abs(film[still]).mean()))
            )
        return settled


@dataclass(frozen=True)
class _Course:
    """The statistics that paint a scene's frames."""

    age: int = 0
    """How many frames of the scene came before this one."""
    now: Arrays = field(default_factory=dict)
    goal: Arrays = field(default_factory=dict)
    measured: _Painted | None = None
    """The frame that was measured last; it gives the next goal."""
    contrast: float = 0.0
    """The contrast of the frames, followed slowly like the statistics."""

    @property
    def measures(self) -> bool:
        return self.age % _MEASURED == 0

    def outgrown(self, contrast: float) -> bool:
        return contrast > _FADES_IN * max(self.contrast, _BLANK)

    def after(self, painted: _Painted, contrast: float) -> _Course:
        """Return the course for the next frame, of such a contrast.

        ``painted`` is the frame that this course paints, even if it is still being painted.
        """
        age, goal = self.age + 1, self.goal
        measured = painted if self.measures else self.measured
        if measured and (age == 1 or age % _MEASURED == _KNOWN):
            goal = measured.result()[1]
        now = {
            name: last + np.float32(_FOLLOW) * (goal[name] - last)
            for name, last in (self.now or goal).items()
        }
        return _Course(
            age, now, goal, measured, self.contrast + _FOLLOW * (contrast - self.contrast)
        )


@dataclass(frozen=True)
class _Frame:
    """A frame in progress."""

    pixels: Pixels
    cells: Cells
    course: _Course
    painted: _Painted

    @property
    def state(self) -> dict[str, Array]:
        """All that the next frame needs to know of it."""
        course = self.course
        measured = self.painted if course.measures else course.measured
        statistics = {"now": course.now, "goal": course.goal}
        statistics["next"] = measured.result()[1] if measured else {}
        arrays = {f"{kind} {k}": v for kind, each in statistics.items() for k, v in each.items()}
        about = {"age": np.array(course.age), "contrast": np.array(course.contrast)}
        return {"pixels": self.pixels, **about, **arrays}

    @classmethod
    def of(cls, state: Mapping[str, Array]) -> _Frame:
        """Return the frame that had this state."""

        def part(kind: str) -> dict[str, Array]:
            return {k.removeprefix(kind): v for k, v in state.items() if k.startswith(kind)}

        pixels = state["pixels"]
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ValueError(f"pixels of {pixels.dtype}, {pixels.shape}")
        if any(array.dtype != np.float32 for name, array in state.items() if name[:4] in _KINDS):
            raise ValueError("statistics that are no numbers of 32 bits")
        painted: _Painted = Future()
        painted.set_result((pixels, part("next ")))
        contrast = float(state.get("contrast", 255))  # parts of an older version do not know
        course = _Course(int(state["age"]), part("now "), part("goal "), painted, contrast)
        return cls(pixels, _cells(pixels), course, painted)


def _begun(
    pixels: Pixels, before: _Frame | None, painter: FramePainter, pool: ThreadPoolExecutor
) -> _Frame:
    """Begin to paint a frame in the ``pool``, with the statistics of the scene before."""
    cells = _cells(pixels)
    contrast = float(cells.mean(-1).std())
    course = _Course(contrast=contrast)
    if before and not (_cut(before.cells, cells) or before.course.outgrown(contrast)):
        course = before.course.after(before.painted, contrast)
    painted = pool.submit(painter.paint, pixels, course.now, measured=course.measures)
    return _Frame(pixels, cells, course, painted)


def _remembered(state: Mapping[str, Array], last: _Frame) -> dict[str, Array]:
    """Return the memory that belongs to the last frame.

    Raises:
        ValueError, KeyError: it does not.
    """
    memory = {name: state[name] for name in _MEMORY}
    shapes = {"cells": last.cells.shape, "painting": last.pixels.shape}
    for name, array in memory.items():
        if array.dtype != np.float32 or array.shape != shapes[name]:
            raise ValueError(f"{name} of {array.dtype}, {array.shape}")
    return memory


def _cut(one: Cells, other: Cells) -> bool:
    """Say whether another scene begins between two frames."""
    return one.shape != other.shape or bool(np.abs(other - one).mean() > _CUT)


def _sparse(pixels: Array) -> Array:
    return pixels[::_SPARSE, ::_SPARSE]


def _moved(painting: Cells, painted: Pixels, share: Cells) -> Pixels:
    """Move ``painting`` its ``share`` of the way to what was painted; rounded.

    It works in bands that stay in the processor's cache, in a quarter of the time of whole frames.
    """
    settled = np.empty_like(painted)
    width = painting.shape[1]
    for top in range(0, len(painting), _BAND):
        rows = slice(top, top + _BAND)
        part = share[top // _CELL : (top + _BAND) // _CELL]
        if part.min() == 1:  # all of it moves
            painting[rows] = settled[rows] = painted[rows]
            continue
        band, change = painting[rows], painted[rows].astype(np.float32)
        change -= band
        fine = part.repeat(3 * _CELL, 1)[:, : 3 * width].repeat(_CELL, 0)
        change *= fine[: len(band)].reshape(change.shape)
        band += change
        settled[rows] = np.rint(band, out=change)
    return settled


def _cells(pixels: Pixels) -> Cells:
    """Return the mean lightness of small squares: it shows what moves, and hardly any noise."""
    height, width = pixels.shape[:2]
    below, right = -height % _CELL, -width % _CELL
    if below or right:
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
    rows = pixels.reshape(len(pixels) // _CELL, _CELL, -1).sum(1, dtype=np.uint16)
    # Not a product with ones: the threads of a BLAS would stay awake and wait for the next one.
    squares = functools.reduce(np.add, (rows[:, n :: 3 * _CELL] for n in range(3 * _CELL)))
    return squares / np.float32(3 * _CELL * _CELL)


def _spread(moves: Cells) -> Cells:
    """Let neighbours of what moves move, too, and at the border a little less."""
    grown = np.pad(moves, 2, mode="edge")
    most = _over(np.maximum, grown)
    return _over(np.add, most) / np.float32(9)


def _over(combine: np.ufunc, cells: Cells) -> Cells:
    """Combine each cell with its eight neighbours; the result has one row and column less at each
    edge."""
    rows = combine(combine(cells[:-2], cells[1:-1]), cells[2:])
    return combine(combine(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])

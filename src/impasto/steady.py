"""Painting a film: one frame after the other, without flicker, and without optical flow.

A network paints each frame anew, so that grain or a passing car changes the tone of the whole
frame, and brush marks dance where nothing moves. Two things make it steady:

* the statistics by which the network normalises are measured now and then and followed slowly,
  instead of jumping with each frame, so that what stands still is painted alike;
* where a frame shows what was there before, up to noise, the painting moves only a little
  towards the new one. What counts is the distance to a memory that moves along with it, so
  that slow changes add up until they are painted.

A cut starts anew.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto import stages
from impasto.engine import OnnxEngine
from impasto.tiles import Statistics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from impasto.tiles import Arrays, Run

    Pixels = NDArray[np.uint8]
    Cells = NDArray[np.float32]

_FOLLOW = 0.1
"""How far the statistics go, with each frame, towards those that were measured last."""
_MEASURED = 8
"""Frames after which they are measured anew: that takes an eighth of the painting's time."""
_STILL, _MOVING = 2.0, 10.0
"""Change of a cell, in levels, up to which it stands still, and from which on it moves."""
_SETTLE = 0.1
"""How far the painting of what stands still goes towards the new one."""
_CUT = 40.0
"""Mean change of all cells, in levels, that is another scene."""
_CELL = 4
_BAND = 4 * _CELL
"""Rows that are blended at a time."""


class SteadyEngine(OnnxEngine):
    """A network that paints the frames of a film, in their order.

    ``flicker`` is how much, in levels, what stood still has changed from frame to frame on
    average, in the painting; ``noise`` the same in the film.
    """

    def __init__(self, model: bytes, *, device: str = "auto", threads: int | None = None) -> None:
        super().__init__(model, device=device, threads=threads)
        self._state: dict[str, NDArray[Any]] = {}
        self._changes: list[tuple[float, float]] = []

    @property
    def flicker(self) -> float:
        return float(np.mean([painted for painted, _ in self._changes] or [0]))

    @property
    def noise(self) -> float:
        return float(np.mean([film for _, film in self._changes] or [0]))

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """What is remembered of the frames so far, to go on from another day."""
        return dict(self._state)

    @state.setter
    def state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._state = dict(state)

    @cached_property
    def _first(self) -> Run:
        return self._start(stages.whole(self._model, given=False, measured=True))

    @cached_property
    def _measuring(self) -> Run:
        return self._start(stages.whole(self._model, given=True, measured=True))

    @cached_property
    def _others(self) -> Run:
        return self._start(stages.whole(self._model, given=True, measured=False))

    def _paint(self, pixels: Pixels, mix: Arrays) -> Pixels:
        cells = _cells(pixels)
        before = self._state.get("cells")
        if before is None or before.shape != cells.shape or np.abs(cells - before).mean() > _CUT:
            self._state = {"cells": cells}
        painted = self._by_the_film(pixels, mix)
        if "painting" not in self._state:
            self._state |= {"painting": painted.astype(np.float32), "pixels": pixels}
            return painted
        return self._settled(pixels, cells, painted)

    def _by_the_film(self, pixels: Pixels, mix: Arrays) -> Pixels:
        """Painted with the film's statistics, which follow those of some of its frames."""
        state = self._state
        known = {key: value for key, value in state.items() if key.endswith((".mean", ".var"))}
        age = state.get("age", np.zeros((), np.int64))
        measured = age % _MEASURED == 0
        run = (self._measuring if measured else self._others) if known else self._first
        found = run(pixels[None], {**mix, **known})
        if measured:
            state |= {f"{key}.goal": value for key, value in _statistics(found).items()}
        for key, goal in [(key, value) for key, value in state.items() if key.endswith(".goal")]:
            last = known.get(name := key.removesuffix(".goal"), goal)
            state[name] = last + np.float32(_FOLLOW) * (goal - last)
        state["age"] = age + 1
        painted = next(array for array in found.values() if array.dtype == np.uint8)
        return np.asarray(painted[0])

    def _settled(self, pixels: Pixels, cells: Cells, painted: Pixels) -> Pixels:
        """What moves as it was painted, what stands still nearly as it was."""
        memory, painting = self._state["cells"], self._state["painting"]
        moves = np.clip((np.abs(cells - memory) - _STILL) / (_MOVING - _STILL), 0, 1)
        share = _SETTLE + (1 - _SETTLE) * _spread(moves)
        memory += share * (cells - memory)
        before = painting[::_CELL, ::_CELL].copy()
        settled = _moved(painting, painted, share)
        self._note(share <= _SETTLE, painting[::_CELL, ::_CELL] - before, pixels)
        self._state["pixels"] = pixels
        return settled

    def _note(self, still: NDArray[np.bool_], change: Cells, pixels: Pixels) -> None:
        if still.any():
            film = pixels[::_CELL, ::_CELL].astype(int) - self._state["pixels"][::_CELL, ::_CELL]
            self._changes.append(
                (float(np.abs(change[still]).mean()), float(np.abs(film[still]).mean()))
            )


def _statistics(found: Arrays) -> dict[str, NDArray[Any]]:
    """Of all that the network normalises, from what it has found of one frame."""
    known = {}
    for name in [key.removesuffix(".found") for key in found if key.endswith(".found")]:
        statistics = Statistics()
        statistics.add(found, name)
        known |= statistics.known(name)
    return known


def _moved(painting: Cells, painted: Pixels, share: Cells) -> Pixels:
    """Let ``painting`` go its ``share`` of the way to what was painted; rounded.

    In bands that stay in the processor's cache: a quarter of the time of whole frames.
    """
    settled = np.empty_like(painted)
    width = painting.shape[1]
    for top in range(0, len(painting), _BAND):
        rows = slice(top, top + _BAND)
        fine = share[top // _CELL : (top + _BAND) // _CELL].repeat(_CELL, 0)
        fine = fine.repeat(3 * _CELL, 1).reshape(len(fine), -1, 3)
        band = painting[rows]
        band += fine[: len(band), :width] * (painted[rows] - band)
        settled[rows] = np.rint(band)
    return settled


def _cells(pixels: Pixels) -> Cells:
    """Mean lightness of small squares: what moves is seen in it, noise hardly."""
    height, width = pixels.shape[:2]
    below, right = -height % _CELL, -width % _CELL
    if below or right:
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
    rows = pixels.reshape(len(pixels) // _CELL, _CELL, -1).sum(1, dtype=np.uint16)
    squares = rows.reshape(len(rows), -1, _CELL * 3).sum(2, dtype=np.uint16)
    return squares / np.float32(3 * _CELL * _CELL)


def _spread(moves: Cells) -> Cells:
    """The neighbours of what moves move too, and at the border a little less."""
    grown = np.pad(moves, 2, mode="edge")
    most = _over(np.maximum, grown)
    return _over(np.add, most) / np.float32(9)


def _over(combine: Any, cells: Cells) -> Cells:
    """Each cell with its eight neighbours; one row and column less at each edge."""
    rows = combine(combine(cells[:-2], cells[1:-1]), cells[2:])
    return combine(combine(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])

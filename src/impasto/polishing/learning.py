"""The loop of a polish: it reads from top to bottom, and does not depend on what computes the
steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from impasto.catalog.hypernetwork import Weights
from impasto.errors import MissingExtraError, TrainingError
from impasto.files import atomic, kept_steps
from impasto.files.kept_steps import WORK
from impasto.images import from_array
from impasto.images.grain import grain
from impasto.images.photographs import PhotographBytes
from impasto.options import TrainOptions
from impasto.options.losses import KINDS, TONE
from impasto.polishing import muon, state
from impasto.polishing.state import Course, State
from impasto.polishing.stepping import Step, Stepper
from impasto.progress import CancelToken, Progress
from impasto.studio import loss_curves
from impasto.studio.training.log import Log
from impasto.studio.training.schedule import schedule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[np.uint8]

_GRADIENT = "gradient"


@dataclass(frozen=True)
class Look:
    """What a network is worth at a time."""

    sample: Pixels
    """A photograph above its painting."""
    validation: float | None
    """The mean objective of photographs that are in no step; None without such."""


@dataclass(frozen=True)
class Learnt:
    """The end of a polish."""

    state: State
    seen: Look | None
    """A look at that state; None where no step was left to take."""
    stopped: bool
    """Whether it was stopped before all steps were taken."""


Tell = Callable[[Progress, Weights], None]
"""Called after each step with the weights as they are then."""


@dataclass(frozen=True)
class Lesson:
    """The photographs to learn from, and what computes the steps."""

    options: TrainOptions
    photographs: PhotographBytes
    stepper: Stepper

    def step(self, weights: Weights, number: int) -> Step:
        """Compute the step of this number, from 0 on."""
        return self._compared(weights, self.photographs.crop(number), number)

    @cached_property
    def held_out(self) -> list[Pixels]:
        return self.photographs.middles()

    def look(self, weights: Weights, done: int) -> Look:
        """Look at what was learnt in ``done`` steps."""
        photographs = self.held_out or [self.photographs.crop(done)]
        steps = [self._compared(weights, each, n) for n, each in enumerate(photographs)]
        sample = np.concatenate([photographs[0], steps[0][2]])
        mean = float(np.mean([losses["total"] for losses, *_ in steps]))
        return Look(sample, mean if self.held_out else None)

    def _compared(self, weights: Weights, photograph: Pixels, number: int) -> Step:
        chance = np.random.default_rng([self.options.seed, number, 2])
        height, width = photograph.shape[:2]
        levels = grain(chance, height, width, self.options.grain)
        return self.stepper(weights, photograph, levels)


def learn(
    lesson: Lesson, course: Course, begun: Weights, folder: Path, tell: Tell, cancel: CancelToken
) -> Learnt:
    """Take all steps, from ``begun`` or from where a stopped polish in ``folder`` was.

    Raises:
        TrainingError: a loss is not a number; what was learnt before stays on disk. Or another
            process learns there, or another polish was stopped there.
    """
    work = folder / WORK
    with kept_steps.alone(work):
        now = _resumed(course, begun, work, tell)
        weights, moments = dict(now.weights), now.moments
        log = Log(work / "losses.jsonl", now.step, here=True)
        seen, stop = None, False
        for done in range(now.step + 1, course.steps + 1):
            began = time.monotonic()
            losses, gradients, _ = lesson.step(weights, done - 1)
            gradients = _limited(losses, gradients, done)
            rate = lesson.options.learning_rate * schedule(done - 1, course.steps)
            muon.step(weights, gradients, moments, rate)
            now = State(done, dict(weights), moments)
            record = {**losses, "seconds": time.monotonic() - began, "from_disk": False}
            stop = cancel.cancelled
            save = stop or done % course.save_every == 0 or done == course.steps
            seen = lesson.look(weights, done) if save else None
            record |= _validated(seen)
            log.append(done, record)
            if seen:
                _keep(course, now, work, seen)
            shown = {name: losses[name] for name in (*KINDS, TONE)}
            tell(Progress(done, course.steps, shown), now.weights)
            if stop:
                break
        if seen:
            _draw(log, folder)
        return Learnt(now, seen, stop)


def _resumed(course: Course, begun: Weights, work: Path, tell: Tell) -> State:
    found, damaged = state.latest(work, course, begun)
    now = found or State(0, begun)
    for sentence in damaged:
        what = f"learning goes on from step {now.step}" if now.step else "learning begins anew"
        tell(Progress(now.step, course.steps, note=f"{sentence}; {what}"), now.weights)
    return now


def _limited(losses: Mapping[str, float], gradients: Weights, number: int) -> Weights:
    """Return the gradients, limited so that none undoes what was learnt.

    Raises:
        TrainingError: they, or a loss, are no numbers.
    """
    norm = muon.norm_of(gradients)
    numbers = {**losses, _GRADIENT: norm}
    bad = [name for name in (*KINDS, _GRADIENT) if not math.isfinite(numbers[name])]
    if bad:
        raise TrainingError(
            f"the {' and '.join(bad)}{'' if bad == [_GRADIENT] else ' loss'} stopped being a "
            f"number at step {number}",
            hint="use a lower --boldness, and --overwrite to begin anew",
        )
    return muon.clipped(gradients, norm)


def _validated(seen: Look | None) -> dict[str, float]:
    value = seen.validation if seen else None
    return {} if value is None or not math.isfinite(value) else {"validation": value}


def _keep(course: Course, now: State, work: Path, seen: Look) -> None:
    """Write the state and a sample to look at."""
    state.save(work, now, course)
    sample = from_array(seen.sample).encode("PNG")
    atomic.write(work / f"sample-{now.step:07}.png", sample, overwrite=True)


def _draw(log: Log, folder: Path) -> None:
    """Draw curves of the losses, where matplotlib is installed."""
    means: Mapping[int, Mapping[str, float]] = log.curves()
    with suppress(MissingExtraError):
        curves = loss_curves.png(list(means.values()), folder.name, steps=list(means))
        atomic.write(folder / WORK / "losses.png", curves, overwrite=True)

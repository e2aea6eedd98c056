"""How fast a style is learnt with today's defaults, beside those of before.

Before, a training compared Gram matrices alone and started from ``starry-night``. Today's also
compares covariances, keeps light and shade, and smooths the painting. The loss of Gram matrices
judges both, on photographs that neither learns from. It does so twice: of the painting as it is,
with the weave that the old recipe learns, and of the smoothed one. Needs ``--painting``,
``--photos`` and ``--steps``.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks.rows import Plan, Row
from impasto.files import kept_steps
from impasto.options import PLAIN_LOSS, TrainOptions
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_tensor
from impasto.studio.training import checkpoint_file
from impasto.studio.training.dataset import Photos
from impasto.studio.training.loop import evaluating
from impasto.studio.training.paintings import Painting
from impasto.studio.training.train import train

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.catalog import Style
    from impasto.progress import Progress

_EVERY = 4
"""Steps between two looks at the loss."""
_HELD_OUT = 8
_BAR = 4
_JUDGES = {"painting as it is": 0.0, "smoothed": TrainOptions.style_smoothing}
"""Smoothing of the painting that the losses are of."""


def recipes(_style: Style, plan: Plan) -> Iterator[Row]:
    """Measure the loss that each reaches, and how soon today's reaches the other's last one."""
    if not (plan.painting and plan.photos and plan.steps):
        return
    shared = TrainOptions(steps=plan.steps, save_every=_EVERY, held_out=_HELD_OUT)
    before = TrainOptions(
        **{**vars(shared), "loss": PLAIN_LOSS, "style_smoothing": 0.0, "paper": 0.0}
    )
    old = _learnt(plan, before, "starry-night")
    new = _learnt(plan, shared, "best")
    for judge in _JUDGES:
        last, theirs = new.losses[judge][-1], old.losses[judge][-1]
        yield Row(f"loss after {plan.steps} steps, {judge}", "", last, theirs, last / theirs)
        sooner = new.until(judge, theirs)
        if sooner is not None:
            yield Row(f"to the loss that the old recipe ends with, {judge}", "s", sooner,
                      old.seconds[-1], old.seconds[-1] / sooner, _BAR, at_least=True)  # fmt: skip
    for place, step in enumerate(new.steps):
        for judge in _JUDGES:
            ours, theirs = (each.losses[judge][place] for each in (new, old))
            yield Row(f"  loss after {step} steps, {judge}", "", ours, theirs, ours / theirs)


@dataclass
class _Course:
    """Measurements of a training, every few steps."""

    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=lambda: {each: [] for each in _JUDGES})

    def until(self, judge: str, loss: float) -> float | None:
        """Return the seconds until a loss was reached."""
        several = zip(self.seconds, self.losses[judge], strict=True)
        return next((seconds for seconds, each in several if each <= loss), None)


def _learnt(plan: Plan, options: TrainOptions, start: str) -> _Course:
    painting, photos, course = Path(str(plan.painting)), str(plan.photos), _Course()
    plain = Objective(PLAIN_LOSS)
    objectives = {
        judge: plain.towards([_wanted(painting, options.style_size, smoothing)])
        for judge, smoothing in _JUDGES.items()
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "style")
        held = Photos.of(photos, options, without=folder).validation()

        def look(progress: Progress) -> None:
            if progress.step and progress.step % _EVERY == 0 and not progress.note:
                course.steps.append(progress.step)
                course.seconds.append(_seconds(folder / kept_steps.WORK))
                for judge, loss in _losses(folder / kept_steps.WORK, objectives, held).items():
                    course.losses[judge].append(loss)

        train(painting, photos, folder, options=options, start=start, on_progress=look)
    return course


def _wanted(painting: Path, size: int, smoothing: float) -> StylePicture:
    picture = Painting(painting).picture(size, smoothing=smoothing)
    return StylePicture(to_tensor(picture.pixels)[None])


def _seconds(work: Path) -> float:
    """Return the seconds that the steps took, without what is done between them."""
    lines = (work / "losses.jsonl").read_text("utf-8").splitlines()
    return sum(json.loads(line)["seconds"] for line in lines)


def _losses(work: Path, objectives: Mapping[str, Objective], held: Tensor) -> dict[str, float]:
    """Return the mean losses of the paintings, which the loss network sees once for all judges."""
    network, sums = checkpoint_file.read(kept_steps.paths(work)[-1]).built(), dict[str, float]()
    first = next(iter(objectives.values()))
    with evaluating(network):
        for photo in held[:, None]:
            painted, content = network(photo, torch.ones(1)), first.content(photo)
            features = first.features(painted)
            for judge, each in objectives.items():
                loss = float(each.compared(features, painted, content).total)
                sums[judge] = sums.get(judge, 0.0) + loss / len(held)
    return sums

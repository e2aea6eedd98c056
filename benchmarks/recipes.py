"""How fast a style is learnt with today's defaults, beside those of before.

Before, a training compared Gram matrices alone and started from ``starry-night``. That loss judges
both, on photographs that neither learns from. Needs ``--painting``, ``--photos`` and ``--steps``.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
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
    what = f"loss after {plan.steps} steps"
    yield Row(what, "", new.losses[-1], old.losses[-1], new.losses[-1] / old.losses[-1])
    sooner = new.until(old.losses[-1])
    if sooner is not None:
        yield Row("to the loss that the old recipe ends with", "s", sooner, old.seconds[-1],
                  old.seconds[-1] / sooner, _BAR, at_least=True)  # fmt: skip
    for step, ours, theirs in zip(new.steps, new.losses, old.losses, strict=True):
        yield Row(f"  loss after {step} steps", "", ours, theirs, ours / theirs)


@dataclass
class _Course:
    """Measurements of a training, every few steps."""

    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def until(self, loss: float) -> float | None:
        """Return the seconds until a loss was reached."""
        there = (s for s, each in zip(self.seconds, self.losses, strict=True) if each <= loss)
        return next(there, None)


def _learnt(plan: Plan, options: TrainOptions, start: str) -> _Course:
    painting, photos, course = Path(str(plan.painting)), str(plan.photos), _Course()
    objective = Objective(PLAIN_LOSS).towards([_wanted(painting, options.style_size)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "style")
        held = Photos.of(photos, options, without=folder).validation()

        def look(progress: Progress) -> None:
            if progress.step and progress.step % _EVERY == 0 and not progress.note:
                course.steps.append(progress.step)
                course.seconds.append(_seconds(folder / kept_steps.WORK))
                course.losses.append(_loss(folder / kept_steps.WORK, objective, held))

        train(painting, photos, folder, options=options, start=start, on_progress=look)
    return course


def _wanted(painting: Path, size: int) -> StylePicture:
    return StylePicture(to_tensor(Painting(painting).picture(size).pixels)[None])


def _seconds(work: Path) -> float:
    """Return the seconds that the steps took, without what is done between them."""
    lines = (work / "losses.jsonl").read_text("utf-8").splitlines()
    return sum(json.loads(line)["seconds"] for line in lines)


def _loss(work: Path, objective: Objective, held: Tensor) -> float:
    network = checkpoint_file.read(kept_steps.paths(work)[-1]).built()
    with evaluating(network):
        each = [
            float(objective(network(photo, torch.ones(1)), objective.content(photo)).total)
            for photo in held[:, None]
        ]
    return sum(each) / len(each)

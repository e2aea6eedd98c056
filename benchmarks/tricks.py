"""The literature's tricks, each trained on the same photographs for as many steps as Johnson's.

Needs ``--painting`` and ``--photos``, and an hour or more. Trained networks stay in
``build/benchmarks`` and are not trained again.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks.rows import FULL_HD, Plan, Row, said
from impasto import catalog
from impasto.options import TrainOptions
from impasto.studio.evaluation import complexity
from impasto.studio.networks import preset
from impasto.studio.training.train import train

if TYPE_CHECKING:
    from impasto.catalog import Style

BASELINE = "johnson"
TRICKS = ("johnson-separable", "johnson-half", "johnson-both", "light")
HELD_OUT = 16
_COUNT = 60
WORK = Path("build/benchmarks")


def tricks(_style: Style, plan: Plan) -> Iterator[Row]:
    """Measure objective on photographs in no batch, time and size, each against the baseline's."""
    if not (plan.painting and plan.photos and plan.steps):
        return
    base = _trained(BASELINE, plan)
    for name in TRICKS:
        trick, light = _trained(name, plan), name == "light"
        for what, unit, bar in (
            (f"objective after {plan.steps} steps", "", 1.1 if light else None),
            (f"time at {said(FULL_HD)}", "ms", 0.1 if light else None),
            ("parameters", "", None),
        ):
            one, other = trick[what], base[what]
            yield Row(f"{name} against {BASELINE}, {what}", unit, one, other, one / other, bar)
    kept, computed = _steps(plan)
    yield Row("a step of light with kept content features", "s", kept, computed, kept / computed)


def _trained(name: str, plan: Plan) -> dict[str, Any]:
    folder = trained(name, plan, TrainOptions(held_out=HELD_OUT, network=preset(name), grain=0))
    training = json.loads((folder / catalog.CARD).read_bytes())["training"]
    (measured,) = complexity.measure([name], FULL_HD)
    return {
        f"objective after {plan.steps} steps": training["validation"],
        f"time at {said(FULL_HD)}": measured.ms,
        "parameters": measured.parameters,
    }


def _steps(plan: Plan) -> tuple[float, float]:
    """Measure seconds of a training's step with content features on disk, and with computed ones.

    Both are in turns of the same training.
    """
    with tempfile.TemporaryDirectory() as name, patch.dict(os.environ, IMPASTO_CACHE=name):
        crops = _COUNT // 2
        options = TrainOptions(steps=_COUNT, precompute=crops, held_out=0, save_every=_COUNT)
        style = train(str(plan.painting), str(plan.photos), Path(name, "style"), options=options)
        seconds = json.loads((style / catalog.CARD).read_bytes())["training"]["seconds_per_step"]
    return seconds["kept"], seconds["computed"]


def trained(name: str, plan: Plan, options: TrainOptions, start: str | None = None) -> Path:
    """Return the style that a training of ``plan.steps`` gives; take one that is there."""
    painting = str(plan.painting)
    folder = WORK / f"{Path(painting).stem}-{name}-{plan.steps}"
    if not (folder / catalog.CARD).exists():
        options = replace(options, steps=plan.steps, precompute=plan.steps)
        train(painting, str(plan.photos), folder, options=options, start=start)
    return folder

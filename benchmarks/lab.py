"""The lab beside the optimiser alone: what sharing saves, and what the report costs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rows import Plan, Row
from impasto.assets import demo_photo
from impasto.lab import report, runs
from impasto.lab.experiment import Axis, Experiment, Value
from impasto.options import OptimizeOptions
from impasto.studio.optimization.optimize import optimize

if TYPE_CHECKING:
    from impasto.catalog import Style

STYLE_WEIGHTS, TV_WEIGHTS = (1, 2, 4, 8, 16, 32), (0.0, 0.1, 0.3, 1.0)
SIZE, STEPS = 192, 20


def lab(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure 24 runs and their report, beside 24 calls of the optimiser, in turns."""
    photo = Path(plan.photo or demo_photo())
    painting = Path(plan.painting or style.preview)
    axes = [
        Axis(name, tuple(Value(str(value), {name: value}) for value in values))
        for name, values in (("style_weight", STYLE_WEIGHTS), ("tv_weight", TV_WEIGHTS))
    ]
    base = OptimizeOptions(size=SIZE, steps=STEPS, device="cpu")
    experiment = Experiment("24 runs", "", (photo,), (painting,), base, tuple(axes))
    trials = experiment.trials()
    alone = whole = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for trial in trials:
            began = time.perf_counter()
            runs.run([trial], Path(folder))
            middle = time.perf_counter()
            optimize(trial.content, trial.style, options=trial.options)
            whole += middle - began
            alone += time.perf_counter() - middle
        began = time.perf_counter()
        report.write(experiment, runs.run(trials, Path(folder)), Path(folder))
        written = time.perf_counter() - began
    what = f"a lab of {len(trials)} runs at {SIZE} px, {STEPS} steps"
    together = whole + written
    yield Row(f"{what}, against the optimiser alone", "s", together, alone, together / alone, 1.1)
    yield Row("  of these, the report", "s", written)

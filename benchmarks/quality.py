"""Bundled styles beside rivals' trained networks: one loss, the same photographs, and time.

Ours paint as ``stylize`` does, on photographs with a little grain. The loss is that of the
photographs without it.

The rivals' networks are not ours to ship. ``--rivals`` names a folder with them. Without it there
is nothing to measure.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file

from benchmarks.measure import medians, timed
from benchmarks.rivals import FastStyleTransfer
from benchmarks.rows import Plan, Row, whole
from impasto import catalog, images
from impasto.images import sampling
from impasto.images.grain import grained
from impasto.images.picture import Picture
from impasto.inference.engine import OnnxEngine
from impasto.options import StylizeOptions
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_tensor
from impasto.studio.training.paintings import Painting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.catalog import Style

COUNT, SIDE = 4, 512
SHEET = Path(__file__).parent / "results" / "rivals.jpg"


def quality(_style: Style, plan: Plan) -> Iterator[Row]:
    """Measure objective and time of each bundled style that a rival has learnt as well."""
    if not (plan.rivals and plan.paintings and plan.photos):
        return
    given = sampling.some(Path(plan.photos), COUNT, SIDE).values()
    pictures = [whole(picture.pixels) for picture in given]
    cells = []
    for file in sorted(Path(plan.rivals).glob("*.safetensors")):
        rival, _, name = file.stem.partition("-")
        if name not in catalog.bundled():
            continue
        style = catalog.bundled()[name]
        painting = Path(plan.paintings, f"{name}.jpg")
        engine, network = (
            OnnxEngine(style.model(), device="cpu"),
            FastStyleTransfer(load_file(file)),
        )
        ours = [engine.paint(grained(each, StylizeOptions.grain)) for each in pictures]
        theirs = [_painted(network, each) for each in pictures]
        objective = _objective(style, painting)
        one, other = (_totals(objective, pictures, each) for each in (ours, theirs))
        label = f"{name} against {rival}, objective on {len(pictures)} photographs"
        yield Row(label, "", one, other, one / other, bar=1)
        photo = pictures[0]
        runs = {"ours": partial(engine.paint, photo), "theirs": partial(_painted, network, photo)}
        times = medians({who: timed(run) for who, run in runs.items()}, plan.repeats)
        speed = times["theirs"] / times["ours"]
        what = f"  time at {photo.shape[1]}x{photo.shape[0]}, the rival in torch"
        yield Row(what, "ms", times["ours"] * 1e3, times["theirs"] * 1e3, speed, 20, at_least=True)
        cells += [("photograph", photo), (f"{name}, impasto", ours[0]), (rival, theirs[0])]
    if cells:
        images.compose([(text, Picture(each)) for text, each in cells], columns=3).save(
            SHEET, overwrite=True
        )


def _objective(style: Style, painting: Path) -> Objective:
    loss, size, crop, smoothing = catalog.learnt_with(style)
    picture = Painting(painting, style.name).picture(size, crop, smoothing)
    return Objective(loss, [StylePicture(to_tensor(picture.pixels)[None])])


def _totals(
    objective: Objective, given: list[NDArray[np.uint8]], painted: list[NDArray[np.uint8]]
) -> float:
    objectives = []
    for photo, painting in zip(given, painted, strict=True):
        content = objective.content(to_tensor(photo)[None])
        with torch.no_grad():
            objectives.append(float(objective(to_tensor(painting)[None], content).total))
    return statistics.mean(objectives)


def _painted(network: FastStyleTransfer, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        painted = network(x).clamp(0, 255).round().byte()
    return np.ascontiguousarray(painted[0].permute(1, 2, 0).numpy())

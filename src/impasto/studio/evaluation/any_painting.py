"""Numbers that say how good styles are that are made of paintings, at once and after a polish.

One loss, that of ``impasto train``, measures everything, so that the numbers compare. They compare
with each other, and with the photograph as it is. They also compare with other programs that paint
the same photographs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from impasto import catalog
from impasto.catalog import Style
from impasto.catalog.painted import seen
from impasto.errors import TrainingError, in_memory
from impasto.files import lookup
from impasto.images import sampling
from impasto.images.grain import grained
from impasto.images.picture import Picture
from impasto.inference.engine import OnnxEngine
from impasto.options import EvaluateOptions, LossOptions, StyleOptions, TrainOptions
from impasto.options.fields import Json
from impasto.options.losses import TONE
from impasto.progress import OnProgress, Progress, silent
from impasto.studio.device import torch_device
from impasto.studio.evaluation.evaluate import distance
from impasto.studio.perceptual import backbone, loading
from impasto.studio.perceptual.losses import light, tone_loss
from impasto.studio.perceptual.objective import Features, Objective, StylePicture
from impasto.studio.tensors import to_tensor

AT_ONCE, PHOTOGRAPH = "at once", "photograph"

Pixels: TypeAlias = np.ndarray
Scores = dict[str, float]
"""Means over the photographs, for one style.

``total`` is the objective. ``style`` and ``content`` are relative. ``tone`` is the correlation of
light and shade. ``second`` is the content distance in the second network, if there is one.
"""
Polish = Callable[[Path, Path, str], Style]
"""A function that polishes a style, from a painting, a folder to work in, and a duration."""


class Judge:
    """Measures paintings of the same photographs, ``(H, W, 3)`` bytes each.

    The loss is by default that of a training.

    Raises:
        DeviceError: there is no such device.
        OptionError: no such second network.
    """

    def __init__(
        self,
        photographs: Sequence[Pixels],
        options: EvaluateOptions,
        network: backbone.LossNetwork | None = None,
        loss: LossOptions | None = None,
    ) -> None:
        device = torch_device(options.device)
        self._photographs = [to_tensor(each)[None].to(device) for each in photographs]
        self._objective = Objective(loss or TrainOptions().loss, network=network)
        self._objective.network.to(device)
        self._second = None
        if options.second:
            self._second = loading.load(options.second, weights=options.second_weights).to(device)

    def towards(self, painting: Pixels) -> Objective:
        """Return the objective of one painting's style."""
        return self._objective.towards([StylePicture(self._tensor(painting))])

    @torch.no_grad()
    def __call__(
        self,
        objective: Objective,
        paintings: Sequence[Pixels],
        also: Mapping[str, Objective] | None = None,
    ) -> Scores:
        """Return means over the photographs, for their paintings.

        Each of ``also`` adds a style loss under its name, of the same features. So it compares the
        same layers.
        """
        several = zip(paintings, self._photographs, self._contents, self._seconds, strict=True)
        each = [
            self._one(objective, also or {}, self._tensor(painting), photograph, content, second)
            for painting, photograph, content, second in several
        ]
        return {name: float(np.mean([one[name] for one in each])) for name in each[0]}

    def _one(
        self,
        objective: Objective,
        also: Mapping[str, Objective],
        painted: Tensor,
        photograph: Tensor,
        content: Features,
        second: Features,
    ) -> Scores:
        features = objective.features(painted)
        losses = objective.compared(features, painted, content).numbers()
        scores = {name: losses[name] for name in ("total", "style", "content")}
        scores[TONE] = 1 - float(tone_loss(light(painted), light(photograph)))
        if self._second:
            scores["second"] = distance(self._second(painted, second), second)
        for name, other in also.items():
            scores[name] = float(other.compared(features, painted, content).parts["style"])
        return scores

    @cached_property
    def _contents(self) -> list[Features]:
        return [self._objective.content(each) for each in self._photographs]

    @cached_property
    def _seconds(self) -> list[Features]:
        network = self._second
        if network is None:
            return [{} for _ in self._photographs]
        return [network(each, network.content_layers) for each in self._photographs]

    def _tensor(self, pixels: Pixels) -> Tensor:
        return to_tensor(pixels)[None].to(self._objective.network.mean.device)


@dataclass(frozen=True)
class AnyEvaluation:
    """Paintings as styles: by name, the scores of each at several times."""

    options: EvaluateOptions
    photographs: list[str]
    paintings: Mapping[str, Mapping[str, Scores]]
    """Scores at once, after each polish, and of the photograph as it is."""

    def means(self) -> dict[str, Scores]:
        """Return the means over all paintings."""
        several = list(self.paintings.values())
        return {
            when: {name: float(np.mean([each[when][name] for each in several])) for name in scores}
            for when, scores in several[0].items()
        }

    def worst(self, when: str) -> tuple[str, float]:
        """Return the painting with the largest style loss, and that loss."""
        losses = {name: each[when]["style"] for name, each in self.paintings.items()}
        name = max(losses, key=lambda each: losses[each])
        return name, losses[name]

    def record(self) -> dict[str, Json]:
        """Return everything, for programs."""
        return {**asdict(self), "means": self.means()}


@in_memory("what is compared", hint="use a smaller --size", kind=TrainingError)
def evaluate_any(
    paintings: str | Path,
    folder: str | Path,
    polish: Polish,
    *,
    options: EvaluateOptions | None = None,
    style: StyleOptions | None = None,
    network: backbone.LossNetwork | None = None,
    on_progress: OnProgress = silent,
) -> AnyEvaluation:
    """Measure the style that is made of each painting, on photographs.

    Args:
        paintings: a folder of pictures, which the hypernetwork should not have learnt from.
        folder: the photographs.
        polish: polishes a style, for each of ``options.polish``.
        options: see :class:`~impasto.options.EvaluateOptions`.
        style: how styles are made at once.
        network: a loaded loss network to reuse.
        on_progress: called after each painting.

    Raises:
        OptionError, PictureError: a value, or a picture that cannot be used.
        TrainingError: no photograph can be read.
    """
    options = options or EvaluateOptions()
    files = lookup.pictures(paintings).paths
    photographs = sampling.some(Path(folder), options.count, options.size)
    pixels = [each.pixels for each in photographs.values()]
    judge, measured = Judge(pixels, options, network), {}
    for number, path in enumerate(files, 1):
        found = _measured(path, pixels, judge, polish, options, style or StyleOptions())
        measured[path.stem] = found
        shown = {when: each["style"] for when, each in found.items() if when != PHOTOGRAPH}
        on_progress(Progress(number, len(files), shown))
    return AnyEvaluation(options, [path.name for path in photographs], measured)


def painted(style: Style, photographs: Sequence[Pixels], grain: float) -> list[Pixels]:
    """Paint photographs with the network of a style, as ``impasto stylize`` does."""
    engine = OnnxEngine(style.loaded(), device="cpu")
    return [
        engine.paint(np.ascontiguousarray(grained(each, grain)), style.weights)
        for each in photographs
    ]


def wanted(path: Path, crop: str) -> Picture:
    """Return a painting as a training sees it."""
    return seen(path, TrainOptions.style_size, crop, TrainOptions.style_smoothing)


def _measured(
    path: Path,
    photographs: Sequence[Pixels],
    judge: Judge,
    polish: Polish,
    options: EvaluateOptions,
    style: StyleOptions,
) -> dict[str, Scores]:
    """Return the scores of one painting, by time."""
    objective = judge.towards(wanted(path, style.style_crop).pixels)
    scores = {PHOTOGRAPH: judge(objective, photographs)}

    def measure(when: str, made: Style) -> None:
        scores[when] = judge(objective, painted(made, photographs, options.grain))

    measure(AT_ONCE, catalog.find(path, style))
    for amount in options.polish:
        with tempfile.TemporaryDirectory() as work:
            measure(f"after {amount}", polish(path, Path(work), amount))
    return scores

"""How good a trained style is, in numbers: its paintings beside those of the optimiser.

Johnson et al. 2016 (arXiv 1603.08155, section 4.1 and figure 5) measure a network with the loss
that it was trained on. Its painting's loss is taken relative to the photograph's own. It is also
compared with L-BFGS (Gatys et al. 2016): after how many iterations a painting is as good.

L-BFGS begins with grey and a level of noise, as in their published code. From the photograph it
would have much less to do, and a network would be worth fewer of its iterations. A network's
painting is what ``impasto stylize`` makes of the photograph, grain and all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto import catalog, images
from impasto.catalog import Style, learnt_with
from impasto.catalog.painted import seen
from impasto.errors import TrainingError, in_memory
from impasto.images import sampling
from impasto.images.metrics import Specks, border, mean_difference, specks
from impasto.images.picture import Picture
from impasto.options import EvaluateOptions, LossOptions
from impasto.options.fields import Json
from impasto.progress import OnProgress, Progress, silent
from impasto.studio.evaluation.contest import Contest, as_good, lbfgs
from impasto.studio.perceptual import backbone, loading
from impasto.studio.perceptual.losses import content_loss
from impasto.studio.perceptual.objective import Features, Objective

QUARTILES = (0.25, 0.5, 0.75)
NETWORK, PHOTOGRAPH, PASTED = "network", "photograph", "style pasted"

Scores = dict[str, float]
"""Losses of one picture by name, as in :class:`~impasto.studio.perceptual.objective.Losses`.

``relative`` is the total, divided by the photograph's own total. ``second`` is the content distance
in the second network, if there is one.
"""


@dataclass(frozen=True)
class Evaluated:
    """One photograph."""

    photo: str
    scores: dict[str, Scores]
    """Scores of each kind of picture.

    They are of the network's painting, and of L-BFGS after several iterations. Two more show the
    numbers without a painting: the photograph as it is, and the style picture pasted over it.
    """
    iterations: int | None
    """Iterations after which the optimiser is as good as the network; None if all were too few."""
    flicker: float
    """Change of the painting over change of the photograph, for a little noise."""


@dataclass(frozen=True)
class Evaluation:
    """A style on all photographs."""

    style: str
    loss: LossOptions
    style_size: int
    options: EvaluateOptions
    photos: list[Evaluated]
    specks: dict[str, Specks]
    """Specks of the network's paintings, and of the photographs, which show what is chance."""
    border: float | None
    """A line along an edge of the paintings, in levels of 255; None where all are too small."""

    def means(self) -> dict[str, Scores]:
        """Return the scores of each kind of picture, as means over the photographs."""
        first = self.photos[0].scores
        return {
            kind: {
                name: float(np.mean([each.scores[kind][name] for each in self.photos]))
                for name in scores
            }
            for kind, scores in first.items()
        }

    def iterations(self) -> list[int | None]:
        """Return the quartiles; None means more than were run. Between two photographs, the lower
        counts."""
        runs = self.options.iterations
        needed = [runs + 1 if e.iterations is None else e.iterations for e in self.photos]
        quartiles = [int(q) for q in np.quantile(needed, QUARTILES, method="lower")]
        return [None if q > runs else q for q in quartiles]

    @property
    def flicker(self) -> float:
        return float(np.mean([each.flicker for each in self.photos]))

    def record(self) -> dict[str, Json]:
        """Return everything, for programs."""
        return {
            **asdict(self),
            "means": self.means(),
            "iterations": self.iterations(),
            "flicker": self.flicker,
        }


@in_memory("what is compared", hint="use a smaller --size", kind=TrainingError)
def evaluate(
    style: str | Path | Style,
    painting: str | Path,
    folder: str | Path,
    *,
    options: EvaluateOptions | None = None,
    network: backbone.LossNetwork | None = None,
    on_progress: OnProgress = silent,
) -> Evaluation:
    """Measure ``style`` on photographs that it was not learnt from.

    Its card says which loss, size and part of the painting it was learnt with. Where the card is
    silent, the defaults of ``impasto train`` count.

    Args:
        style: a name, a folder or a card; as :func:`impasto.catalog.find` takes it.
        painting: the picture that the style was learnt from.
        folder: the photographs.
        options: see :class:`~impasto.options.EvaluateOptions`.
        network: a loaded loss network to reuse; it must fit the style's.
        on_progress: called after every iteration of the optimiser.

    Raises:
        OptionError, PictureError: a name, a value or a picture that cannot be used.
        TrainingError: no photograph can be read, or a loss is not a number.
    """
    options, trained = options or EvaluateOptions(), catalog.find(style)
    loss, size, crop, smoothing = learnt_with(trained)
    picture = seen(painting, size, crop, smoothing)
    contest = Contest(trained, picture, options, network)
    second = None
    if options.second:
        second = loading.load(options.second, weights=options.second_weights).to(contest.device)
    measure = _Measure(contest, picture, second, options)
    pictures, done = sampling.some(Path(folder), options.count, options.size), []
    for number, (path, photo) in enumerate(pictures.items()):
        move = _moved(on_progress, number, len(pictures), options.iterations)
        done.append(measure(path.name, photo, move))
    return Evaluation(trained.name, loss, size, options, done, measure.specks(), measure.border())


class _Measure:
    """Measures photographs with the objective of a contest."""

    def __init__(
        self,
        contest: Contest,
        painting: Picture,
        second: backbone.LossNetwork | None,
        options: EvaluateOptions,
    ) -> None:
        self._contest, self._painting, self._options = contest, painting, options
        self._second = second
        self._rng = np.random.default_rng(options.seed)
        self._done: list[tuple[np.ndarray, np.ndarray]] = []
        """Photographs and their paintings, so far."""

    def specks(self) -> dict[str, Specks]:
        """Return the specks of all pictures measured so far."""
        photographs, paintings = zip(*self._done, strict=True)
        return {
            NETWORK: specks(paintings, photographs),
            PHOTOGRAPH: specks(photographs, photographs),
        }

    def border(self) -> float | None:
        """Return the line along an edge of all pictures measured so far."""
        return border(self._contest.paint, *zip(*self._done, strict=True))

    def __call__(self, name: str, photo: Picture, on_progress: OnProgress) -> Evaluated:
        pasted = images.resize_to(self._painting, (photo.height, photo.width))
        painted = self._contest.paint(photo.pixels)
        self._done.append((photo.pixels, painted))
        x = self._contest.tensor(photo.pixels)
        objective, start = self._contest.begun(x, self._rng)
        course, pictures = lbfgs(objective, x, start, self._options.iterations, on_progress)
        shown = {
            NETWORK: self._contest.tensor(painted),
            PHOTOGRAPH: x,
            PASTED: self._contest.tensor(pasted.pixels),
            **{f"L-BFGS {n}": y for n, y in pictures.items()},
        }
        scores = {kind: self._scores(objective, y, x) for kind, y in shown.items()}
        own = scores[PHOTOGRAPH]["total"]
        scores = {kind: {"relative": s["total"] / own, **s} for kind, s in scores.items()}
        equal = as_good(course, scores[NETWORK]["total"])
        return Evaluated(name, scores, equal, self._flicker(photo.pixels, painted))

    def _scores(self, objective: Objective, picture: Tensor, photo: Tensor) -> Scores:
        with torch.no_grad():
            scores = objective(picture, objective.content(photo)).numbers()
            if self._second:
                layers = self._second.content_layers
                features, target = (self._second(each, layers) for each in (picture, photo))
                scores["second"] = distance(features, target)
        return scores

    def _flicker(self, pixels: np.ndarray, painted: np.ndarray) -> float:
        """Measure how much the painting changes with invisible noise: such a change moves in every
        film."""
        noise = self._rng.normal(0, self._options.flicker_noise, pixels.shape)
        noisy = (pixels + noise).round().clip(0, 255).astype(np.uint8)
        apart = mean_difference(noisy, pixels) or math.nextafter(0, 1)
        return mean_difference(self._contest.paint(noisy), painted) / apart


def distance(features: Features, target: Features) -> float:
    """Return the relative content distance, the mean over the layers."""
    return float(
        np.mean([float(content_loss(features[layer], target[layer])) for layer in features])
    )


def _moved(
    on_progress: OnProgress, number: int, count: int, iterations: int
) -> Callable[[Progress], None]:
    """Turn progress in one photograph into progress in all."""
    return lambda one: on_progress(
        Progress(number * iterations + one.step, count * iterations, one.losses)
    )

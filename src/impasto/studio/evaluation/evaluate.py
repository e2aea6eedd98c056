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
from impasto.images.metrics import Specks, mean_difference, specks
from impasto.images.picture import Picture
from impasto.inference.engine import OnnxEngine
from impasto.options import EvaluateOptions, LossOptions
from impasto.options.fields import Json
from impasto.progress import OnProgress, Progress, silent
from impasto.studio.device import torch_device
from impasto.studio.optimization.solvers import Lbfgs
from impasto.studio.perceptual import backbone, loading
from impasto.studio.perceptual.losses import content_loss
from impasto.studio.perceptual.objective import Features, Objective, StylePicture
from impasto.studio.tensors import to_tensor
from impasto.stylization.stylizer import paint

MARKS = (50, 100, 200, 500)
"""Iterations of L-BFGS after which its picture is measured; the last one is, too."""
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
    loss, size, crop = learnt_with(trained)
    device = torch_device(options.device)
    picture = seen(painting, size, crop)
    objective = Objective(loss, network=network)
    objective.network.to(device)
    style_picture = StylePicture(to_tensor(picture.pixels)[None].to(device))
    objective = objective.towards([style_picture])
    second = None
    if options.second:
        second = loading.load(options.second, weights=options.second_weights).to(device)
    measure = _Measure(trained, picture, objective, second, options)
    pictures, done = sampling.some(Path(folder), options.count, options.size), []
    for number, (path, photo) in enumerate(pictures.items()):
        move = _moved(on_progress, number, len(pictures), options.iterations)
        done.append(measure(path.name, photo, move))
    return Evaluation(trained.name, loss, size, options, done, measure.specks())


def lbfgs(
    objective: Objective,
    photo: Tensor,
    start: Tensor,
    iterations: int,
    on_progress: OnProgress = silent,
) -> tuple[list[float], dict[int, Tensor]]:
    """Paint ``photo`` on ``start``, both ``(1, 3, H, W)``, 0..1, at one scale.

    Returns:
        The lowest objective after 0, 1, ... ``iterations``; and the pictures that had it
        at :data:`MARKS` and at the end.

    Raises:
        TrainingError: the loss stopped being a number.
    """
    content, solver = objective.content(photo), Lbfgs()
    x, best, lowest = start, start, math.inf
    course: list[float] = []
    pictures: dict[int, Tensor] = {}
    for number in range(iterations + 1):
        point = x.detach().requires_grad_(True)
        total = objective(point, content).total
        (gradient,) = torch.autograd.grad(total, point)
        value = total.item()
        if not math.isfinite(value):
            raise TrainingError(f"the objective stopped being a number at iteration {number}")
        if value < lowest:
            best, lowest = x, value
        course.append(lowest)
        if number in MARKS or number == iterations:
            pictures[number] = best
        if number:
            on_progress(Progress(number, iterations, {"objective": lowest}))
        x = solver.propose(x, value, gradient)
    return course, pictures


class _Measure:
    """Measures photographs with one objective."""

    def __init__(
        self,
        style: Style,
        painting: Picture,
        objective: Objective,
        second: backbone.LossNetwork | None,
        options: EvaluateOptions,
    ) -> None:
        self._style, self._painting, self._options = style, painting, options
        self._objective, self._second = objective, second
        self._engine = OnnxEngine(style.loaded(), device="cpu")
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

    def __call__(self, name: str, photo: Picture, on_progress: OnProgress) -> Evaluated:
        pasted = images.resize_to(self._painting, (photo.height, photo.width))
        painted = self._paint(photo.pixels)
        self._done.append((photo.pixels, painted))
        x = self._tensor(photo.pixels)
        start = self._start(x)
        objective = self._objective.balanced(start, self._objective.content(x))
        course, pictures = lbfgs(objective, x, start, self._options.iterations, on_progress)
        shown = {
            NETWORK: self._tensor(painted),
            PHOTOGRAPH: x,
            PASTED: self._tensor(pasted.pixels),
            **{f"L-BFGS {n}": y for n, y in pictures.items()},
        }
        scores = {kind: self._scores(objective, y, x) for kind, y in shown.items()}
        own = scores[PHOTOGRAPH]["total"]
        scores = {kind: {"relative": s["total"] / own, **s} for kind, s in scores.items()}
        reached = scores[NETWORK]["total"]
        equal = next((number for number, best in enumerate(course) if best <= reached), None)
        return Evaluated(name, scores, equal, self._flicker(photo.pixels, painted))

    def _start(self, photo: Tensor) -> Tensor:
        if self._options.init == "content":
            return photo
        noise = self._rng.standard_normal(photo.shape, np.float32) / 255
        return torch.from_numpy(0.5 + noise).to(photo.device)

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
        return mean_difference(self._paint(noisy), painted) / apart

    def _paint(self, pixels: np.ndarray) -> np.ndarray:
        photo, weights = np.ascontiguousarray(pixels), self._style.weights
        return paint(self._engine, photo, weights, grain=self._options.grain)

    def _tensor(self, pixels: np.ndarray) -> Tensor:
        return to_tensor(pixels)[None].to(self._objective.network.mean.device)


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

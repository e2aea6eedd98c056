"""The network of a style beside L-BFGS, on the loss that the network was trained on.

Johnson et al. 2016 (arXiv 1603.08155, figure 5) compare them so. They count the iterations after
which the optimiser is as good as the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from impasto.catalog import Style, learnt_with
from impasto.errors import TrainingError
from impasto.images.picture import Picture
from impasto.inference.engine import OnnxEngine
from impasto.options import EvaluateOptions
from impasto.progress import OnProgress, Progress, silent
from impasto.studio.device import torch_device
from impasto.studio.optimization.solvers import Lbfgs
from impasto.studio.perceptual import backbone
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_tensor
from impasto.stylization.stylizer import paint

MARKS = (50, 100, 200, 500)
"""Iterations of L-BFGS after which its picture is measured; the last one is, too."""


class Contest:
    """A style's network and L-BFGS, which paint the same photographs for one objective.

    Args:
        style: its card says which loss counts.
        painting: what the style was learnt from, at the size at which it was learnt.
        options: see :class:`~impasto.options.EvaluateOptions`.
        network: a loaded loss network to reuse; it must fit the style's.

    Raises:
        DeviceError: there is no such device.
        OptionError: the loss is one of a newer version.
        StyleError: the network is missing, damaged or foreign.
    """

    def __init__(
        self,
        style: Style,
        painting: Picture,
        options: EvaluateOptions,
        network: backbone.LossNetwork | None = None,
    ) -> None:
        self._weights, self._options = style.weights, options
        self.device = torch_device(options.device)
        loss = learnt_with(style).loss
        objective = Objective(loss, network=network)
        objective.network.to(self.device)
        self._objective = objective.towards([StylePicture(self.tensor(painting.pixels))])
        self._engine = OnnxEngine(style.loaded(), device="cpu")

    def paint(self, pixels: np.ndarray) -> np.ndarray:
        """Return the network's painting of ``(H, W, 3)`` bytes, as ``impasto stylize`` makes it."""
        photo = np.ascontiguousarray(pixels)
        return paint(self._engine, photo, self._weights, grain=self._options.grain)

    def tensor(self, pixels: np.ndarray) -> Tensor:
        """Return ``(H, W, 3)`` bytes as ``(1, 3, H, W)``, 0..1, on the objective's device."""
        return to_tensor(pixels)[None].to(self.device)

    def begun(self, photo: Tensor, rng: np.random.Generator) -> tuple[Objective, Tensor]:
        """Return the objective for ``photo``, and the picture with which L-BFGS begins."""
        start = self._start(photo, rng)
        return self._objective.balanced(start, self._objective.content(photo)), start

    def iterations(self, photo: Picture) -> int | None:
        """Return after how many iterations L-BFGS is as good as the network; it stops there.

        The same photograph has the same noise each time. None means that all iterations of the
        options were too few.

        Raises:
            TrainingError: the loss stopped being a number.
        """
        x, painted = self.tensor(photo.pixels), self.tensor(self.paint(photo.pixels))
        objective, start = self.begun(x, np.random.default_rng(self._options.seed))
        with torch.no_grad():
            reached = objective(painted, objective.content(x)).total.item()
        course, _ = lbfgs(objective, x, start, self._options.iterations, until=reached)
        return as_good(course, reached)

    def _start(self, photo: Tensor, rng: np.random.Generator) -> Tensor:
        if self._options.init == "content":
            return photo
        noise = rng.standard_normal(photo.shape, np.float32) / 255
        return torch.from_numpy(0.5 + noise).to(photo.device)


def lbfgs(
    objective: Objective,
    photo: Tensor,
    start: Tensor,
    iterations: int,
    on_progress: OnProgress = silent,
    *,
    until: float = -math.inf,
) -> tuple[list[float], dict[int, Tensor]]:
    """Paint ``photo`` on ``start``, both ``(1, 3, H, W)``, 0..1, at one scale.

    It ends after ``iterations``, or as soon as the objective is ``until`` or less.

    Returns:
        The lowest objective after 0, 1, ... iterations; and the pictures that had it
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
        last = number == iterations or lowest <= until
        if number in MARKS or last:
            pictures[number] = best
        if number:
            on_progress(Progress(number, iterations, {"objective": lowest}))
        if last:
            break
        x = solver.propose(x, value, gradient)
    return course, pictures


def as_good(course: Sequence[float], reached: float) -> int | None:
    """Return the first iteration of ``course`` whose objective is ``reached`` or less, if any."""
    return next((number for number, best in enumerate(course) if best <= reached), None)

"""Paint by optimising the pixels themselves (Gatys et al. 2015, arXiv 1508.06576; CVPR 2016).

Deviations from the paper, each an option:

* relative losses;
* the content as the initial image;
* scales from coarse to fine (Gatys et al. 2017, arXiv 1611.07865, section 6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from impasto import images
from impasto.errors import OptionError, TrainingError, in_memory
from impasto.images import operations
from impasto.images.picture import Picture
from impasto.images.raster import Size
from impasto.options import OptimizeOptions
from impasto.options.losses import KINDS
from impasto.progress import CancelToken, Progress
from impasto.studio.device import torch_device
from impasto.studio.optimization import memory, pyramid, recipe
from impasto.studio.optimization.solvers import Adam, Lbfgs, Solver
from impasto.studio.perceptual import backbone
from impasto.studio.perceptual.objective import Features, Objective, StylePicture
from impasto.studio.tensors import to_pixels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from impasto.images.raster import PictureSource


@dataclass(frozen=True, kw_only=True)
class Step(Progress):
    """One evaluation; ``losses`` also holds the loss of every layer."""

    size: Size
    """Height and width of the canvas at this scale."""
    picture: Callable[[], Picture]
    """The picture that was evaluated."""


OnStep = Callable[[Step], None]
_Evaluated = tuple[float, dict[str, float], Tensor]
Evaluate = Callable[[Tensor], _Evaluated]


@torch.inference_mode(False)  # it needs gradients, whatever the caller has switched off
@in_memory("the picture", hint="use a smaller --size, or fewer layers")
def optimize(
    content: PictureSource,
    styles: PictureSource | Sequence[PictureSource],
    *,
    options: OptimizeOptions | None = None,
    style_weights: Sequence[float] | None = None,
    masks: Sequence[PictureSource] = (),
    on_step: OnStep | None = None,
    cancel: CancelToken | None = None,
    network: backbone.LossNetwork | None = None,
) -> Picture:
    """Paint ``content`` in the style of one or more pictures.

    Args:
        content: the photograph; anything that :func:`impasto.stylize` takes.
        styles: one style picture, or several.
        options: every knob; see :class:`~impasto.options.OptimizeOptions`.
        style_weights: how much of each style; equal parts by default.
        masks: for each style the region that gets it, white on black, any size.
        on_step: called after each evaluation with the losses.
        cancel: stops after the evaluation at hand; the picture so far is the result.
        network: a loaded loss network to reuse; it must fit ``options.loss``.

    Returns:
        The painting, ``options.size`` pixels along its longer side; its metadata holds
        the recipe (:mod:`impasto.studio.optimization.recipe`).

    Raises:
        OptionError, PictureError: a value or a picture that cannot be used.
        TrainingError: a loss stopped being a number.
    """
    options = options or OptimizeOptions()
    sources: list[PictureSource] = (
        list(styles) if isinstance(styles, (list, tuple)) else [cast("PictureSource", styles)]
    )
    photo = images.open_any(content)
    paintings = [images.open_any(source) for source in sources]
    weights = _weights(style_weights, len(paintings))
    regions = _regions(masks, len(paintings))
    init = images.read(options.init) if pyramid.is_file(options.init) else None
    objective = Objective(options.loss, network=network)
    opaque = [operations.opaque(each) for each in paintings]
    optimization = _Optimization(
        operations.opaque(photo), opaque, weights, regions, options, objective
    )
    painted = optimization(on_step, cancel or CancelToken())
    result = images.resize(photo, options.size).with_pixels(painted)
    return recipe.write(
        result,
        (content, photo),
        list(zip(sources, paintings, strict=True)),
        list(zip(masks, regions, strict=True)),
        weights,
        options,
        init,
    )


def _regions(masks: Sequence[PictureSource], styles: int) -> list[Picture]:
    """Read the masks, none or one for each style.

    Raises:
        OptionError, PictureError: another number of them, or one that cannot be read.
    """
    regions = [images.open_any(mask) for mask in masks]
    if regions and len(regions) != styles:
        raise OptionError(f"{len(regions)} masks for {styles} styles", hint="give one each")
    return regions


class _Optimization:
    """One optimisation, scale by scale."""

    def __init__(
        self,
        photo: Picture,
        paintings: Sequence[Picture],
        weights: Sequence[float],
        regions: Sequence[Picture],
        options: OptimizeOptions,
        objective: Objective,
    ) -> None:
        self._photo, self._paintings, self._weights = photo, paintings, weights
        self._regions, self._options, self._objective = regions, options, objective
        self._device = torch_device(options.device)
        objective.network.to(self._device)

    def __call__(self, on_step: OnStep | None, cancel: CancelToken) -> NDArray[np.uint8]:
        options, done = self._options, 0
        sizes = pyramid.sizes(self._photo, options)
        pairs = self._fit(sizes[-1])
        solver, objective = _solver(options, pairs), self._objective
        x: Tensor | None = None
        coarse: Tensor | None = None
        for size, steps in zip(sizes, pyramid.shares(options.steps, len(sizes)), strict=True):
            content = pyramid.at(self._photo, size).to(self._device)
            objective = objective.towards(self._styles(size, max(size) / max(sizes[-1])))
            target = objective.content(content)
            if x is None:
                x = pyramid.initial(self._photo, self._paintings, size, options).to(self._device)
                objective = objective.balanced(x, target)
            else:
                x = pyramid.enlarged(x, coarse, content)
                solver.resize(*size)
            coarse = content if options.init == "content" else None
            evaluate = partial(_evaluate, objective, target)
            x = self._scale(x, evaluate, solver, steps, done, on_step, cancel)
            done += steps
            if cancel.cancelled:
                break
        assert x is not None
        return self._finished(x, sizes[-1])

    def _fit(self, size: Size) -> int:
        """Return how many pairs L-BFGS may remember, if the last and largest scale fits at all."""
        options, objective = self._options, self._objective
        free = memory.available(self._device)
        for painting in self._paintings:
            large = pyramid.style_size(painting, self._photo, size, 1.0, options)
            memory.require_room_for_style(objective.network, objective.style_layers, large, free)
        return memory.fit(objective.network, objective.layers, size, options.history, free)

    def _styles(self, size: Size, share: float) -> list[StylePicture]:
        pixels = [
            pyramid.style(painting, self._photo, size, share, self._options).to(self._device)
            for painting in self._paintings
        ]
        styles = [StylePicture(*each) for each in zip(pixels, self._weights, strict=True)]
        if not self._regions:
            return styles
        masks = [pyramid.mask(region, size).to(self._device) for region in self._regions]
        return [replace(each, mask=mask) for each, mask in zip(styles, masks, strict=True)]

    def _scale(
        self,
        x: Tensor,
        evaluate: Evaluate,
        solver: Solver,
        steps: int,
        done: int,
        on_step: OnStep | None,
        cancel: CancelToken,
    ) -> Tensor:
        """Return the best picture of one scale, or the running mean of all."""
        options = self._options
        best, best_loss, mean = x, math.inf, _Mean(options.average)
        for number in range(1, steps + 1):
            loss, losses, gradient = evaluate(x)
            before = best_loss
            if loss < best_loss:
                best, best_loss = x, loss
            mean.add(x)
            if on_step:
                on_step(
                    Step(
                        step=done + number,
                        total=options.steps,
                        losses=losses,
                        size=(x.shape[2], x.shape[3]),
                        picture=partial(self._preview, x),
                    )
                )
            flat = 0 <= before - loss < options.tolerance * before < math.inf
            if cancel.cancelled or flat or number == steps:
                break
            x = solver.propose(x, loss, gradient)
        return mean.value if options.average else best

    def _finished(self, x: Tensor, size: Size) -> NDArray[np.uint8]:
        pixels = to_pixels(x[0])
        if x.shape[2:] != size:  # stopped at a coarser scale
            pixels = images.resize_pixels(pixels, size)
        if self._options.colors == "luminance":
            photo = images.resize_to(self._photo, size)
            pixels = operations.keep_colors(photo.pixels, pixels)
        return pixels

    def _preview(self, x: Tensor) -> Picture:
        return Picture(self._finished(x, (x.shape[2], x.shape[3])))


def _evaluate(objective: Objective, target: Features, x: Tensor) -> _Evaluated:
    """Compute the loss, losses by name, and the gradient at a picture.

    Raises:
        TrainingError: one of them is not a number.
    """
    point = x.detach().requires_grad_(True)
    losses = objective(point, target)
    (gradient,) = torch.autograd.grad(losses.total, point)
    numbers = losses.numbers()
    bad = [name for name in KINDS if not math.isfinite(numbers[name])]
    # Solvers square the gradient. One whose squares are no numbers would move nothing, and report
    # nothing.
    if bad or not gradient.square().sum().isfinite():
        raise TrainingError(
            f"the {' and '.join(bad) or 'gradient'} stopped being a number",
            hint="use smaller weights, or --optimizer adam with a lower --learning-rate",
        )
    return numbers["total"], numbers, gradient


class _Mean:
    """Exponential mean of pictures, without the bias towards its start (as Adam's)."""

    def __init__(self, decay: float) -> None:
        self._decay, self._total, self._weight = decay, torch.zeros(()), 0.0

    def add(self, x: Tensor) -> None:
        if self._decay:
            self._total = self._decay * self._total + (1 - self._decay) * x
            self._weight = self._decay * self._weight + 1 - self._decay

    @property
    def value(self) -> Tensor:
        return self._total / self._weight


def _solver(options: OptimizeOptions, pairs: int) -> Solver:
    if options.optimizer == "adam":
        return Adam(options.learning_rate, box=options.box)
    return Lbfgs(pairs, box=options.box)


def _weights(shares: Sequence[float] | None, count: int) -> list[float]:
    weights = [1.0] * count if shares is None else [float(weight) for weight in shares]
    if not count or len(weights) != count:
        raise OptionError(f"{len(weights)} style weights for {count} styles", hint="give one each")
    total = sum(weights)
    if min(weights) < 0 or not 0 < total < math.inf:
        raise OptionError(f"style weights are {weights}", hint="use 0 or more, not all 0")
    return [weight * count / total for weight in weights]

"""The optimiser of the trainer: Muon for convolutions, AdamW for all else.

In Adam, a few directions of a convolution's gradient, the strongest, decide its step. Muon (Jordan
et al. 2024, https://kellerjordan.github.io/posts/muon/) makes all of them equally strong. Its step
is the orthogonal matrix nearest to the momentum. ``docs/adr/0007-network.md`` has the results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NotRequired, TypedDict

import torch
from torch import Tensor, optim

_MOMENTUM = 0.95
_BETAS, _EPS = (0.9, 0.999), 1e-8
_QUINTIC = 3.4445, -4.7750, 2.0315
"""Coefficients of the Newton-Schulz iteration of the source.

They bring singular values near to one soon, not exactly.
"""
_ITERATIONS = 5


class Group(TypedDict):
    """Parameters with one learning rate, and the ``peak`` of that."""

    params: Sequence[Tensor]
    peak: NotRequired[float]
    decay: NotRequired[float]
    """The part of the rate by which Adam's weights shrink in each step.

    The source is Loshchilov & Hutter 2019 (arXiv 1711.05101).
    """


class Muon(optim.Optimizer):
    """Takes groups of parameters with a rate each, as Adam does, and the same rates."""

    def __init__(self, groups: Iterable[Group], lr: float = 1e-3) -> None:
        super().__init__([dict(group) for group in groups], {"lr": lr, "decay": 0.0})

    @torch.no_grad()
    def step(self, _closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                adams = _is_adams(weight.shape)
                if adams and group["decay"]:
                    weight.mul_(1 - group["lr"] * group["decay"])
                change = _adam if adams else _muon
                weight.sub_(change(weight.grad, state), alpha=group["lr"])


def state_shapes(shape: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what is remembered of a weight, by name, each in float32."""
    whole = tuple(shape)
    if _is_adams(shape):
        return {"step": (), "mean": whole, "square": whole}
    return {"momentum": whole}


def _is_adams(shape: Sequence[int]) -> bool:
    """Say whether a weight is neither a kernel ``(out, in, height, width)`` nor a stack of such."""
    return len(shape) < 4 or shape[-3] == 1


def _muon(gradient: Tensor, state: dict[str, Tensor]) -> Tensor:
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    momentum = state["momentum"].mul_(_MOMENTUM).add_(gradient)
    ahead = gradient + _MOMENTUM * momentum
    matrix = orthogonal(ahead.flatten(-3))
    # This makes entries as large as Adam's usually are (Liu et al. 2025, arXiv 2502.16982, section
    # 2.2).
    return matrix.mul_(0.2 * max(matrix.shape[-2:]) ** 0.5).reshape(gradient.shape)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return nearly the orthogonal matrix nearest to ``matrix``.

    Its singular values become 0.7 to 1.2. For a stack of matrices, it does so for each.
    """
    turned = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if turned else matrix
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if turned else x


def _adam(gradient: Tensor, state: dict[str, Tensor]) -> Tensor:
    if not state:
        state["step"] = torch.zeros(())
        state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    state["step"] += 1
    one, two = _BETAS
    mean = state["mean"].lerp_(gradient, 1 - one) / (1 - one ** state["step"])
    square = state["square"].lerp_(gradient**2, 1 - two) / (1 - two ** state["step"])
    return mean / (square.sqrt() + _EPS)

"""Optimisers of pictures: from loss and gradient at one point they propose the next.

Both can go on at another size (:meth:`resize`). So what they learnt on the coarse picture is not
lost on the fine one. Losses that are means share themselves out among the pixels. With four times
as many pixels, each has a quarter of the gradient.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, optim

_FIRST_MOVE = 0.02
"""Root mean square of the first move, of a range of 1: five levels of 255."""
_LARGEST_MOVE = 0.1
_MAX_BACKTRACKS = 4
_CURVED = 1e-6


class Solver(Protocol):
    """Proposes the next point: ``propose(x, loss, gradient)``, all ``(1, 3, H, W)``."""

    def propose(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor: ...

    def resize(self, height: int, width: int) -> None:
        """Go on with pictures of another size."""


class Lbfgs:
    """L-BFGS (Liu & Nocedal 1989; Nocedal & Wright 2006, algorithm 7.4), one evaluation a step.

    Unlike the usual ones it does not search along a line. It takes the quasi-Newton step. Only if
    the loss rises does it halve the step, again and again. The step that counts as curvature is the
    one that was really made, within the box.
    """

    def __init__(self, history: int = 10, *, box: bool = True) -> None:
        self._history, self._box = history, box
        self._pairs: list[tuple[Tensor, Tensor]] = []
        self._x: Tensor | None = None
        self._gradient: Tensor | None = None
        self._loss = float("inf")
        self._backtracks = 0

    def propose(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        if self._x is not None and self._gradient is not None:
            if loss > self._loss and self._backtracks < _MAX_BACKTRACKS:
                self._backtracks += 1
                return self._x + (x - self._x) / 2
            self._remember(x - self._x, gradient - self._gradient)
        self._x, self._gradient, self._loss, self._backtracks = x, gradient, loss, 0
        return self._bounded(x, self._direction(gradient))

    def _remember(self, step: Tensor, change: Tensor) -> None:
        curvature = _dot(step, change)
        if curvature > _CURVED * (_dot(step, step) * _dot(change, change)) ** 0.5:
            self._pairs = [*self._pairs, (step, change)][-self._history :]

    def _direction(self, gradient: Tensor) -> Tensor:
        if not self._pairs:
            return -gradient * (_FIRST_MOVE / max(_rms(gradient), 1e-30))
        d, factors = -gradient, []
        for step, change in reversed(self._pairs):
            factor = _dot(step, d) / _dot(step, change)
            d = d - factor * change
            factors.append(factor)
        step, change = self._pairs[-1]
        d = d * (_dot(step, change) / _dot(change, change))
        for (step, change), factor in zip(self._pairs, reversed(factors), strict=True):
            d = d + (factor - _dot(change, d) / _dot(step, change)) * step
        return d

    def _bounded(self, x: Tensor, direction: Tensor) -> Tensor:
        length = _rms(direction)
        if length > _LARGEST_MOVE:
            direction = direction * (_LARGEST_MOVE / length)
        moved = x + direction
        return moved.clamp(0, 1) if self._box else moved

    def resize(self, height: int, width: int) -> None:
        self._pairs = [
            (_resized(step, height, width), _resized(change, height, width, gradient=True))
            for step, change in self._pairs
        ]
        self._x = self._gradient = None


class Adam:
    """torch's Adam (Kingma & Ba 2014, arXiv 1412.6980) on a picture in a box."""

    def __init__(self, learning_rate: float = 0.02, *, box: bool = True) -> None:
        self._rate, self._box = learning_rate, box
        self._adam: optim.Adam | None = None
        self._picture = torch.empty(0)
        self._carried: dict[str, Tensor] = {}

    def propose(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:  # noqa: ARG002
        if self._adam is None:
            self._picture = x.clone().requires_grad_(True)
            self._adam = optim.Adam([self._picture], lr=self._rate)
            if self._carried:
                self._adam.state[self._picture] = self._carried
        self._picture.grad = gradient
        with torch.no_grad():
            self._picture.copy_(x)
            self._adam.step()
            moved = self._picture.detach().clone()
        return moved.clamp(0, 1) if self._box else moved

    def resize(self, height: int, width: int) -> None:
        if self._adam is not None:
            state = self._adam.state[self._picture]
            mean = _resized(state["exp_avg"], height, width, gradient=True)
            root = state["exp_avg_sq"].sqrt()
            square = _resized(root, height, width, gradient=True).square()
            self._carried = {"step": state["step"], "exp_avg": mean, "exp_avg_sq": square}
        self._adam = None


def _resized(picture: Tensor, height: int, width: int, *, gradient: bool = False) -> Tensor:
    larger = F.interpolate(picture, (height, width), mode="bilinear", antialias=True)
    return larger * (picture.numel() / larger.numel()) if gradient else larger


def _dot(a: Tensor, b: Tensor) -> float:
    return float(torch.dot(a.flatten(), b.flatten()))


def _rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())

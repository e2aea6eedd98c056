"""The optimiser of the polish: Muon for convolutions, Adam for all else, on arrays.

:mod:`impasto.studio.training.muon` does the same on tensors, and explains it. Two hundred thousand
numbers need no tensor library.

They need no second thread either. NumPy's BLAS lets its threads wait in a busy loop, where they
slow the library that computes the gradients.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float32]

State: TypeAlias = "dict[str, dict[str, Array]]"
"""What is remembered of each weight, by the names of both."""

MOMENTUM = 0.95
BETAS, EPS = (0.9, 0.999), 1e-8
QUINTIC = 3.4445, -4.7750, 2.0315
"""Coefficients of the Newton-Schulz iteration; they soon bring singular values near to one."""
ITERATIONS = 5
SCALE = 0.2
"""Makes entries as large as Adam's usually are (Liu et al. 2025, arXiv 2502.16982, section 2.2)."""
CLIP = 1.0
"""Largest norm of a gradient: one odd photograph must not undo a minute."""
TINY_CLIP, TINY_NORM = 1e-6, 1e-7
"""Added to two divisors: the norm of all gradients, and of one matrix."""
_LIMITED = threading.Lock()
"""Held while the BLAS has one thread: this number is the whole process's."""


def clipped(gradients: Mapping[str, Array], norm: float) -> dict[str, Array]:
    """Reduce gradients with this ``norm`` to :data:`CLIP` if it is larger."""
    factor = np.float32(min(1.0, CLIP / (norm + TINY_CLIP)))
    return {name: gradient * factor for name, gradient in gradients.items()}


def norm_of(gradients: Mapping[str, Array]) -> float:
    """Return the norm of all of them together."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.sqrt(sum(float(np.sum(np.square(each))) for each in gradients.values()))


def step(
    weights: dict[str, Array], gradients: Mapping[str, Array], state: State, rate: float
) -> None:
    """Change ``weights``, and what is remembered of them, by one step."""
    with _LIMITED, _libraries().limit(limits=1, user_api="blas"):
        for name, gradient in gradients.items():
            change = _adam if _is_adams(gradient.shape) else _muon
            weights[name] = weights[name] - np.float32(rate) * change(
                gradient, state.setdefault(name, {})
            )


def state_shapes(shape: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what is remembered of a weight of this shape, by name."""
    whole = tuple(shape)
    if _is_adams(shape):
        return {"step": (), "mean": whole, "square": whole}
    return {"momentum": whole}


@cache
def _libraries() -> ThreadpoolController:
    """Find the libraries of the process that have threads; the first call takes milliseconds."""
    return ThreadpoolController()


def _is_adams(shape: Sequence[int]) -> bool:
    return len(shape) < 4 or shape[1] == 1


def _muon(gradient: Array, state: dict[str, Array]) -> Array:
    before = state.get("momentum", np.zeros_like(gradient))
    momentum = state["momentum"] = before * np.float32(MOMENTUM) + gradient
    ahead = gradient + momentum * np.float32(MOMENTUM)
    matrix = orthogonal(ahead.reshape(len(ahead), -1))
    factor = np.float32(SCALE * max(matrix.shape) ** 0.5)
    return (matrix * factor).reshape(gradient.shape)


def orthogonal(matrix: Array) -> Array:
    """Return nearly the orthogonal matrix nearest to it: singular values become 0.7 to 1.2."""
    turned = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if turned else matrix
    x = x / np.float32(np.linalg.norm(x) + TINY_NORM)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = np.asarray(a * x + (b * square + c * square @ square) @ x, np.float32)
    return x.T if turned else x


def _adam(gradient: Array, state: dict[str, Array]) -> Array:
    if not state:
        state["step"] = np.zeros((), np.float32)
        state["mean"], state["square"] = np.zeros_like(gradient), np.zeros_like(gradient)
    one, two = BETAS
    count = float(state["step"]) + 1
    state["step"] = np.array(count, np.float32)
    state["mean"] = state["mean"] + (gradient - state["mean"]) * np.float32(1 - one)
    state["square"] = state["square"] + (gradient**2 - state["square"]) * np.float32(1 - two)
    mean = state["mean"] / np.float32(1 - one**count)
    square = state["square"] / np.float32(1 - two**count)
    return mean / (np.sqrt(square) + np.float32(EPS))

"""Convolutions of 3 x 3 pixels with a quarter of the multiplications.

Lavin & Gray 2015 (arXiv 1509.09308), section 4.3: F(4 x 4, 3 x 3). Squares of 6 x 6 pixels and
kernels of 3 x 3 are mapped to 36 numbers each. There a convolution is a product of matrices for
each of the 36. Products are mapped back to 4 x 4 results. Sums of both maps round differently:
results differ from a direct convolution's by about 1e-5 of the largest.

cuDNN has the algorithm for GPUs. On x86 processors torch has direct convolutions only, which are
slower where there are many channels (:func:`serves`).
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

SQUARE, STEP = 6, 4
"""Sides of the squares that are taken, and of the results that each gives, in pixels."""
FEWEST = 128
"""Channels from which on this is faster: the two maps cost the same for any number of results."""
_LEAST = 64
"""Squares from which on this is faster: kernels are mapped each time, to hold no copies of them."""
_AT_ONCE = 256
"""Squares that are worked on at a time: few enough for a processor's caches."""
_MACHINES = "x86_64", "AMD64"

TAKEN = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
GIVEN = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
"""The source's matrices for one direction: B^T, G and A^T."""


def serves(x: Tensor, convolution: nn.Conv2d) -> bool:
    """Say whether :func:`convolve` is exact and fast enough to stand for a convolution of ``x``.

    It is not for kernels that learn, nor in bfloat16. It is not while a graph is being exported.
    """
    real = x.device.type == "cpu" and x.dtype == torch.float32 and not isinstance(x, FakeTensor)
    plain = not (torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling())
    many = min(convolution.in_channels, convolution.out_channels) >= FEWEST
    large = len(x) * (x.shape[2] // STEP) * (x.shape[3] // STEP) >= _LEAST
    fixed = not convolution.weight.requires_grad
    return real and plain and many and large and fixed and platform.machine() in _MACHINES


def convolve(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Return what a convolution makes of ``(N, C, H, W)``; gradients reach ``x`` only.

    Its kernels are 3 x 3, its steps are single, and its padding is of zeros. All are fastest as
    channels last.
    """
    margin = convolution.padding[0]
    result: Tensor = _Convolution.apply(x, convolution.weight, convolution.bias, margin)  # type: ignore[no-untyped-call]
    return result


def scratch(channels: int) -> int:
    """Return the most numbers that are held on the way from so many channels to as many."""
    kernels = (SQUARE**2 + 9) * channels**2
    squares = 2 * _AT_ONCE * SQUARE**2 * channels
    return kernels + squares if channels >= FEWEST else 0


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, margin: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.margin = margin
        return _convolved(x, _mapped(weight).mT, margin).add_(bias[:, None, None])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        turned = _mapped(weight.flip(2, 3))
        return _convolved(gradient, turned, 2 - ctx.margin), None, None, None


def _mapped(weight: Tensor) -> Tensor:
    """Map kernels ``(O, C, 3, 3)`` to ``(36, O, C)``."""
    columns = weight.permute(2, 3, 0, 1).reshape(9, -1)
    return (_both(KERNEL) @ columns).view(-1, *weight.shape[:2])


def _convolved(x: Tensor, kernels: Tensor, margin: int) -> Tensor:
    """Convolve ``(N, C, H, W)`` with mapped kernels, ``(36, C, O)``."""
    height, width = (side + 2 * margin - 2 for side in x.shape[2:])
    rows, columns = (-(-side // STEP) for side in (height, width))
    below, right = (many * STEP - side for many, side in ((rows, height), (columns, width)))
    edges = (0, 0, margin, margin + right, margin, margin + below)
    x = F.pad(x.permute(0, 2, 3, 1), edges).contiguous()
    count, channels = kernels.shape[1:][::-1]
    made = x.new_empty(len(x), rows, STEP, columns, STEP, count)
    taken, given = _both(TAKEN), _both(GIVEN)
    for pictures, part in _parts(len(x), rows, max(1, _AT_ONCE // columns)):
        mapped = taken @ _squares(x[pictures, part.start * STEP :], part.stop - part.start, columns)
        mapped = torch.bmm(mapped.view(SQUARE**2, -1, channels), kernels)
        mapped = given @ mapped.flatten(1)
        results = made[pictures, part]
        several, few = results.shape[:2]
        squares = mapped.view(STEP, STEP, several, few, columns, count)
        results.copy_(squares.permute(2, 3, 0, 4, 1, 5))
    whole = made.flatten(1, 2).flatten(2, 3)[:, :height, :width].contiguous()
    return whole.permute(0, 3, 1, 2)


def _squares(x: Tensor, rows: int, columns: int) -> Tensor:
    """Return overlapping squares of ``(N, H, W, C)``: ``(36, N rows columns C)``."""
    picture, row, column, channel = x.stride()
    sides = SQUARE, SQUARE, len(x), rows, columns, x.shape[3]
    strides = row, column, picture, STEP * row, STEP * column, channel
    return x.as_strided(sides, strides).reshape(SQUARE**2, -1)


def _parts(pictures: int, rows: int, most: int) -> Iterator[tuple[slice, slice]]:
    """Divide the rows of some pictures into parts of at most ``most`` rows."""
    several = max(1, most // rows)
    for first in range(0, pictures, several):
        for top in range(0, rows, most):
            yield slice(first, min(first + several, pictures)), slice(top, min(top + most, rows))


@cache
def _both(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """Return the matrix that maps a square, row after row, in both directions."""
    one = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(one, one).float()

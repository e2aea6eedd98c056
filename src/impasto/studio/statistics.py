"""Statistics of features: the style at one layer.

Features are ``(N, C, H, W)``. A mask ``(N or 1, 1, H, W)``, 0..1, weighs their places.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Statistic = tuple[Tensor, ...]

_SMALL = 1e-8


def gram_matrix(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return correlations between channels: ``(N, C, H, W)`` to ``(N, C, C)``.

    It is the mean over places of ``f f^T`` (Gatys et al. 2016, equation 3). Theirs is a sum; a mean
    makes pictures of different sizes comparable. With a mask, it is the mean over its places (Gatys
    et al. 2017, arXiv 1611.07865, section 4).
    """
    # Channels-last features flatten without a copy.
    flat = features.permute(0, 2, 3, 1).flatten(1, 2)
    if mask is None:
        product: Tensor = _Square.apply(flat)  # type: ignore[no-untyped-call]
        return product / flat.shape[1]
    return flat.transpose(1, 2) @ (flat * _weights(mask))


def moments(features: Tensor, mask: Tensor | None = None) -> Statistic:
    """Return mean and standard deviation of each channel over the places, ``(N, C)`` each."""
    mean = _mean(features, mask)
    variance = _mean(features.square(), mask) - mean.square()
    return mean, (variance.clamp_min(0) + _SMALL).sqrt()


def covariance(features: Tensor, mask: Tensor | None = None) -> Statistic:
    """Return mean ``(N, C)`` and covariance ``(N, C, C)`` of the features over the places."""
    mean = _mean(features, mask)
    return mean, gram_matrix(features, mask) - mean[:, :, None] * mean[:, None, :]


def gram_and_covariance(features: Tensor, mask: Tensor | None = None) -> Statistic:
    """Return Gram matrix, mean and covariance of the features over the places."""
    mean, gram = _mean(features, mask), gram_matrix(features, mask)
    return gram, mean, gram - mean[:, :, None] * mean[:, None, :]


class _Square(torch.autograd.Function):
    """The product ``x^T x``. Both of its factors are ``x``, so one product gives the gradient."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.mT @ x

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return x @ (gradient + gradient.mT)


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Average over the places: ``(N, C, H, W)`` to ``(N, C)``."""
    if mask is None:
        return values.mean((2, 3))
    return (values.permute(0, 2, 3, 1).flatten(1, 2) * _weights(mask)).sum(1)


def _weights(mask: Tensor) -> Tensor:
    """Turn ``(N, 1, H, W)`` into ``(N, H W, 1)`` that sums to 1."""
    flat = mask.flatten(2).transpose(1, 2)
    return flat / flat.sum(1, keepdim=True).clamp_min(_SMALL)

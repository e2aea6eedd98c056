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
    return _gram_and_mean(features, mask)[0]


def moments(features: Tensor, mask: Tensor | None = None) -> Statistic:
    """Return mean and standard deviation of each channel over the places, ``(N, C)`` each."""
    mean = _mean(features, mask)
    variance = _mean(features.square(), mask) - mean.square()
    return mean, (variance.clamp_min(0) + _SMALL).sqrt()


def covariance(features: Tensor, mask: Tensor | None = None) -> Statistic:
    """Return mean ``(N, C)`` and covariance ``(N, C, C)`` of the features over the places."""
    return gram_and_covariance(features, mask)[1:]


def gram_and_covariance(features: Tensor, mask: Tensor | None = None) -> Statistic:
    """Return Gram matrix, mean and covariance of the features over the places."""
    gram, mean = _gram_and_mean(features, mask)
    return gram, mean, gram - mean[:, :, None] * mean[:, None, :]


def _gram_and_mean(features: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    flat = _flat(features)
    if mask is not None:
        weighed = flat * _weights(mask)
        return flat.mT @ weighed, weighed.sum(1)
    products, sums = _Sums.apply(flat)  # type: ignore[no-untyped-call]
    return products / flat.shape[1], sums / flat.shape[1]


class _Sums(torch.autograd.Function):
    """Sums over the places of ``x``, ``(N, P, C)``: ``x^T x`` and ``x``.

    Both factors are ``x``, so one product gives its gradient. That of the other sum is added to it,
    and no tensor of the size of ``x`` is made for it.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mT @ x, x.sum(-2)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Any) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, products: Tensor | None, sums: Tensor | None) -> Tensor | None:
        (x,) = ctx.saved_tensors
        spread = None if sums is None else sums[..., None, :].expand_as(x)
        if products is None:
            return spread
        gradient: Tensor = x @ (products + products.mT)
        return gradient if spread is None else gradient.add_(spread)


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Average over the places: ``(N, C, H, W)`` to ``(N, C)``."""
    if mask is None:
        return values.mean((2, 3))
    return (_flat(values) * _weights(mask)).sum(1)


def _flat(features: Tensor) -> Tensor:
    """Turn ``(N, C, H, W)`` into ``(N, H W, C)``; without a copy if channels are last."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _weights(mask: Tensor) -> Tensor:
    """Turn ``(N, 1, H, W)`` into ``(N, H W, 1)`` that sums to 1."""
    flat = mask.flatten(2).transpose(1, 2)
    return flat / flat.sum(1, keepdim=True).clamp_min(_SMALL)

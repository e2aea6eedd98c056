"""The losses of style transfer, one pure function each.

Features are ``(N, C, H, W)``. A *statistic* of them (:mod:`impasto.studio.statistics`) says what
style is at one layer. Losses come in four scales, named after their sources:

``relative``
    The squared distance over the squared size of the target. 0 is equal, about 1 is "as far as
    nothing at all". This takes the size of features, layers, pictures and networks out of the
    weights. So one default weight serves every style.
``gatys``
    Gatys et al. 2015 (arXiv 1508.06576), equations 1 and 4.
``johnson``
    Johnson et al. 2016 (arXiv 1603.08155), section 3.2.
``mean``
    Mean squared errors, of Gram matrices divided by C: PyTorch's tutorial and neural-style.

Gram matrices and covariances have a fifth, for a network that learns many paintings at once:

``balanced``
    The squared distance over the mean of both squared sizes (Cheng et al. 2021, arXiv 2104.10064).
    The size of the picture has no gradient. So no painting counts more than others only because its
    features are small. Content is ``relative``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.studio.statistics import (
    Statistic,
    covariance,
    gram_and_covariance,
    gram_matrix,
    moments,
)

_SMALL = 1e-8
SIZED = "relative", "balanced"
"""Scales whose distances are a part of a size."""
_CELL = 8
"""Side, in pixels, of a cell of the coarsest grid that a network paints through."""
_FINE = 5
"""Side, in pixels, of the mean that is subtracted to see fine marks."""
_LIGHT = 16
"""Side, in pixels, of the squares over which light and shade are compared."""
_DARK = 1e-3
"""Below this contrast there is no light and shade to keep."""


def content_loss(features: Tensor, target: Tensor, scale: str = "relative") -> Tensor:
    """Return the squared distance of feature maps, mean over the N pictures.

    Gatys et al. 2016, equation 1, takes half the sum over all features. ``relative`` and
    ``balanced`` divide the sum by ``|T|^2``, ``johnson`` and ``mean`` by ``C H W``.
    """
    distance = _sum((features - target).square())
    if scale in SIZED:
        distance = distance / _sum(target.square()).clamp_min(_SMALL)
    elif scale == "gatys":
        distance = distance / 2
    else:
        distance = distance / features[0].numel()
    return distance.mean()


def gram_loss(gram: Tensor, target: Tensor, scale: str = "relative") -> Tensor:
    """Return the squared Frobenius distance of Gram matrices, mean over the pictures.

    Gatys et al. 2016, equation 4, divides by ``4 C^2`` for means over places. ``relative`` divides
    by ``|T|_F^2``, ``johnson`` by ``C^2`` (equation 5), ``mean`` by ``C^4``.
    """
    channels = gram.shape[-1]
    distance = _sum((gram - target).square())
    if scale in SIZED:
        distance = distance / _size(gram, target, scale)
    else:
        distance = distance / {"gatys": 4, "johnson": 1, "mean": channels**2}[scale] / channels**2
    return distance.mean()


def moments_loss(measured: Statistic, target: Statistic, scale: str = "relative") -> Tensor:
    """Return the squared distances of means and of deviations.

    They are divided by their squared size or by the number of channels. Sources are Li et al. 2017
    (arXiv 1701.01036, 4.2) and Huang & Belongie 2017 (arXiv 1703.06868, equation 13).
    """
    distance = sum((_sum((f - t).square()) for f, t in zip(measured, target, strict=True)), _ZERO)
    if scale == "relative":
        size = sum((_sum(t.square()) for t in target), _ZERO)
        return (distance / size.clamp_min(_SMALL)).mean()
    return (distance / measured[0].shape[1]).mean()


def wasserstein_loss(measured: Statistic, target: Statistic, scale: str = "relative") -> Tensor:
    """Return the squared Wasserstein-2 distance of the normal distributions with these statistics.

    It is ``|m - n|^2 + tr(A + B - 2 (B^1/2 A B^1/2)^1/2)`` (Olkin & Pukelsheim 1982). As a style
    loss it is from Vacher 2020 (arXiv 2007.04806). ``relative`` divides by ``|n|^2 + tr B``, other
    scales by C.
    """
    (mean, a), (target_mean, b) = measured, target
    root = _root(b)
    cross = torch.linalg.eigvalsh(root @ a @ root).clamp_min(0)
    overlap = (cross + _SMALL).sqrt().sum(1)
    distance = _sum((mean - target_mean).square()) + _trace(a) + _trace(b) - 2 * overlap
    if scale == "relative":
        size = _sum(target_mean.square()) + _trace(b)
        return (distance.clamp_min(0) / size.clamp_min(_SMALL)).mean()
    return (distance.clamp_min(0) / mean.shape[1]).mean()


def covariance_loss(measured: Statistic, target: Statistic, scale: str = "relative") -> Tensor:
    """Return the mean of the squared distances of means and of covariances.

    Each is divided by its own size or by the number of channels. A Gram matrix is covariance plus
    ``m m^T``. Where features are never negative, the second term dominates. Then a painting's
    several colours, which are covariances, count for little. Taken apart, they count as much as its
    mean colour.
    """
    (mean, spread), (target_mean, target_spread) = measured, target
    distances = _sum((mean - target_mean).square()), _sum((spread - target_spread).square())
    if scale in SIZED:
        sizes = _size(mean, target_mean, scale), _size(spread, target_spread, scale)
        parts = [d / s for d, s in zip(distances, sizes, strict=True)]
    else:
        channels = mean.shape[1]
        parts = [distances[0] / channels, distances[1] / channels**2]
    return torch.stack(parts).mean()


def gram_and_covariance_loss(
    measured: Statistic, target: Statistic, scale: str = "relative"
) -> Tensor:
    """Return the mean of two losses.

    :func:`gram_loss` knows the texture best. :func:`covariance_loss` knows the colours.
    """
    texture = gram_loss(measured[0], target[0], scale)
    return (texture + covariance_loss(measured[1:], target[1:], scale)) / 2


def light(pictures: Tensor) -> Tensor:
    """Return luminance at a sixteenth of the size, ``(N, 1, H / 16, W / 16)``.

    Smaller pictures are averaged over the largest squares that fit into them.
    """
    luminance = _luminance(pictures)
    return F.avg_pool2d(luminance, min(_LIGHT, *luminance.shape[2:]))


def tone_loss(light: Tensor, target: Tensor) -> Tensor:
    """Return 1 minus the correlation of two pictures' :func:`light`, mean over the pictures.

    It is 0 where light and shade are the photograph's, and 2 where they are reversed. A photograph
    without light and shade adds nothing to learn.
    """
    ones, twos = (each.flatten(1) for each in (light, target))
    ones, twos = (each - each.mean(1, keepdim=True) for each in (ones, twos))
    sizes = ones.norm(dim=1) * twos.norm(dim=1)
    return (1 - (ones * twos).sum(1) / (sizes + _DARK)).mean()


def lattice_loss(pictures: Tensor) -> Tensor:
    """Return the part of fine marks that lies on the grid of the network that painted them.

    It is the loss against :func:`impasto.images.metrics.specks`. Pictures are ``(N, 3, H, W)``,
    0..1, at least 8 pixels a side.

    Fine marks have a mean square at each of the 8 x 8 places of a cell. It is divided by the mean
    over all places. The loss is the mean difference of the results from 1. It is 0 where all places
    are alike, whatever is painted there.
    """
    luminance = _luminance(pictures)
    around = F.avg_pool2d(F.pad(luminance, (_FINE // 2,) * 4, mode="replicate"), _FINE, 1)
    energy = (luminance - around).square()
    rows, columns = (side // _CELL for side in energy.shape[2:])
    cells = energy[..., : rows * _CELL, : columns * _CELL]
    cells = cells.reshape(len(pictures), rows, _CELL, columns, _CELL).mean((1, 3))
    shares = cells / cells.mean((1, 2), keepdim=True).clamp_min(_SMALL)
    return (shares.mean(0) - 1).abs().mean()


def anisotropic_tv(pictures: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbours, rows plus columns.

    Pictures are ``(N, 3, H, W)``, 0..1.
    """
    rows, columns = _differences(pictures)
    return rows.abs().mean() + columns.abs().mean()


def isotropic_tv(pictures: Tensor) -> Tensor:
    """Return the mean length of the gradient (Rudin et al. 1992) of ``(N, 3, H, W)``, 0..1."""
    rows, columns = _differences(pictures)
    squares = rows[..., :-1].square() + columns[..., :-1, :].square()
    return (squares + _SMALL).sqrt().mean()


def squared_tv(pictures: Tensor) -> Tensor:
    """Return the sum of squared differences of neighbours, in units of 0..255, mean over the
    pictures.

    The source is Johnson et al. 2016, section 3.2, after Mahendran & Vedaldi 2015.
    """
    rows, columns = _differences(pictures * 255)
    return (_sum(rows.square()) + _sum(columns.square())).mean()


STATISTICS: dict[
    str,
    tuple[
        Callable[[Tensor, Tensor | None], Statistic],
        Callable[[Statistic, Statistic, str], Tensor],
    ],
] = {
    "gram": (
        lambda features, mask: (gram_matrix(features, mask),),
        lambda measured, target, scale: gram_loss(measured[0], target[0], scale),
    ),
    "moments": (moments, moments_loss),
    "wasserstein": (covariance, wasserstein_loss),
    "covariance": (covariance, covariance_loss),
    "gram-covariance": (gram_and_covariance, gram_and_covariance_loss),
}
"""Kinds of style: how each is measured, and how far two measurements are apart."""

TOTAL_VARIATIONS = {
    "anisotropic": anisotropic_tv,
    "isotropic": isotropic_tv,
    "squared": squared_tv,
}

_ZERO = torch.zeros(())


def _luminance(pictures: Tensor) -> Tensor:
    """Convert ``(N, 3, H, W)`` to luminance, ``(N, 1, H, W)``."""
    red, green, blue = pictures.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]


def _size(measured: Tensor, target: Tensor, scale: str) -> Tensor:
    """Return the divisor of a squared distance."""
    size = _sum(target.square())
    if scale == "balanced":
        size = (size + _sum(measured.detach().square())) / 2
    return size.clamp_min(_SMALL)


def _root(matrix: Tensor) -> Tensor:
    """Return the square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()[:, None, :]) @ vectors.transpose(1, 2)


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=1, dim2=2).sum(1)


def _sum(values: Tensor) -> Tensor:
    """Sum over all but the first dimension."""
    return values.flatten(1).sum(1)


def _differences(pictures: Tensor) -> tuple[Tensor, Tensor]:
    rows = pictures[..., 1:, :] - pictures[..., :-1, :]
    columns = pictures[..., :, 1:] - pictures[..., :, :-1]
    return rows, columns

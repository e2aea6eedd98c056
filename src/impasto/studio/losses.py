"""The losses of style transfer, one pure function each.

Content and style losses are *relative*: squared distance divided by the squared size of
the target, so that 0 is equal, and about 1 is "as far as nothing at all". This takes the
size of feature maps, of layers and of pictures out of the weights (Gatys et al. 2016,
section 2, use raw squared distances), and one default weight serves every style.
"""

from __future__ import annotations

import torch
from torch import Tensor


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Relative squared distance of feature maps.

    ``features``, ``target``: ``(N, C, H, W)``. Mean over the N pictures of
    ``|F - T|^2 / |T|^2`` (Gatys et al. 2016, equation 1, made relative).
    """
    return _relative(features, target)


def gram_matrix(features: Tensor) -> Tensor:
    """Correlations between channels, the style of a picture at one layer.

    ``(N, C, H, W)`` to ``(N, C, C)``: the mean over places of ``f f^T``
    (Gatys et al. 2016, equation 3, with the sum over places made a mean, so that
    pictures of different sizes compare).
    """
    n, c, h, w = features.shape
    # Channels-last features flatten to (N, HW, C) without a copy.
    flat = features.permute(0, 2, 3, 1).reshape(n, h * w, c)
    return flat.transpose(1, 2) @ flat / (h * w)


def style_loss(gram: Tensor, target: Tensor) -> Tensor:
    """Relative squared distance of Gram matrices.

    ``gram``: ``(N, C, C)``; ``target``: ``(1, C, C)`` or ``(N, C, C)``. Mean over the
    pictures of ``|G - T|_F^2 / |T|_F^2`` (Gatys et al. 2016, equation 4, made relative).
    """
    return _relative(gram, target)


def total_variation(pictures: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels, rows plus columns (anisotropic).

    ``(N, 3, H, W)``, 0..1 (Johnson et al. 2016, section 3.2, there squared and summed).
    """
    rows = (pictures[..., 1:, :] - pictures[..., :-1, :]).abs().mean()
    columns = (pictures[..., :, 1:] - pictures[..., :, :-1]).abs().mean()
    return rows + columns


def _relative(value: Tensor, target: Tensor) -> Tensor:
    distance = (value - target).square().flatten(1).sum(1)
    size = target.square().flatten(1).sum(1)
    return (distance / size.clamp_min(torch.finfo(size.dtype).tiny)).mean()

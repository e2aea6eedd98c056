"""The first knowledge of a hypernetwork about its input: components, mean and deviation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from impasto.studio.hypernetwork import LAYERS, Encoder, Features
from impasto.studio.statistics import gram_matrix

_LEAST = 1e-3
"""Smallest deviation, so that a statistic that hardly changes does not rule."""

See = Callable[[Tensor, Iterable[str]], Features]


@torch.no_grad()
def calibrate(encoder: Encoder, see: See, batches: Sequence[Tensor]) -> None:
    """Set the buffers of an encoder from paintings, ``(N, 3, H, W)`` each.

    The components are those of the mean of the paintings' Gram matrices, each divided by its trace.
    So bright paintings do not rule.
    """
    features = [see(batch, LAYERS) for batch in batches]
    for layer in LAYERS:
        components = getattr(encoder, f"components_{layer}")
        components.copy_(_components([each[layer] for each in features], components.shape[1]))
    seen = torch.cat([encoder.statistics(each) for each in features])
    encoder.mean.copy_(seen.mean(0))
    encoder.deviation.copy_(seen.std(0).clamp_min(_LEAST))


def _components(features: Sequence[Tensor], count: int) -> Tensor:
    """Return the ``count`` strongest components, ``(C, count)``."""
    total = torch.zeros(features[0].shape[1], features[0].shape[1], device=features[0].device)
    for each in features:
        gram = gram_matrix(each)
        total += (gram / gram.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]).sum(0)
    return torch.linalg.eigh(total)[1][:, -count:]

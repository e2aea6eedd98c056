"""A hypernetwork that learns, and the running average of its weights, which is used.

Steps of a large rate go to and fro around their goal. Their average lies nearer to it (Polyak &
Juditsky 1992; as a network of its own Izmailov et al. 2018, arXiv 1803.05407).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from impasto.studio.hypernetwork import Hypernetwork
from impasto.studio.networks.grouped import Weights

_LONGEST = 0.999
"""Part of the average that stays in a step; so it covers about the last thousand steps."""


class Averaged(nn.Module):
    """Acts as the learning hypernetwork in training, and as its average otherwise.

    The average follows with each call while it learns, as batch norm's running means do. Both are
    one state, so a training that goes on has them as they were.
    """

    def __init__(self, learning: Hypernetwork) -> None:
        super().__init__()
        self.learning = learning
        self.average = AveragedModel(learning, multi_avg_fn=_follow)
        self.average.requires_grad_(False)

    def forward(self, statistics: Tensor, boldness: Tensor) -> Weights:
        if self.training:
            self.average.update_parameters(self.learning)
        weights: Weights = self.current(statistics, boldness)
        return weights

    @property
    def current(self) -> Hypernetwork:
        """Return the hypernetwork that is used now."""
        if self.training:
            return self.learning
        hypernetwork = self.average.module
        assert isinstance(hypernetwork, Hypernetwork)
        return hypernetwork


def _follow(averages: Sequence[Tensor], now: Sequence[Tensor], count: Tensor | int) -> None:
    """Update the averages. They begin with the mean of few steps, so the first ones soon fade."""
    stays = min(_LONGEST, (1 + float(count)) / (10 + float(count)))
    torch._foreach_lerp_(list(averages), list(now), 1 - stays)

"""Objectives of several styles at once.

The loss network sees all paintings in one forward pass. The losses are those of
:mod:`impasto.studio.perceptual.objective`, mapped over the styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils._pytree import tree_map

from impasto.studio.perceptual.objective import Features, Losses, Objective, Wanted


class Objectives:
    """Losses of ``S`` networks' paintings, each against a style of its own.

    Args:
        first: one of the objectives; they differ in what is wanted only.
        wanted: what is :attr:`~Objective.wanted`, stacked over the styles.
    """

    def __init__(self, first: Objective, wanted: Wanted) -> None:
        self.first, self._wanted = first, wanted

    @classmethod
    def of(cls, each: Sequence[Objective]) -> Self:
        """Put objectives together that differ in styles, style weights and balances only."""
        return cls(each[0], tree_map(lambda *all: torch.stack(all), *[one.wanted for one in each]))

    def __call__(self, painted: Tensor, content: Features) -> Losses:
        """Compute losses of ``painted``, ``(S, P, 3, H, W)``, 0..1, of the same ``P`` photographs.

        Both the total and the parts are means over the styles. ``content`` is what
        :meth:`Objective.content` gives for the photographs.
        """
        totals, parts = self.apart(painted, content)
        return Losses(totals.mean(), {name: part.mean() for name, part in parts.items()})

    def apart(self, painted: Tensor, content: Features) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the total and the parts of each style, ``(S,)``."""
        several = painted.shape[:2]
        found = self.first.features(painted.flatten(0, 1))
        features = {layer: each.reshape(*several, *each.shape[1:]) for layer, each in found.items()}

        def of_one(
            features: Features, painted: Tensor, wanted: Wanted
        ) -> tuple[Tensor, dict[str, Tensor]]:
            losses = self.first.towards_wanted(wanted).compared(features, painted, content)
            return losses.total, losses.parts

        result: tuple[Tensor, dict[str, Tensor]] = vmap(of_one)(features, painted, self._wanted)
        return result

"""Teaches many networks at once, each the style of a painting of its own.

All see the same photographs. So these are decoded once, and their content is computed once. The
loss network sees the paintings of all networks in one forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from impasto.studio.networks.grouped import Grouped
from impasto.studio.perceptual.objective import Losses
from impasto.studio.perceptual.objectives import Objectives
from impasto.studio.tensors import grid
from impasto.studio.training.loop import Paint, evaluating
from impasto.studio.training.muon import Group
from impasto.studio.training.photograph_lesson import SAMPLES, Numbered, PhotographLesson


@dataclass(frozen=True)
class ApartLesson(PhotographLesson):
    """Teaches each network of several as if it were alone."""

    @cached_property
    def together(self) -> Objectives:
        return Objectives.of(self.objectives)

    def balanced(self, network: Grouped) -> ApartLesson:
        """Divide losses by their values at the start, if the options ask for it."""
        if self.options.loss.balance == "none":
            return self
        photographs, ground = self._first()
        with torch.no_grad():
            painted = network(ground)
        content = self.objectives[0].content(photographs)
        pairs = zip(self.objectives, painted, strict=True)
        return replace(self, objectives=[each.balanced(mine, content) for each, mine in pairs])

    def groups(self, network: Grouped) -> list[Group]:
        return [{"params": list(network.parameters()), "peak": self.options.learning_rate}]

    def losses(self, paint: Paint, batch: Numbered) -> Losses:
        ground, content = self._taught(batch)
        return self.together(paint(ground), content)

    def validation(self, network: Grouped) -> float | None:
        """Return the mean objective of photographs that are in no batch, over all styles."""
        each = self.validations(network)
        return sum(each) / len(each) if each else None

    def validations(self, network: Grouped) -> list[float]:
        """Return the mean objective of each style on these photographs; nothing without such."""
        if not len(self.held_out):
            return []
        sums = torch.zeros(network.count, device=self.device)
        with evaluating(network):
            for number, photograph in enumerate(self.held_out[:, None]):
                painted = network(self._grained(photograph, number))
                sums += self.together.apart(painted, self.objectives[0].content(photograph))[0]
        means: list[float] = (sums / len(self.held_out)).tolist()
        return means

    def sample(self, network: Grouped, done: int) -> Tensor:
        """Return photographs above their paintings."""
        photographs, ground = self._shown(done)
        with evaluating(network):
            painted = torch.cat([network(each[None]) for each in ground], 1)[:SAMPLES]
        return grid([photographs, *painted])

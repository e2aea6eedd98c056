"""Teaches one network the styles of paintings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from impasto.options import TrainOptions
from impasto.studio import networks
from impasto.studio.networks import TransformNetwork
from impasto.studio.perceptual.objective import Losses
from impasto.studio.tensors import grid
from impasto.studio.training.loop import Paint, evaluating
from impasto.studio.training.muon import Group
from impasto.studio.training.photograph_lesson import SAMPLES, Numbered, PhotographLesson


@dataclass(frozen=True)
class PaintingLesson(PhotographLesson):
    """Teaches a network the styles of paintings: each batch learns one of them, in turn."""

    kept: int
    """How many styles of the trunk come before the new ones."""

    def balanced(self, network: TransformNetwork) -> PaintingLesson:
        """Divide losses by their values at the start, if the options ask for it.

        These values are of the first photographs, in every process. They stay the same however
        often a training was stopped.
        """
        if self.options.loss.balance == "none":
            return self
        photographs, ground = self._first()
        balanced = []
        for index, objective in enumerate(self.objectives):
            with torch.no_grad():
                painted = network(ground, self._mix(index))
            balanced.append(objective.balanced(painted, objective.content(photographs)))
        return replace(self, objectives=balanced)

    def groups(self, network: TransformNetwork) -> list[Group]:
        """Group the norms of the new styles, and all that styles share, unless that stays.

        The norms of a style get a gradient in only one of ``count`` steps. Adam takes that for a
        smaller and less certain gradient. The root of ``count`` makes up for both.
        """
        own, named = set(networks.norms(network)), dict(network.named_parameters())
        shared = [weight for name, weight in named.items() if name not in own]
        for weight in shared:
            weight.requires_grad_(self.options.tune == "all")
        rate, count = self.options.learning_rate, len(self.objectives)
        rows = [named[name] for name in sorted(own)]
        groups: list[Group] = [{"params": rows, "peak": rate * count**0.5}]
        if self.options.tune == "all":
            return [*groups, {"params": shared, "peak": rate}]
        for weight in rows:
            weight.register_hook(_only(range(self.kept, self.kept + count)))  # type: ignore[no-untyped-call]
        return groups

    def losses(self, paint: Paint, batch: Numbered) -> Losses:
        index, strength = _draw(batch.number, len(self.objectives), self.options)
        ground, content = self._taught(batch)
        painted = paint(ground, self._mix(index, strength))
        return self.objectives[index](painted, content, strength)

    def validation(self, network: TransformNetwork) -> float | None:
        """Return the mean objective of photographs that are in no batch, over all new styles."""
        photographs, objectives = self.held_out, self.objectives
        if not len(photographs):
            return None
        total, count = 0.0, max(len(photographs), len(objectives))
        with evaluating(network):
            for number in range(count):
                index = number % len(objectives)
                photograph = photographs[number % len(photographs)][None]
                painted = network(self._grained(photograph, number), self._mix(index))
                content = objectives[index].content(photograph)
                total += float(objectives[index](painted, content).total)
        return total / count

    def sample(self, network: TransformNetwork, done: int) -> Tensor:
        """Return photographs above their paintings."""
        photographs, ground = self._shown(done)
        rows = [photographs]
        with evaluating(network):
            for index in range(min(len(self.objectives), SAMPLES)):
                mix = self._mix(index)
                rows.append(torch.cat([network(each[None], mix) for each in ground]))
        return grid(rows)

    def _mix(self, index: int, strength: float = 1.0) -> Tensor:
        """Return style weights for the new style ``index``."""
        mix = torch.zeros(self.kept + len(self.objectives), device=self.device)
        mix[self.kept + index] = strength
        return mix


def _only(rows: range) -> Callable[[Tensor], Tensor]:
    """Make a hook that keeps some rows of a gradient, ``(rows, channels)``, and clears others."""

    def masked(gradient: Tensor) -> Tensor:
        kept = torch.zeros_like(gradient)
        kept[rows.start : rows.stop] = gradient[rows.start : rows.stop]
        return kept

    return masked


def _draw(number: int, styles: int, options: TrainOptions) -> tuple[int, float]:
    """Draw the style of a batch, in turn, and its strength: half of the batches have all of it."""
    if not options.learn_strength:
        return number % styles, 1.0
    rng = np.random.default_rng([options.seed, number, 1])
    return number % styles, 1.0 if rng.random() < 0.5 else float(rng.random())

"""What lessons about the styles of paintings share: photographs, with their content and grain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from impasto.options import TrainOptions
from impasto.studio.perceptual.objective import Features, Objective
from impasto.studio.tensors import grained
from impasto.studio.training.dataset import Photos
from impasto.studio.training.feature_cache import Crops, FeatureCache

SAMPLES = 6
"""Most photographs, and most styles, on a sample picture."""


@dataclass(frozen=True)
class Numbered:
    """Crops, and the number of their batch, which decides what they teach."""

    number: int
    crops: Crops

    @property
    def from_disk(self) -> bool:
        return self.crops.from_disk


@dataclass(frozen=True)
class PhotographLesson:
    """Photographs to paint, and objectives that compare the paintings, one for each style."""

    options: TrainOptions
    dataset: Photos
    objectives: Sequence[Objective]
    device: torch.device

    @cached_property
    def cache(self) -> FeatureCache:
        return FeatureCache(self.dataset, self.objectives[0], self.options)

    @cached_property
    def held_out(self) -> Tensor:
        """Return photographs that are in no batch."""
        return self.dataset.validation().to(self.device)

    def fetch(self, number: int) -> Numbered:
        return Numbered(number, self.cache.fetch(number))

    def _taught(self, batch: Numbered) -> tuple[Tensor, Features]:
        """Return photographs with grain, and the content to recognise in their paintings."""
        photographs, content = self.cache.content(batch.crops, self.device)
        return self._grained(photographs, batch.number * self.options.batch), content

    def _first(self) -> tuple[Tensor, Tensor]:
        """Return the photographs of the first step, without and with grain."""
        photographs = self.dataset.batch(0).to(self.device)
        return photographs, self._grained(photographs, 0)

    def _shown(self, done: int) -> tuple[Tensor, Tensor]:
        """Return photographs for a sample picture after ``done`` steps, without and with grain."""
        photographs = self.held_out
        if not len(photographs):
            photographs = self.dataset.batch(done).to(self.device)
        photographs = photographs[:SAMPLES]
        return photographs, self._grained(photographs, done)

    def _grained(self, photographs: Tensor, first: int) -> Tensor:
        return grained(photographs, self.options.grain, self.options.seed, first)

"""Losses of paintings of ``P`` photographs by ``S`` networks, each towards a style of its own.

They are those of one style (:mod:`impasto.studio.perceptual.losses`), mapped over the styles. The
loss network sees all paintings in one forward pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap

from impasto.studio.device import multiplies_bfloat16
from impasto.studio.hypernetwork import LAYERS, Features
from impasto.studio.perceptual.backbone import LossNetwork
from impasto.studio.perceptual.losses import (
    STATISTICS,
    anisotropic_tv,
    content_loss,
    lattice_loss,
    light,
    tone_loss,
)
from impasto.studio.statistics import Statistic

CONTENT = "conv3_2"
"""Layer at which photographs are compared; styles use the layers that the hypernetwork sees."""

Wanted = Mapping[str, Statistic]
"""Statistics of ``S`` paintings at each layer."""


@dataclass(frozen=True)
class Parts:
    """Losses without their weights, ``(S,)`` each, means over the photographs."""

    content: Tensor
    style: Tensor
    tone: Tensor
    tv: Tensor
    lattice: Tensor


@dataclass(frozen=True)
class PairLosses:
    """How far paintings are from their photographs and their styles."""

    network: LossNetwork
    statistic: str
    scale: str
    """Scale of the style loss; content is relative to the photograph's."""

    def features(self, pictures: Tensor, layers: Iterable[str]) -> Features:
        """Return features of ``(N, 3, H, W)`` pictures, 0..1, in float32.

        The network runs in bfloat16 where the machine multiplies that faster.
        """
        kind = pictures.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=multiplies_bfloat16(kind)):
            features = self.network(pictures, layers)
        return {layer: value.float() for layer, value in features.items()}

    def wanted(self, seen: Features) -> Wanted:
        """Measure what is wanted of ``S`` paintings with these features."""
        measure, _ = STATISTICS[self.statistic]
        return {layer: measure(seen[layer], None) for layer in LAYERS}

    def __call__(self, painted: Tensor, photographs: Tensor, wanted: Wanted) -> Parts:
        """Compute losses of ``painted``, ``(S, P, 3, H, W)``, towards ``S`` paintings."""
        several = painted.shape[:2]
        with torch.no_grad():
            content = self.features(photographs, [CONTENT])[CONTENT]
        found = self.features(painted.flatten(0, 1), [*LAYERS, CONTENT])
        found = {layer: _split(each, several) for layer, each in found.items()}
        styles = [self._style(found[layer], wanted[layer]) for layer in LAYERS]
        shades = _split(light(painted.flatten(0, 1)), several)
        return Parts(
            vmap(content_loss, (0, None))(found[CONTENT], content),
            torch.stack(styles).mean(0),
            vmap(tone_loss, (0, None))(shades, light(photographs)),
            vmap(anisotropic_tv)(painted),
            vmap(lattice_loss)(painted),
        )

    def _style(self, features: Tensor, wanted: Statistic) -> Tensor:
        """Compute the style loss of ``(S, P, C, H, W)`` at one layer."""
        measure, distance = STATISTICS[self.statistic]

        def apart(features: Tensor, wanted: Statistic) -> Tensor:
            target = tuple(each[None] for each in wanted)
            return distance(measure(features, None), target, self.scale)

        return vmap(apart)(features, wanted)


def _split(values: Tensor, several: torch.Size) -> Tensor:
    """Split ``(S P, ...)`` into ``(S, P, ...)``."""
    return values.reshape(*several, *values.shape[1:])

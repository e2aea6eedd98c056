"""A loss network that runs of an experiment share."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from impasto.studio.perceptual import backbone

_KEPT_BYTES = 512 * 2**20


class Remembering(backbone.LossNetwork):
    """A loss network that keeps features it computed without gradients.

    They are of photographs and style pictures, the same in run after run. Paintings change.
    """

    def __init__(self, network: backbone.LossNetwork) -> None:
        super().__init__(
            network.name, network.layers, network.content_layers, network.style_layers,
            network.mean.flatten().tolist(), network.std.flatten().tolist(),
        )  # fmt: skip
        self.network = network
        self.can_be_frugal = network.can_be_frugal
        self._kept: OrderedDict[tuple[str, str], Tensor] = OrderedDict()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "frugal":
            self.network.frugal = value
        super().__setattr__(name, value)

    def forward(self, pictures: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        wanted = list(layers)
        if torch.is_grad_enabled() or type(pictures) is not Tensor:  # or of no more than a shape
            return self.network(pictures, wanted)
        self.require(wanted)
        picture = hashlib.sha256(pictures.cpu().numpy().tobytes()).hexdigest()
        picture += f"{tuple(pictures.shape)}{pictures.device}"
        if missing := [layer for layer in wanted if (picture, layer) not in self._kept]:
            for layer, maps in self.network(pictures, missing).items():
                self._kept[picture, layer] = maps
        for layer in wanted:
            self._kept.move_to_end((picture, layer))
        features = {layer: self._kept[picture, layer] for layer in wanted}
        while sum(each.nbytes for each in self._kept.values()) > _KEPT_BYTES:
            self._kept.popitem(last=False)
        return features

"""Several networks of one shape that paint at once: their convolutions become grouped ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from impasto.options import NetworkOptions
from impasto.studio.networks.transform import TransformNetwork, build

Weights = dict[str, Tensor]
"""Weights of ``S`` networks, ``(S, *shape)``, by the names of their parameters."""


def painted(network: TransformNetwork, weights: Weights, photographs: Tensor) -> Tensor:
    """Paint ``(P, 3, H, W)`` photographs with ``S`` networks: ``(S, P, 3, H, W)``.

    ``network`` gives the shape; its own weights do not count.
    """

    def paint(weights: Weights) -> Tensor:
        result: Tensor = functional_call(network, weights, (photographs,))
        return result

    return vmap(paint)(weights)


def one(weights: Mapping[str, Tensor], number: int = 0) -> Weights:
    """Return the weights of one network of several."""
    return {name: each[number] for name, each in weights.items()}


class Grouped(nn.Module):
    """``S`` networks of one style each, as one module.

    Its state has the names of a single network's. Each tensor is a stack of ``S``.

    Args:
        options: the shape of all of them; their norm is ``instance``.
        weights: the states that they begin with, one for each.
    """

    def __init__(self, options: NetworkOptions, weights: Sequence[Mapping[str, Tensor]]) -> None:
        super().__init__()
        self.options, self.count = options, len(weights)
        with torch.device("meta"):
            blank = build(options)
        object.__setattr__(self, "_blank", blank)  # it is no part of the state
        self._blank: TransformNetwork
        for name, _ in blank.named_parameters():
            module, _, leaf = name.rpartition(".")
            stacked = torch.stack([each[name] for each in weights])
            _room(self, module).register_parameter(leaf, nn.Parameter(stacked))

    def forward(self, photographs: Tensor) -> Tensor:
        return painted(self._blank, dict(self.named_parameters()), photographs)


def _room(root: nn.Module, path: str) -> nn.Module:
    """Return the module at a path such as ``out.conv``; make what is missing."""
    for part in filter(None, path.split(".")):
        if not hasattr(root, part):
            root.add_module(part, nn.Module())
        root = getattr(root, part)
    return root

"""LPIPS with SqueezeNet: how far a painting looks from its photograph (Zhang et al. 2018, CVPR).

The package ``lpips`` has the linear weights; SqueezeNet's own come from a file of safetensors with
torchvision's names. Both are for measurements only: ``pip install lpips torchvision safetensors``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import util
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

Pixels: TypeAlias = np.ndarray
"""``(H, W, 3)`` bytes, RGB."""
Distance = Callable[[Sequence[Pixels], Sequence[Pixels]], float]
"""Paintings and their photographs, to the mean over them; 0 is the same picture."""
_OPERATORS = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
"""Kept, because what it declares goes with it."""


def measured_by(weights: Path) -> Distance | None:
    """The distance, with these weights of SqueezeNet 1.1; None where ``lpips`` is missing."""
    if util.find_spec("lpips") is None:
        return None
    _declare_operators()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lpips import LPIPS

        network = LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    network.net.load_state_dict(_named(network.net.state_dict(), load_file(weights)))

    @torch.no_grad()
    def distance(paintings: Sequence[Pixels], photographs: Sequence[Pixels]) -> float:
        pairs = zip(paintings, photographs, strict=True)
        return float(np.mean([float(network(_signed(a), _signed(b))) for a, b in pairs]))

    return distance


def _declare_operators() -> None:
    """What torchvision wants to be there, where its compiled part is for another torch."""
    for name in ("nms", "qnms"):
        with suppress(RuntimeError):  # there already
            _OPERATORS.define(  # type: ignore[no-untyped-call]
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )


def _named(wanted: dict[str, Tensor], there: dict[str, Tensor]) -> dict[str, Tensor]:
    """``slice1.0.weight`` of the package is ``features.0.weight`` of torchvision."""
    return {name: there[f"features.{name.partition('.')[2]}"].float() for name in wanted}


def _signed(pixels: Pixels) -> Tensor:
    """``(1, 3, H, W)``, -1..1."""
    return torch.tensor(pixels).permute(2, 0, 1)[None] / 127.5 - 1

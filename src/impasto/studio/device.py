"""Where the studio computes, and how precisely: one policy for all of it."""

from __future__ import annotations

import torch

from impasto.errors import DeviceError
from impasto.inference.devices import BFLOAT16

_MIXED = {"cuda"}
"""Kinds of devices that compute in bfloat16; processors without units for it are slower that way.
"""


def torch_device(name: str) -> torch.device:
    """Return the device of a name, if it is there; ``auto`` is the fastest that is.

    Raises:
        DeviceError: it is not.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((device for device, here in there.items() if here), "cpu")
    if not there.get(name, True):
        raise DeviceError(f"there is no {name} device for torch here", hint="use --device cpu")
    return torch.device(name)


def multiplies_bfloat16(kind: str) -> bool:
    """Say whether a device of this kind has units for bfloat16: CUDA's, or a processor's own."""
    told: dict[str, object] = {}
    if kind == "cpu":
        told = getattr(torch.cpu, "get_capabilities", dict)()
    return kind in _MIXED or any(told.get(unit) for unit in BFLOAT16)


def in_bfloat16(kind: str) -> bool:
    """Say whether networks run in bfloat16 on a device of this kind, such as ``cuda``."""
    return kind in _MIXED

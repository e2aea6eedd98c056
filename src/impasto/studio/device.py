"""On which device the studio computes: one policy for all of it."""

from __future__ import annotations

import torch

from impasto.errors import DeviceError


def torch_device(name: str) -> torch.device:
    """The device by its name, seen to be there.

    Raises:
        DeviceError: it is not.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((device for device, here in there.items() if here), "cpu")
    if not there.get(name, True):
        raise DeviceError(f"there is no {name} device for torch here", hint="use --device cpu")
    return torch.device(name)

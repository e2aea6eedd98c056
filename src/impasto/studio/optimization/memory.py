"""How much memory an optimisation will take, known before it starts."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch

from impasto.errors import OptionError
from impasto.images.raster import Size
from impasto.inference import devices
from impasto.studio.perceptual import backbone, winograd
from impasto.studio.perceptual.backbone import LossNetwork

_FLOAT = 4
_COPIES = {False: 4, True: 3}
"""Copies of the largest layer that exist at once in its backward step, frugal or not.

They are what follows it, the gradients of both, and scratch.
"""
_SLACK = 1.1
_FEWEST_PAIRS = 3


def forecast(network: LossNetwork, layers: Collection[str], size: Size, history: int) -> int:
    """Forecast the bytes that one evaluation and the solver will take at ``size``.

    They are counted from the shapes of the layers, for the network as it is, ``frugal`` or not. For
    VGG they are about what is measured. For networks of torchvision they are more, because every
    node counts as kept.
    """
    volumes = _volumes(network, layers, size)
    if network.frugal:
        kept = sum(v for layer, v in volumes.items() if layer in layers or "pool" in layer)
    else:
        kept = sum(volumes.values())
    picture = 3 * size[0] * size[1]
    floats = (kept + _COPIES[network.frugal] * max(volumes.values())) * _SLACK + (
        2 * history + 8
    ) * picture
    return round(_FLOAT * floats)


def require_room_for_style(
    network: LossNetwork, layers: Collection[str], size: Size, available: int | None
) -> None:
    """Check that a style picture of ``size`` fits; it is measured once, without gradients.

    Raises:
        OptionError: that does not fit into ``available`` bytes.
    """
    if available is None:
        return
    needed = style_forecast(network, layers, size)
    if needed > available:
        side = int(max(size) * (available / needed) ** 0.5)
        raise OptionError(
            f"a style picture of {size[1]}x{size[0]} would need about {needed / 1e9:.1f} GB of "
            f"memory; {available / 1e9:.1f} GB are free",
            hint=f"use --style-size {side}",
        )


def style_forecast(network: LossNetwork, layers: Collection[str], size: Size) -> int:
    """Forecast the bytes of the features of a style picture, which need no gradients."""
    shapes = _shapes(network, layers, size)
    volumes = {layer: math.prod(shape) for layer, shape in shapes.items()}
    largest = max(volumes, key=volumes.__getitem__)
    kept = sum(volume for layer, volume in volumes.items() if layer in layers)
    # The largest exists twice: as a convolution's input and as its output.
    first = kept + (1 if largest in layers else 2) * volumes[largest]
    last = kept + winograd.scratch(max(channels for channels, _, _ in shapes.values()))
    return round(_FLOAT * _SLACK * max(first, last))


def available(device: torch.device) -> int | None:
    """Return the bytes that this process may still take on ``device``; None where nothing tells."""
    if device.type == "cpu":
        return devices.memory()
    if device.type == "cuda":
        # Memory that torch holds and does not use is free as well, for torch.
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return None


def fit(
    network: LossNetwork,
    layers: Collection[str],
    size: Size,
    history: int,
    available: int | None,
) -> int:
    """Make the network frugal, and the solver's memory short, if it must be.

    Returns:
        How many pairs L-BFGS may remember.

    Raises:
        OptionError: it does not fit into ``available`` bytes in any way.
    """
    if available is None:
        network.frugal = False
        return history
    needed = 0
    fewest = min(history, _FEWEST_PAIRS)
    for frugal, pairs in ((False, history), (True, history), (True, fewest)):
        network.frugal = frugal and network.can_be_frugal
        needed = forecast(network, layers, size, pairs)
        if needed <= available:
            return pairs
    side = int(max(size) * (available / needed) ** 0.5)
    raise OptionError(
        f"{size[1]}x{size[0]} would need about {needed / 1e9:.1f} GB of memory; "
        f"{available / 1e9:.1f} GB are free",
        hint=f"use --size {side}, or layers that are less deep",
    )


def _volumes(network: LossNetwork, layers: Collection[str], size: Size) -> dict[str, int]:
    """Count the numbers in each layer down to the deepest of ``layers``."""
    return {layer: math.prod(s) for layer, s in _shapes(network, layers, size).items()}


def _shapes(
    network: LossNetwork, layers: Collection[str], size: Size
) -> dict[str, tuple[int, int, int]]:
    """Return the shape of each layer, ``(C, H, W)``, down to the deepest of ``layers``."""
    deepest = max(network.layers.index(layer) for layer in layers)
    # A layer before its ReLU is not kept: the ReLU's own output is enough for both.
    used = [layer for layer in network.layers[: deepest + 1] if not layer.endswith(".pre")]
    return backbone.shapes(network, size, used)

"""The transform networks in numbers: how much each computes, and how long that takes here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from impasto.images.raster import Size
from impasto.inference.engine import OnnxEngine
from impasto.studio import networks
from impasto.studio.export import onnx as onnx_graph
from impasto.studio.networks import TransformNetwork

_RUNS = 3


class Complexity(NamedTuple):
    """How much a network computes, and how long that takes here."""

    name: str
    parameters: int
    gmac: float
    """Billions of multiply-accumulates."""
    ms: float
    """Milliseconds, the best of three."""


def measure(names: Sequence[str], size: Size, threads: int | None = None) -> Iterator[Complexity]:
    """Measure each network for a picture of this size.

    The weights are random: speed does not depend on them.
    """
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (*size, 3), np.uint8)
    for name in names:
        torch.manual_seed(0)
        network = networks.build(networks.preset(name)).eval()
        engine = OnnxEngine(onnx_graph.to_onnx(network), device="cpu", threads=threads)
        yield Complexity(
            name,
            parameters=sum(weight.numel() for weight in network.parameters()),
            gmac=macs(network, size) / 1e9,
            ms=min(_seconds(engine, pixels) for _ in range(_RUNS)) * 1000,
        )


def macs(network: TransformNetwork, size: Size) -> int:
    """Count the multiply-accumulates for one picture of this size; nothing is computed."""
    stride, (height, width) = network.stride, size
    shape = (1, 3, -(-height // stride) * stride, -(-width // stride) * stride)
    with torch.device("meta"):
        ghost = networks.build(network.options)
        photo = torch.empty(shape)
    with FlopCounterMode(display=False) as counter:
        ghost(photo, torch.empty(1, device="meta"))
    return counter.get_total_flops() // 2


def _seconds(engine: OnnxEngine, pixels: np.ndarray) -> float:
    began = time.perf_counter()
    engine.paint(pixels)
    return time.perf_counter() - began

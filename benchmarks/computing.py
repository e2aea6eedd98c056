"""Networks of the literature beside a style's, and how close it comes to the machine's limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from benchmarks.measure import engines, medians, timed
from benchmarks.rows import FULL_HD, RUNTIMES, Plan, Row, photograph, said
from impasto import images
from impasto.inference import devices, runtimes
from impasto.inference.engine import OnnxEngine
from impasto.inference.onnx_proto import SINGLE, Network, Node, Port
from impasto.studio import networks
from impasto.studio.evaluation import complexity
from impasto.studio.export import onnx as onnx_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.catalog import Style

LITERATURE = {
    "johnson": "Johnson et al.",
    "johnson-separable": "depthwise-separable",
    "johnson-half": "at half the size",
    "johnson-both": "separable, at half the size",
}
_SIDE, _BYTES = 2048, 400_000_000
_CONVOLUTIONS = (32, 386), (64, 258), (256, 98)
"""Channels, and side of the input, of a convolution."""


def literature(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure a style's network beside published ones in the same runtime, on the same threads."""
    threads = devices.threads()
    engines = {"ours": OnnxEngine(style.model(), device="cpu", threads=threads)}
    for name in LITERATURE:
        model = onnx_graph.to_onnx(networks.build(networks.preset(name)).eval())
        engines[name] = OnnxEngine(model, device="cpu", threads=threads)
    for size in plan.sizes:
        pixels = photograph(*size)
        runs: dict[str, Callable[[], float]] = {
            name: timed(partial(engine.paint, pixels)) for name, engine in engines.items()
        }
        times = medians(runs, plan.repeats)
        ours = times.pop("ours") * 1000
        for name, seconds in times.items():
            theirs = seconds * 1000
            bar = {"johnson": 20.0, "johnson-both": 3.5}.get(name)
            what = f"network against {LITERATURE[name]}, {said(size)}"
            yield Row(what, "ms", ours, theirs, theirs / ours, bar, at_least=True)


def roofline(style: Style, plan: Plan) -> Iterator[Row]:
    """Compare the time taken with the best that the machine's arithmetic and memory allow.

    Peaks are measured. The peak of arithmetic is the runtime's own fastest kernel on the same
    threads. It is one of large convolutions, or a product of matrices. Another library may be
    slower here. The peak of memory is a copy of what no cache holds.

    A network cannot be faster than its multiplications at that rate. Nor can it be faster than to
    read and write once what each convolution takes and gives (Williams et al. 2009).
    """
    threads = devices.threads()
    torch.set_num_threads(threads)
    source, target = torch.rand(2, _BYTES // 4)
    pixels = photograph(*FULL_HD)
    full = onnx_graph.to_onnx(networks.build(networks.preset("full")).eval())
    models = {"light": style.model(), "full": full}  # any weights take the same time
    tiers = {
        f"network {tier}, {said(FULL_HD)}, {name}": (tier, name, engine)
        for tier, model in models.items()
        for name, engine in engines({"": model}, threads).items()
        if name in RUNTIMES.values()
    }
    kernels = {
        (name, what): kernel
        for device, name in RUNTIMES.items()
        if device in runtimes.available()
        for what, kernel in _kernels(device, threads).items()
    }
    runs: dict[str, Callable[[], float]] = {
        "copy": timed(lambda: target.copy_(source)),
        **{f"{name}, {what}": timed(kernel.run) for (name, what), kernel in kernels.items()},
        **{name: timed(partial(engine.paint, pixels)) for name, (*_, engine) in tiers.items()},
    }
    times = medians(runs, plan.repeats)
    rate, peaks = 2 * _BYTES / times["copy"], dict[str, float]()
    for (name, what), kernel in kernels.items():
        peaks[name] = max(peaks.get(name, 0), kernel.flops / times[f"{name}, {what}"])
    for name, flops in peaks.items():
        yield Row(f"peak of arithmetic, {name}", "GFLOP/s", flops / 1e9)
    yield Row("peak of copying", "GB/s", rate / 1e9)
    for name, (tier, runtime, _) in tiers.items():
        macs, moved = _work(tier, FULL_HD)
        bound = max(2 * macs / peaks[runtime], moved / rate)
        yield Row(
            f"share of the roofline, {name}",
            "ms", times[name] * 1000, bound * 1000, bound / times[name], 0.6, at_least=True,
        )  # fmt: skip


@dataclass(frozen=True)
class _Kernel:
    """Arithmetic that a runtime does at its best."""

    run: Callable[[], object]
    flops: int


def _kernels(device: str, threads: int) -> dict[str, _Kernel]:
    """Return a product of matrices, and 3x3 convolutions of shapes that fill caches best.

    All are in single precision.
    """
    kernels = {}
    with patch.object(runtimes, "PRECISION", "f32"):
        matrix = np.random.default_rng(0).random((_SIDE, _SIDE), np.float32)
        session = runtimes.start(_network("MatMul", matrix, 2), device, threads)
        kernels["product"] = _Kernel(partial(session.run, {"x": matrix}), 2 * _SIDE**3)
        for channels, side in _CONVOLUTIONS:
            given = np.random.default_rng(0).random((1, channels, side, side), np.float32)
            weights = np.random.default_rng(1).random((channels, channels, 3, 3), np.float32)
            session = runtimes.start(_network("Conv", weights, 4), device, threads)
            flops = 2 * (side - 2) ** 2 * weights.size
            kernels[f"{channels} channels"] = _Kernel(partial(session.run, {"x": given}), flops)
    return kernels


def _network(operator: str, weights: NDArray[np.float32], dimensions: int) -> Network:
    """A network of one operator."""
    free = Port(SINGLE, (None,) * dimensions)
    node = Node(operator, ("x", "w"), ("y",))
    return Network((node,), {"w": weights}, {"x": free}, {"y": free})


def _work(tier: str, size: images.Size) -> tuple[int, int]:
    """Multiply-accumulates of a network, and bytes that its convolutions take and give."""
    network = networks.build(networks.preset(tier)).eval()
    moved = 0

    def count(_: nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        nonlocal moved
        moved += 4 * (given[0].numel() + made.numel())

    with torch.device("meta"):
        ghost = networks.build(network.options)
        photo = torch.empty(1, 3, *size)
    for module in ghost.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    ghost(photo, torch.empty(1, device="meta"))
    return complexity.macs(network, size), moved

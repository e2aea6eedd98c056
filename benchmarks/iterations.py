"""Iterations of L-BFGS from noise after which it is as good as the network of a bundled style.

Loss and painting are those that the style was learnt with. ``--paintings`` names a folder that has
the paintings: each is found with the hash on the card. ``--photos`` has photographs that no network
learnt from, and ``--count`` says how many are measured. ``--full`` measures tiny twins, too.

It takes hours. ``--keep`` names a folder for the counts, and a later run measures only what is not
there. So it can be stopped at any time, and the same command goes on.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import learnt_from
from benchmarks.rows import Plan, Row
from impasto import catalog, images
from impasto.files import atomic, lookup
from impasto.images import sampling
from impasto.options import EvaluateOptions
from impasto.studio.evaluation.contest import Contest
from impasto.studio.perceptual import loading

if TYPE_CHECKING:
    from impasto.catalog import Style
    from impasto.images.picture import Picture
    from impasto.options.fields import Json
    from impasto.studio.perceptual.backbone import LossNetwork

_MOST = 150
"""Most iterations; a network that is worth more counts as worth these."""
_OPTIONS = EvaluateOptions(count=8, iterations=_MOST)
_BAR, _BAR_OF_ALL = 25, 60
"""Bars of each style, and of the median of all."""


def iterations(_style: Style, plan: Plan) -> Iterator[Row]:
    """Count for each style, median and lower quartile of the photographs; then for all styles."""
    if not (plan.paintings and plan.photos):
        return
    styles = catalog.bundled() if plan.full else catalog.looks(catalog.bundled())
    options = replace(_OPTIONS, count=plan.count or (1 if plan.quick else _OPTIONS.count))
    photographs = sampling.some(Path(plan.photos), options.count, options.size).values()
    learnt = _learnt_from(styles, Path(plan.paintings))
    counts = {name: _Counts(styles[name], each, plan.keep) for name, each in learnt.items()}
    found: dict[str, list[int]] = {name: [] for name in counts}
    for photo in photographs:  # outermost: a run that was stopped has the same ones of all styles
        for name, measure in counts.items():
            found[name].append(measure(photo))
    yield from _rows(found)


def _rows(found: Mapping[str, Sequence[int]]) -> Iterator[Row]:
    """Between two photographs, the lower counts."""
    medians = []
    for name, counts in found.items():
        lower, middle = (sorted(counts)[(len(counts) - 1) // part] for part in (4, 2))
        what = f"{name}, iterations from noise, median of {len(counts)} photographs"
        yield Row(what, "", middle, bar=_BAR, at_least=True)
        yield Row(f"  {name}, lower quartile", "", lower)
        medians.append(middle)
    if medians:
        what = f"iterations from noise, median of {len(medians)} styles"
        yield Row(what, "", statistics.median(medians), bar=_BAR_OF_ALL, at_least=True)


def _learnt_from(styles: Mapping[str, Style], folder: Path) -> dict[str, Picture]:
    """Return what styles were learnt from, by name; a tiny twin has the painting of its original.

    Styles whose painting is not in ``folder`` are left out, with a line that says so.
    """
    originals = {name: catalog.bundled()[name.removesuffix(catalog.TINY)] for name in styles}
    found: dict[str, Picture] = {}
    for path in lookup.pictures(folder).paths:
        picture = images.read(path)
        for name, original in originals.items():
            if name not in found and (part := learnt_from.part(picture, original)):
                found[name] = part
    if missing := [name for name in styles if name not in found]:
        print(f"{folder} has no painting of {', '.join(missing)}", file=sys.stderr)
    return {name: found[name] for name in styles if name in found}


class _Counts:
    """Iterations that a style is worth, on one photograph after the other."""

    def __init__(self, style: Style, painting: Picture, keep: str | None) -> None:
        self._style, self._painting, self._keep = style, painting, keep
        self._loss = catalog.learnt_with(style).loss
        self._contest: Contest | None = None

    def __call__(self, photo: Picture) -> int:
        """Return what is kept, or measure and keep it."""
        key = self._key(photo)
        file = Path(self._keep, self._name(key)) if self._keep else None
        if file and file.exists():
            count = json.loads(file.read_bytes())["iterations"]
        else:
            count = self._measured(photo)
            if file:
                atomic.write(file, json.dumps({"iterations": count, **key}, indent=2).encode())
        return _OPTIONS.iterations if count is None else count

    def _key(self, photo: Picture) -> dict[str, Json]:
        """Return all that a count depends on."""
        options = asdict(_OPTIONS)
        del options["count"]
        return {
            "model": self._style.card.model.sha256,
            "painting": self._painting.sha256,
            "photograph": photo.sha256,
            "loss": asdict(self._loss),
            "options": options,
        }

    def _name(self, key: dict[str, Json]) -> str:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return f"{self._style.name}-{digest}.json"

    def _measured(self, photo: Picture) -> int | None:
        if self._contest is None:
            loss = self._loss
            network = _network(loss.loss_network, loss.pooling, loss.padding, loss.weights)
            self._contest = Contest(self._style, self._painting, _OPTIONS, network)
        return self._contest.iterations(photo)


@cache
def _network(name: str, pooling: str, padding: str, weights: str | None) -> LossNetwork:
    """Load a loss network once for all styles that were learnt with it."""
    return loading.load(name, pooling=pooling, padding=padding, weights=weights)

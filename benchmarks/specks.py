"""Marks of each bundled style that its network alone makes.

They lie on its own grid (dots, weaves, steps on edges) or along the edges of a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.rows import Plan, Row, whole
from impasto import assets, catalog
from impasto.images import sampling
from impasto.images.grain import grained
from impasto.images.metrics import border
from impasto.images.metrics import specks as measured
from impasto.inference.engine import OnnxEngine
from impasto.options import StylizeOptions

if TYPE_CHECKING:
    from impasto.catalog import Style

_COUNT, _SIDE = 12, 512
_BAR = 5.0
"""Bar in levels of 255 in flat places, where such marks show first."""
_BORDER_BAR = 20.0
"""Bar in levels of 255. Two were seen: a painting's white rim, and yellow that turned violet."""
_WHERE = {"flat": "in flat places", "dark": "in the dark", "whole": "everywhere"}


def specks(_style: Style, _plan: Plan) -> Iterator[Row]:
    """Measure levels of 255, beside what the same measure finds in the photographs, by chance."""
    pictures = sampling.some(assets.PHOTOGRAPHS, _COUNT, _SIDE).values()
    photographs = [whole(picture.pixels) for picture in pictures]
    chance = asdict(measured(photographs, photographs))
    for name, style in catalog.bundled().items():
        engine = OnnxEngine(style.model(), device="cpu")
        grounds = [grained(each, StylizeOptions.grain) for each in photographs]
        paintings = [engine.paint(each, style.weights) for each in grounds]
        found = asdict(measured(paintings, photographs))
        for key, where in _WHERE.items():
            bar = _BAR if key == "flat" else None
            what = f"{name}, marks on its own grid {where}"
            yield Row(what, "levels", found[key], chance[key], bar=bar)
        paint = partial(engine.paint, weights=style.weights)
        line = border(paint, grounds, paintings)
        assert line is not None  # the photographs are large
        yield Row(f"{name}, a line along an edge", "levels", line, bar=_BORDER_BAR)

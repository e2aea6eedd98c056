"""The look at every size: a preview beside the result, stairs up close, and the cost.

Photographs are the demo photograph, enlarged and with some noise, or that of ``--photo``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import medians, stylized
from benchmarks.rows import TWELVE_MEGAPIXELS, Plan, Row, photograph
from impasto import catalog, images
from impasto.images.operations import LUMA
from impasto.images.picture import Picture
from impasto.stylization.stylizer import Stylizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.catalog import Style

    Pixels = NDArray[np.uint8]

PREVIEW, COARSE, LARGE = 512, 1024, 4096
LIKE, APART = 0.96, 9.0
"""Least correlation of preview and result, and most levels between them on average."""
_STEEP = 8.0
"""Change of lightness, in levels, from which a place has a direction."""
_AXIS = np.tan(np.radians(2))
_CLIFF = (4000, 5980), (4000, 6120)
"""Sizes just below and above 24 megapixels, up to which a network ran on whole pictures."""


def look(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure all styles' agreement and stairs; then time, beside marks fixed in pixels."""
    photo = images.read(plan.photo).resized(LARGE) if plan.photo else _large()
    for each in catalog.looks(catalog.bundled()).values():
        yield from _seen(each, photo)
    yield from _times(style, plan)


def agreement(one: Pixels, other: Pixels) -> tuple[float, float]:
    """Return the correlation of two pictures of one size, and levels between them on average."""
    first, second = (each.ravel().astype(np.float32) for each in (one, other))
    return float(np.corrcoef(first, second)[0, 1]), float(np.abs(first - second).mean())


def stairs(painting: Pixels) -> float:
    """Return the share of the gradient's directions along rows and columns, to two degrees."""
    light = painting @ LUMA
    down, across = light[2:, 1:-1] - light[:-2, 1:-1], light[1:-1, 2:] - light[1:-1, :-2]
    down, across = np.abs(down), np.abs(across)
    steep, shallow = np.maximum(down, across), np.minimum(down, across)
    directed = steep > _STEEP
    return float((shallow[directed] <= _AXIS * steep[directed]).mean())


def _large() -> Picture:
    return Picture(photograph(LARGE * 2 // 3, LARGE))


def _seen(style: Style, photo: Picture) -> Iterator[Row]:
    paint = Stylizer(style)
    preview, result = paint(photo.resized(PREVIEW)), paint(photo)
    small = images.resize_to(result, (preview.height, preview.width))
    like, apart = agreement(small.pixels, preview.pixels)
    what = f"{style.name}, preview at {PREVIEW} and result at {LARGE}"
    yield Row(f"{what}: correlation", "", like, bar=LIKE, at_least=True)
    yield Row(f"{what}: apart", "levels", apart, bar=APART)
    own = stairs(paint(photo.resized(COARSE)).pixels)
    found = stairs(result.pixels)
    yield Row(f"{style.name}, stairs in the result and in itself at {COARSE}", "", found, own,
              found / own, 1.1)  # fmt: skip


def _times(style: Style, plan: Plan) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peaks: dict[str, list[float]] = {}

        def run(photo: Path, *flags: str) -> float:
            process = stylized(photo, folder / "out.jpg", style, flags=flags)
            peaks.setdefault(photo.stem, []).append(process.peak_bytes / 1e6)
            return process.seconds

        sizes = {"twelve": TWELVE_MEGAPIXELS, "below": _CLIFF[0], "above": _CLIFF[1]}
        photos = {
            stem: Picture(photograph(*size)).save(folder / f"{stem}.jpg")
            for stem, size in sizes.items()
        }
        runs = {stem: partial(run, photo) for stem, photo in photos.items()}
        runs["pixels"] = partial(run, photos["twelve"], "--stroke", "pixels")
        times = medians(runs, plan.processes)
        ours, theirs = times["twelve"], times["pixels"]
        yield Row("12 megapixel JPEG, by default and with --stroke pixels", "s", ours, theirs,
                  ours / theirs, 1.2)  # fmt: skip
        ours, theirs = times["above"], times["below"]
        yield Row("24.5 megapixels beside 23.9", "s", ours, theirs, ours / theirs, 1.15)
        yield Row("24.5 megapixels, peak memory", "MB", max(peaks["above"]), bar=1500)

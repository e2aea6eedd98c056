"""A contact sheet: one photograph in many styles, labelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from impasto import catalog, images
from impasto.catalog import StyleSource
from impasto.images.picture import Picture
from impasto.progress import OnProgress, Progress, silent
from impasto.stylization.stylizer import Stylizer

if TYPE_CHECKING:
    from impasto.images.raster import PictureSource


def sheet(
    photo: PictureSource,
    styles: Sequence[StyleSource] | None = None,
    *,
    cell: int = 480,
    on_progress: OnProgress = silent,
) -> Picture:
    """``photo`` and its paintings, each with its style's title, on one picture.

    Args:
        photo: anything that :func:`impasto.stylize` takes.
        styles: names, folders or paintings; all styles at hand by default, but for tiny twins.
        cell: long side of each picture in pixels.
        on_progress: called after each style.
    """
    chosen = [catalog.find(style) for style in styles or catalog.looks(catalog.styles())]
    small = images.open_any(photo).resized(cell)
    cells = [("Photograph", small)]
    for number, style in enumerate(chosen, 1):
        cells.append((style.card.title, Stylizer(style)(small)))
        on_progress(Progress(number, len(chosen), message=style.name))
    return images.compose(cells)

"""A contact sheet: one photograph in many styles, labelled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from impasto import catalog, images
from impasto.catalog import Style, StyleSource
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
    """Paint ``photo`` in styles, and arrange all on one picture.

    Each has its label: the style as one gives it to ``stylize``, and its title.

    Args:
        photo: anything that :func:`impasto.stylize` takes.
        styles: names, folders or paintings; by default all styles at hand, except tiny twins.
        cell: long side of each picture in pixels.
        on_progress: called after each style.
    """
    given = styles or [*catalog.looks(catalog.styles())]
    chosen = [catalog.find(style) for style in given]
    small = images.open_any(photo).resized(cell)
    cells = [("Photograph", small)]
    for number, (source, style) in enumerate(zip(given, chosen, strict=True), 1):
        cells.append((_label(source, style), Stylizer(style)(small)))
        on_progress(Progress(number, len(chosen), message=style.name))
    return images.compose(cells)


def _label(source: StyleSource, style: Style) -> str:
    """Make two lines: what was given, or the style's name, and whose look it is."""
    typed = os.fspath(source) if isinstance(source, (str, os.PathLike)) else style.name
    return f"{typed}\n{style.card.title}"

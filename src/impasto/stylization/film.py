"""Films painted with trained styles."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

from impasto.errors import OptionError
from impasto.options import ReadOptions, StylizeOptions
from impasto.progress import CancelToken, OnProgress, silent
from impasto.stylization.stylizer import Stylizer
from impasto.video.film import Film, Look, paint


def stylize_film(
    source: Path,
    target: Path,
    stylizer: Stylizer,
    options: StylizeOptions | None = None,
    *,
    read: ReadOptions | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Film:
    """Paint a film into a file with a ``steady`` stylizer.

    See :func:`impasto.video.film.paint` for the rest, and for the errors.

    Raises:
        OptionError: ``stroke`` is given, which is for pictures, or the stylizer is not steady.
    """
    options = options or StylizeOptions()
    if options.stroke:
        raise OptionError("films are painted without stroke")
    return paint(
        source, target, look(stylizer, options),
        read=read, overwrite=overwrite, on_progress=on_progress, cancel=cancel,
    )  # fmt: skip


def look(stylizer: Stylizer, options: StylizeOptions) -> Look:
    """How a steady stylizer paints frames.

    Raises:
        OptionError: it is not steady.
    """
    style = stylizer.style
    key = json.dumps([style.card.model.sha256, style.weights, asdict(options)])
    return Look(key, stylizer.steady_engine, partial(stylizer.film, options=options))

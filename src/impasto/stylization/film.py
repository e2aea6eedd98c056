"""Paints films with trained styles."""

from __future__ import annotations

import json
import os
from collections.abc import Container
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files.naming import Task
from impasto.options import ReadOptions, StylizeOptions
from impasto.progress import CancelToken, OnProgress, silent
from impasto.stylization.layers import Painter
from impasto.video.cargo import kinds_for
from impasto.video.film import Film, paint
from impasto.video.opening import library
from impasto.video.pipeline import Look
from impasto.video.reading import Source


def stylize_film(
    source: Path,
    target: Path,
    stylizer: Painter,
    options: StylizeOptions | None = None,
    *,
    read: ReadOptions | None = None,
    overwrite: bool = False,
    strip: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Film:
    """Paint a film into a file with a ``steady`` stylizer.

    See :func:`impasto.video.film.paint` for the rest, and for the errors.

    Raises:
        OptionError: the stylizer is not steady.
    """
    return paint(
        source, target, look(stylizer, options or StylizeOptions()),
        read=read, overwrite=overwrite, strip=strip, on_progress=on_progress, cancel=cancel,
    )  # fmt: skip


def fitting(task: Task, taken: Container[str] = ()) -> Task:
    """Choose the kind of a film that nobody has named: the first one that holds its sound.

    Its name must not be ``taken``. A fault of the film is reported when it is painted.
    """
    own, stem = task.output.suffix, task.output.with_suffix("")
    try:
        with Source(task.input, ReadOptions()) as film:
            kinds = kinds_for(film, own)
    except (ImpastoError, library().FFmpegError):
        return task
    if own.lower() in kinds:
        return task
    for kind in kinds:
        output = stem.with_name(stem.name + kind)
        if os.path.realpath(output) not in taken:
            note = f"written as {kind}, as {own} cannot hold its sound"
            return replace(task, output=output, note="; ".join(filter(None, (task.note, note))))
    return task


def look(stylizer: Painter, options: StylizeOptions) -> Look:
    """Return how a steady stylizer paints frames.

    Raises:
        OptionError: it is not steady.
    """
    key = json.dumps([*stylizer.identity, asdict(options)])
    return Look(key, stylizer.steady_engine, partial(stylizer.film, options=options))

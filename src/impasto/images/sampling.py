"""Samples photographs of a folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np

from impasto.errors import PictureError, TrainingError
from impasto.files import lookup
from impasto.images.picture import Picture, read


def some(folder: Path, count: int, size: int) -> dict[Path, Picture]:
    """Return up to ``count`` readable photographs by path, their longer side at ``size`` pixels.

    They come from all over the folder, and are the same each time.

    Raises:
        OptionError: there are no pictures in it.
        TrainingError: none of them can be read.
    """
    require_folder(folder)
    inside = lookup.pictures(folder).paths
    photographs: dict[Path, Picture] = {}
    for index in np.random.default_rng(0).permutation(len(inside)):
        if len(photographs) == count:
            break
        with contextlib.suppress(PictureError):
            photographs[inside[index]] = read(inside[index]).resized(size)
    if not photographs:
        raise TrainingError(f"no photograph in {folder} can be read", hint="check the folder")
    return photographs


def require_folder(folder: Path) -> None:
    if not os.path.isdir(folder):
        raise TrainingError(
            f"{folder} is not a folder", hint="give one with a few hundred photographs"
        )

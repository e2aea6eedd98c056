"""The places of checkpoints: the last two of a training, and the one that it starts from."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from impasto import catalog
from impasto.catalog.writing import LEARNABLE, beside
from impasto.errors import StyleError, TrainingError
from impasto.files import kept_steps, places
from impasto.studio.training import checkpoint_file
from impasto.studio.training.checkpoint import Checkpoint, DamagedError, Training


@dataclass(frozen=True)
class Latest:
    """Where a training goes on, if it does, and what it ``skipped`` on the way."""

    checkpoint: Checkpoint | None
    skipped: tuple[str, ...] = ()
    """One sentence for each damaged file."""


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, and drop all but the last two."""
    return kept_steps.write(folder, checkpoint.step, checkpoint_file.encode(checkpoint))


def latest(folder: Path, training: Training) -> Latest:
    """Return the newest whole checkpoint in ``folder``.

    Raises:
        TrainingError: it was made with other options, paintings or photographs. Or it began
            elsewhere, or is of a newer version.
    """
    skipped = list[str]()
    for path in reversed(kept_steps.paths(folder)):
        try:
            checkpoint = checkpoint_file.read(path)
        except DamagedError as error:
            skipped.append(error.message)
            continue
        checkpoint.training.require_same(training)
        return Latest(checkpoint, tuple(skipped))
    return Latest(None, tuple(skipped))


def find(start: str | Path) -> Path:
    """Find the file to learn on from: a checkpoint, or the network of a style's name or folder.

    Raises:
        OptionError: no such style, or a blend of several networks.
        TrainingError: the style has no such file.
    """
    folder = Path(start)
    if folder.is_file():
        return Path(os.path.realpath(folder))
    path = _learnable(folder)
    if path is None:  # a folder of several styles has none of their names
        path = _learnable((places.styles_folder() or folder) / start)
    if path is None:
        path = _learnable(catalog.of_one_network(start).folder)
    if path is None:
        raise TrainingError(
            f"{start} cannot be learnt on from: it has no {LEARNABLE}",
            hint="give another style, or a checkpoint of a training",
        )
    return path


def _learnable(folder: Path) -> Path | None:
    """Return the file to learn on from of the style in ``folder``, if it has one."""
    path = folder / LEARNABLE
    if (folder / catalog.CARD).is_file():
        with contextlib.suppress(StyleError):
            path = folder / beside(catalog.read(folder)[0].card.model.file)
    return path if path.is_file() else None

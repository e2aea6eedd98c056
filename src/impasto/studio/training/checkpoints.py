"""Where checkpoints lie: the last two of a training, and the one that a style is learnt on from.

Each is written under another name and renamed, so that a kill at any moment loses little.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from impasto import catalog
from impasto.catalog.writing import LEARNABLE, beside
from impasto.errors import StyleError, TrainingError
from impasto.files import atomic, locks, places
from impasto.studio.training import checkpoint_file
from impasto.studio.training.checkpoint import Checkpoint, DamagedError, Training

WORK = "training"
"""In a style's folder: all that a training keeps to go on."""

LOCK = "lock"
"""In it: a file that is locked while a process learns."""

_KEEP = 2
_NAME = re.compile(r"step-([0-9]{7,9})\.safetensors")


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process learns in ``folder`` meanwhile.

    Raises:
        TrainingError: one does already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = locks.taken(folder / LOCK, "train")
    if lock is None:
        raise TrainingError(
            f"another process is learning in {folder}",
            hint="wait for that one, or name another style with -o",
        )
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class Latest:
    """Where a training goes on, if it does, and what was ``skipped`` on the way there."""

    checkpoint: Checkpoint | None
    skipped: tuple[str, ...] = ()
    """Sentences, each of a file that is damaged."""


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, and drop all but the last two. What is of later steps was not whole,
    or the training would have gone on from there."""
    path = folder / f"step-{checkpoint.step:07}.safetensors"
    atomic.write(path, checkpoint_file.encode(checkpoint), overwrite=True)
    now = paths(folder)
    here = now.index(path) + 1
    for old in [*now[here:], *now[: max(0, here - _KEEP)]]:
        with contextlib.suppress(OSError):  # not a file that a training wrote
            old.unlink(missing_ok=True)
    return path


def latest(folder: Path, training: Training) -> Latest:
    """The newest whole checkpoint in ``folder``.

    Raises:
        TrainingError: it was made with other options, paintings or photographs, began
            elsewhere, or is of a newer version.
    """
    skipped = list[str]()
    for path in reversed(paths(folder)):
        try:
            checkpoint = checkpoint_file.read(path)
        except DamagedError as error:
            skipped.append(error.message)
            continue
        checkpoint.training.require_same(training)
        return Latest(checkpoint, tuple(skipped))
    return Latest(None, tuple(skipped))


def find(start: str | Path) -> Path:
    """The file to learn on from: a checkpoint, or the network of a style's name or folder.

    Raises:
        OptionError: no such style, or a blend of several networks.
        TrainingError: it came without.
    """
    folder = Path(start)
    if folder.is_file():
        return Path(os.path.realpath(folder))
    path = _learnable(folder)
    if path is None:  # of several styles, its name is none of theirs
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
    """The file to learn on from that belongs to the style in ``folder``, if it has one."""
    path = folder / LEARNABLE
    if (folder / catalog.CARD).is_file():
        with contextlib.suppress(StyleError):
            path = folder / beside(catalog.read(folder)[0].card.model.file)
    return path if path.is_file() else None


def paths(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, the newest last."""
    there = {path: match for path in folder.glob("step-*") if (match := _NAME.fullmatch(path.name))}
    return sorted(there, key=lambda path: (int(there[path][1]), path.name))


def steps(folder: Path) -> int:
    """After how many steps the newest checkpoint in ``folder`` was written; 0 without one."""
    numbers = [int(path.stem.removeprefix("step-")) for path in paths(folder)]
    return max(numbers, default=0)

"""What a training keeps in its folder to go on: its last two steps, each a file.

Each is written under another name and renamed, so that a kill at any moment loses little.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from impasto.errors import TrainingError
from impasto.files import atomic, locks

WORK = "training"
"""Folder in a style's folder: all that a training keeps to go on."""

LOCK = "lock"
"""File in it that is locked while a process learns."""

_KEEP = 2
_NAME = re.compile(r"step-([0-9]{7,9})\.safetensors")


def write(folder: Path, step: int, data: bytes) -> Path:
    """Write what was learnt after a step, and drop all but the last two steps.

    Files of later steps were not whole. Otherwise the training would have gone on from them.
    """
    path = folder / f"step-{step:07}.safetensors"
    atomic.write(path, data, overwrite=True)
    now = paths(folder)
    here = now.index(path) + 1
    for old in [*now[here:], *now[: max(0, here - _KEEP)]]:
        with contextlib.suppress(OSError):  # not a file that a training wrote
            old.unlink(missing_ok=True)
    return path


def paths(folder: Path) -> list[Path]:
    """Return the files in ``folder``, the newest last."""
    there = {path: match for path in folder.glob("step-*") if (match := _NAME.fullmatch(path.name))}
    return sorted(there, key=lambda path: (int(there[path][1]), path.name))


def steps(folder: Path) -> int:
    """Return the step of the newest file in ``folder``; 0 without one."""
    there = paths(folder)
    return int(there[-1].stem.removeprefix("step-")) if there else 0


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """A context in which no other process learns in ``folder``.

    Raises:
        OutputError: the folder cannot be made.
        TrainingError: another process learns there already.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic.refused(folder, error) from error
    lock = locks.taken(folder / LOCK)
    if lock is None:
        raise TrainingError(
            f"another process is learning in {folder}",
            hint="wait for that one, or name another style with -o",
        )
    try:
        yield
    finally:
        lock.release()

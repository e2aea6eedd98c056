"""Settings for the tasks of a batch, and their results."""

from __future__ import annotations

import os
from dataclasses import dataclass

from impasto.errors import ImpastoError
from impasto.files.naming import Task
from impasto.options import ReadOptions, StylizeOptions, WriteOptions


@dataclass(frozen=True)
class Result:
    """The result of one task: painted, skipped because its output is there, or failed.

    ``seconds`` is the time spent on it: reading, painting and writing.
    """

    task: Task
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    device: str = ""
    sha256: str = ""
    notes: tuple[str, ...] = ()
    skipped: bool = False
    error: ImpastoError | None = None

    @property
    def status(self) -> str:
        """``done``, ``skipped`` or ``error``."""
        return "error" if self.error else "skipped" if self.skipped else "done"


@dataclass(frozen=True)
class Settings:
    """The settings of all tasks of a batch."""

    stylize: StylizeOptions = StylizeOptions()
    read: ReadOptions = ReadOptions()
    write: WriteOptions = WriteOptions()
    device: str = "auto"
    threads: int | None = None
    overwrite: bool = False


def is_there(task: Task, settings: Settings) -> bool:
    """Say whether to skip a task, because its output exists and is no unfinished film."""
    if settings.overwrite or not os.path.exists(task.output):
        return False
    if not task.is_film:
        return True
    from impasto.video import workplace

    return not workplace.unfinished(task.output)

"""One process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Lock(Protocol):
    """A lock that this process holds. It ends with the process, however that ends."""

    def release(self) -> None: ...


def taken(path: Path) -> Lock | None:
    """Lock a file; None means that another process holds the lock."""
    import filelock

    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return None
    return lock

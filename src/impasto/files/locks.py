"""One process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from impasto.distribution import need


class Lock(Protocol):
    """A lock that this process holds. It ends with the process, however that ends."""

    def release(self) -> None: ...


def taken(path: Path, extra: str) -> Lock | None:
    """The lock of a file, now held; None: another process holds it.

    ``extra`` is where the package comes from that locks files.

    Raises:
        MissingExtraError: that extra is not installed.
    """
    filelock = need("filelock", extra, "filelock, which keeps two processes apart,")
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return None
    held: Lock = lock
    return held

"""Where jobs are kept: in a folder with SQLite, or in a Redis for several machines."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from huey.exceptions import HueyException
from huey.storage import BaseStorage, RedisStorage, SqliteStorage

from impasto import paths
from impasto.errors import DeviceError, reason
from impasto.options import ServeOptions
from impasto.server.parts import Chunks, Folder, FolderError, Parts

_SERVED = ("redis://", "rediss://", "unix://")


@dataclass(frozen=True)
class Place:
    """``records`` has the queue too; ``marks`` what is small, and ``parts`` what is large."""

    records: BaseStorage
    marks: BaseStorage
    parts: Parts

    def close(self) -> None:
        for storage in (self.records, self.marks):
            with suppress(HueyException):
                storage.close()


def opened(options: ServeOptions) -> Place:
    """The place that the options name.

    Raises:
        DeviceError: it cannot be used.
    """
    address = options.redis or ""
    if address and not address.startswith(_SERVED):
        raise DeviceError(f"{address!r} is not a Redis's address", hint="redis://HOST:6379/0")
    try:
        return _redis(address) if address else _folder(options)
    except Exception as error:  # each storage has its own
        where = "that Redis" if address else options.state or "the cache"
        raise DeviceError(f"jobs cannot be kept in {where}: {reason(error)}") from error


def _redis(address: str) -> Place:
    records = RedisStorage("impasto", url=address, read_timeout=1)
    records.conn.ping()
    return Place(records, RedisStorage("impastomarks", url=address), Chunks(records.conn))


def _folder(options: ServeOptions) -> Place:
    folder = Path(options.state) if options.state else paths.cache_folder("jobs")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # others' photographs
    path = str(folder / "jobs.sqlite")
    records, marks = (SqliteStorage(name, filename=path) for name in ("impasto", "impastomarks"))
    return Place(records, marks, Folder(folder / "parts"))


def unreachable(options: ServeOptions) -> list[type[Exception]]:
    """What is raised where the jobs are kept, when that cannot be reached."""
    if not options.redis:
        return [sqlite3.Error, FolderError]
    import redis

    return [redis.RedisError]

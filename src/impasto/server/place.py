"""The place of jobs: a folder with SQLite, or a Redis for several machines."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huey.exceptions import HueyException
from huey.storage import BaseStorage, RedisStorage, SqliteStorage

from impasto.errors import DeviceError, reason
from impasto.files import places
from impasto.options import ServeOptions
from impasto.server.parts import Chunks, Folder, FolderError, Parts
from impasto.server.waiting import SortedSet, Table, Waiting

if TYPE_CHECKING:
    import redis

_log = logging.getLogger("impasto.server")

_SERVED = ("redis://", "rediss://", "unix://")
_FILE = "unix://"
_ANSWERS = 8.0
"""Seconds in which a Redis has to answer, and to take a piece of a film.

They are fewer than :data:`impasto.server.jobs.LOST`, after which a silent worker has lost its job.
"""
_TRIES = 3
"""Further tries, where a connection was closed; a server that closes all may close another."""
_DATABASE, _PARTS = "jobs.sqlite", "parts"
_OURS = re.compile(rf"{_PARTS}|{re.escape(_DATABASE)}(-\w+)?")


@dataclass(frozen=True)
class Place:
    """A place. ``records`` also has the queue, ``marks`` has small things, ``parts`` large ones."""

    records: BaseStorage
    marks: BaseStorage
    parts: Parts
    waiting: Waiting

    def close(self) -> None:
        for storage in (self.records, self.marks):
            with suppress(HueyException):
                storage.close()


def opened(options: ServeOptions) -> Place:
    """Open the place that the options name.

    Raises:
        DeviceError: it cannot be used.
    """
    return _redis(options.redis) if options.redis else _folder(options)


def _redis(address: str) -> Place:
    """Connect to a Redis. No message names the address, because it may hold a password."""
    if not address.startswith(_SERVED):
        raise DeviceError("--redis is not the address of a Redis", hint="redis://HOST:6379/0")
    try:
        records = RedisStorage("impasto", connection_pool=_pool(address), read_timeout=1)
        marks = RedisStorage("impastomarks", connection_pool=_pool(address))
    except (ValueError, TypeError):  # its message quotes the address
        raise DeviceError(
            "--redis is an address that cannot be understood",
            hint="redis://USER:PASSWORD@HOST:6379/0; write @, /, # and % of a password as "
            "%40, %2F, %23 and %25",
        ) from None
    try:
        records.conn.ping()
        return Place(records, marks, Chunks(records.conn), SortedSet(records.conn))
    except Exception as error:  # each storage raises its own errors
        raise _unusable("that Redis", _why(error)) from None


def _pool(address: str) -> redis.ConnectionPool:
    """Make connections that wait for an answer, but not for ever: a dead network never answers.

    A connection that the server has closed is opened again at once.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    again = Retry(NoBackoff(), _TRIES, supported_errors=(redis.ConnectionError,))
    limits: dict[str, Any] = {"socket_timeout": _ANSWERS}
    if not address.startswith(_FILE):
        limits["socket_connect_timeout"] = _ANSWERS
    return redis.ConnectionPool.from_url(address, retry=again, **limits)


def _why(error: Exception) -> str:
    """Return what the system or the server says, without the address.

    Wrong parts of an address may hold a password.
    """
    cause: BaseException | None = error
    while cause and not (isinstance(cause, OSError) and cause.strerror):
        cause = cause.__cause__ or cause.__context__
    if cause:
        return reason(cause)
    from redis import AuthenticationError, ResponseError
    from redis import TimeoutError as NoAnswerError

    if isinstance(error, NoAnswerError):
        return "it does not answer"
    of_server = isinstance(error, AuthenticationError | ResponseError)
    return reason(error if of_server else type(error).__name__)


def _folder(options: ServeOptions) -> Place:
    where = options.state or "the cache"
    try:
        folder = Path(options.state) if options.state else places.cache_folder("jobs")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds others' photographs
        _require_private(folder)
        path = str(folder / _DATABASE)
        records, marks = (
            SqliteStorage(name, filename=path) for name in ("impasto", "impastomarks")
        )
        return Place(records, marks, Folder(folder / _PARTS), Table(records))
    except (OSError, ValueError, sqlite3.Error, FolderError) as error:
        raise _unusable(
            where, reason(error), "name a folder that can be written with --state"
        ) from error


def _unusable(where: str, why: str, hint: str = "") -> DeviceError:
    return DeviceError(f"jobs cannot be kept in {where}: {why}", hint=hint)


def _require_private(folder: Path) -> None:
    """Close a folder to other users; at once if nothing but our files is in it.

    Raises:
        DeviceError: it is another user's, or there is something else in it.
    """
    if os.name != "posix":
        return
    about = folder.stat()
    if not stat.S_IMODE(about.st_mode) & 0o077:
        return
    strange = [path.name for path in folder.iterdir() if not _OURS.fullmatch(path.name)]
    if strange or about.st_uid != os.geteuid():
        raise DeviceError(
            f"other users can look into {folder}, where photographs would lie",
            hint=f"give a new folder, such as --state {folder / 'impasto'}",
        )
    folder.chmod(0o700)
    _log.warning("other users could look into %s; it is private now", folder)


def require_temporary() -> None:
    """Check that there is a folder for large temporary files.

    Raises:
        DeviceError: there is none.
    """
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise DeviceError(
            f"there is no place for temporary files: {reason(error)}",
            hint="set TMPDIR to a folder that can be written",
        ) from error


def unreachable(options: ServeOptions) -> list[type[Exception]]:
    """Return the exceptions that the place raises when it cannot be reached."""
    if not options.redis:
        return [sqlite3.Error, FolderError]
    import redis

    return [redis.RedisError]

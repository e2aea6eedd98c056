"""The jobs that are not over yet, up to a limit, counted over all processes.

Each job has a place among them before any of its data is stored. Giving and counting places is one
step of the database, so that no two processes give the last place. A job that leaves twice leaves
once.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from huey.storage import SqliteStorage


class Waiting(Protocol):
    """The jobs of all processes that are not over."""

    def enter(self, id: str, limit: float) -> bool:
        """Give a job a place if fewer than ``limit`` have one; return whether it got one."""

    def leave(self, id: str) -> None: ...

    def since(self) -> dict[str, float]:
        """Return all that have a place, and when they got it, in seconds since 1970."""


class Table:
    """Places on one machine: a table beside the records."""

    def __init__(self, storage: SqliteStorage) -> None:
        self._storage = storage
        storage.sql(
            "create table if not exists waiting (id text primary key, since real not null)",
            commit=True,
        )

    def enter(self, id: str, limit: float) -> bool:
        with self._storage.db(commit=True) as cursor:
            cursor.execute(
                "insert or ignore into waiting select ?, ? "
                "where (select count(*) from waiting) < ?",
                (id, time.time(), limit),
            )
            return bool(cursor.rowcount == 1)

    def leave(self, id: str) -> None:
        self._storage.sql("delete from waiting where id = ?", (id,), commit=True)

    def since(self) -> dict[str, float]:
        return dict(self._storage.sql("select id, since from waiting", results=True))


class SortedSet:
    """Places for several machines: a sorted set of a Redis."""

    _KEY = "impasto.waiting"
    _ENTER = """
        if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[3]) then
            return redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
        end
        return 0
    """

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._enter = redis.register_script(self._ENTER)

    def enter(self, id: str, limit: float) -> bool:
        return bool(self._enter(keys=[self._KEY], args=[id, time.time(), limit]))

    def leave(self, id: str) -> None:
        self._redis.zrem(self._KEY, id)

    def since(self) -> dict[str, float]:
        found = self._redis.zrange(self._KEY, 0, -1, withscores=True)
        return {id.decode(): since for id, since in found}

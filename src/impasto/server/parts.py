"""Files that are sent for jobs or made by them: pictures and films, on one machine or in a Redis.

They may be larger than memory, and larger than a value of a database. So they come and go in
pieces. Each is there whole or not at all.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Protocol

from pydantic import Field, TypeAdapter

from impasto.errors import OutputError
from impasto.files import atomic
from impasto.server.problems import Refusal

PIECE = 262_144
"""Bytes in one value of a Redis, and bytes of a file in memory at a time.

So much of a result waits for each client that reads it.
"""
_FORMER_PIECE = 8_000_000
"""The same for parts of an older version, which did not note it."""


class FolderError(Exception):
    """The disk does not take what is to be stored."""


@dataclass(frozen=True)
class JobPart:
    """Something that is stored: its size in bytes, and a way to read its bytes in a range."""

    size: int
    between: Callable[[int, int], Iterator[bytes]]

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Give its pieces.

        Raises:
            Refusal: it is deleted meanwhile.
        """
        return self.between(start, self.size if stop is None else stop)

    def read(self) -> bytes:
        """Read all of it.

        Raises:
            Refusal: it is deleted meanwhile.
        """
        return b"".join(self.pieces())

    def save(self, path: Path) -> None:
        """Write it into a file, piece by piece."""
        with path.open("wb") as file:
            file.writelines(self.pieces())


class Parts(Protocol):
    """A place for the parts of all jobs, each by the job's identifier and a name."""

    def put(self, id: str, name: str, source: BinaryIO) -> int:
        """Store all that is in a file; return its size in bytes."""

    def find(self, id: str, name: str) -> JobPart | None: ...

    def clear(self, id: str, *, but: Collection[str] = ()) -> None:
        """Delete what is stored of a job, also incomplete parts, except parts with the names in
        ``but``."""

    def ids(self) -> set[str]:
        """Return the jobs of which anything is stored."""


class Folder:
    """Parts on one machine: a file for each part, in a folder for each job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)  # it holds others' photographs

    def put(self, id: str, name: str, source: BinaryIO) -> int:
        """Store all that is in a file; return its size in bytes.

        Raises:
            FolderError: the disk is full, or does not let the part be written.
        """
        path = self._folder / id / name
        try:
            atomic.write(path, source, overwrite=True)
        except OutputError as error:
            raise FolderError(str(error)) from error
        return path.stat().st_size

    def find(self, id: str, name: str) -> JobPart | None:
        path = self._folder / id / name
        try:
            return JobPart(path.stat().st_size, partial(_pieces, path))
        except FileNotFoundError:
            return None

    def clear(self, id: str, *, but: Collection[str] = ()) -> None:
        folder = self._folder / id
        for path in folder.glob("*"):
            if path.name not in but:
                with suppress(OSError):  # gone, or open on Windows; a later call tries again
                    path.unlink()
        with suppress(OSError):  # something is left
            folder.rmdir()

    def ids(self) -> set[str]:
        return {path.name for path in self._folder.iterdir()}


def _pieces(path: Path, start: int, stop: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(start)
            while piece := file.read(min(PIECE, stop - file.tell())):
                yield piece
    except FileNotFoundError as error:
        raise _gone() from error


class Chunks:
    """Parts for several machines: a hash of a Redis for each job, with a field for each piece.

    A part is there once the field of its name says which pieces it has.
    """

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    def put(self, id: str, name: str, source: BinaryIO) -> int:
        key, mark, count, size = _key(id), secrets.token_hex(8), 0, 0
        self._redis.sadd(_ALL, id)
        for piece in iter(partial(source.read, PIECE), b""):
            self._redis.hset(key, f"{mark}/{count}", piece)
            count, size = count + 1, size + len(piece)
        self._redis.hset(key, name, json.dumps([mark, count, size, PIECE]))
        return size

    def find(self, id: str, name: str) -> JobPart | None:
        if not (found := _index(self._redis.hget(_key(id), name))):
            return None
        mark, _, size, piece = found
        return JobPart(size, partial(self._pieces, id, mark, piece))

    def _pieces(self, id: str, mark: str, size: int, start: int, stop: int) -> Iterator[bytes]:
        for number in range(start // size, -(-stop // size)):
            piece = self._redis.hget(_key(id), f"{mark}/{number}")
            if piece is None:
                raise _gone()
            yield piece[max(0, start - number * size) : stop - number * size]

    def clear(self, id: str, *, but: Collection[str] = ()) -> None:
        key = _key(id)
        found = [_index(self._redis.hget(key, name)) for name in but]
        kept = {*but, *(each[0] for each in found if each)}
        for field in self._redis.hkeys(key):
            if field.decode("utf-8", "replace").partition("/")[0] not in kept:
                self._redis.hdel(key, field)
        if not self._redis.exists(key):
            self._redis.srem(_ALL, id)

    def ids(self) -> set[str]:
        return {id.decode() for id in self._redis.smembers(_ALL)}


def _gone() -> Refusal:
    return Refusal(HTTPStatus.GONE, "it is gone")


def _index(data: bytes | None) -> tuple[str, int, int, int] | None:
    """Read the index of a part in a Redis: mark and number of its pieces, its size, size of a
    piece."""
    try:
        return _INDEX.validate_json(data or b"")
    except ValueError:
        pass
    try:
        return (*_FORMER_INDEX.validate_json(data or b""), _FORMER_PIECE)
    except ValueError:
        return None


_Bytes = Annotated[int, Field(ge=0)]
_INDEX = TypeAdapter(tuple[str, _Bytes, _Bytes, Annotated[int, Field(gt=0)]])
_FORMER_INDEX = TypeAdapter(tuple[str, _Bytes, _Bytes])
_ALL = "impasto.parts"


def _key(id: str) -> str:
    return f"{_ALL}.{id}"

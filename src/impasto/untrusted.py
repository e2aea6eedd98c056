"""Files that somebody else may have written: read within bounds, with checked content.

Some files are an :class:`OSError`: one that waits for ever (a FIFO, a device), a link, or one that
is too large. JSON that no honest program writes is a :class:`ValueError`. The caller turns the
error into a sentence.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NoReturn, TypeAlias

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
"""What JSON can say."""

_AT_ONCE = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NOCTTY", "O_NONBLOCK"):  # those that the system has
    _AT_ONCE |= getattr(os, _flag, 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_DEPTH = 32
"""Most lists and objects inside each other; cards and options have six."""


@contextmanager
def opened(path: str | os.PathLike[str], *, follow: bool = False) -> Iterator[BinaryIO]:
    """Open a regular file for reading, without ever waiting.

    ``follow`` also opens what a link leads to, for a file that a person has named.

    Raises:
        OSError: it is not there, a link, or no regular file.
    """
    handle = os.open(path, _AT_ONCE | (0 if follow else _NO_LINK))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
    with os.fdopen(handle, "rb") as file:
        yield file


def read(path: str | os.PathLike[str], most: int, *, follow: bool = False) -> bytes:
    """Read a regular file of up to ``most`` bytes.

    Raises:
        OSError: as :func:`opened`, or it is larger.
    """
    with opened(path, follow=follow) as file:
        size = size_of(file)
        data = file.read(min(size, most) + 1)
    if max(size, len(data)) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", os.fspath(path))
    return data


def size_of(file: BinaryIO) -> int:
    """Return the bytes of an open file.

    Ask before reading: a read takes as much memory as is asked for, whatever the file has.
    """
    return os.fstat(file.fileno()).st_size


def read_json(path: str | os.PathLike[str], most: int, *, follow: bool = False) -> Json:
    """Read the JSON in a file of up to ``most`` bytes.

    Raises:
        OSError: as :func:`read`.
        ValueError: as :func:`parse_json`.
    """
    return parse_json(read(path, most, follow=follow))


def parse_json(text: bytes | str) -> Json:
    """Parse JSON with limits.

    Numbers must be finite, and whole ones must have 64 bits at most. Texts must be whole. Each key
    may come once. At most 32 lists and objects may lie inside each other.

    Raises:
        ValueError: it is no JSON, or breaks a limit.
    """
    try:
        value: Json = json.loads(
            text,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_once,
        )
    except RecursionError as error:
        raise ValueError("it is too deep") from error
    require_plain(value)
    return value


def whole(text: str) -> str:
    """Put a question mark in place of each half of a character in ``text``.

    A file's name may have any bytes, and what is written of it must be readable again.
    """
    return text.encode("utf-8", "replace").decode()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _whole(text: str) -> int:
    number = int(text) if len(text) < 21 else 1 << 64
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Refuse a key that comes twice. Programs differ in which of the two values they take."""
    values: dict[str, Json] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"it gives {key[:40]!r} twice")
        values[key] = value
    return values


def require_plain(value: Json) -> None:
    """Refuse JSON that breaks a limit.

    Raises:
        ValueError: it is too deep. Or a text has half of a character (a lone surrogate), or a zero,
            which no name of a file can have.
    """
    level = [value]
    for _ in range(_DEPTH + 1):
        inside: list[Json] = []
        for each in level:
            if isinstance(each, str):
                each.encode()
                if "\0" in each:
                    raise ValueError("a text in it has a zero")
            elif isinstance(each, Mapping):
                inside += [*each, *each.values()]
            elif isinstance(each, Sequence):
                inside += each
        if not inside:
            return
        level = inside
    raise ValueError("it is too deep")

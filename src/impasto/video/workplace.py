"""Files that an unfinished film leaves on disk, so that it goes on where it was stopped.

A hidden folder beside the target has the painted parts, the states to go on from, and a list of
both with their checksums. A file that does not match the list is ignored. What it held is painted
again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto import untrusted
from impasto.errors import OutputError
from impasto.files import atomic, checksums, locks, naming

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from impasto.inference.onnx_proto import Array

    State = dict[str, Array]

_LIST, _STATE = "film.json", ".npz"
_LONGEST_LIST = 2**24
_STATES = 2
"""States that are kept: where the last part is damaged, the film goes on from the state before."""
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


def unfinished(target: Path) -> bool:
    """Say whether a film of this name was begun and not painted to its end."""
    return os.path.exists(_folder(target) / _LIST)


def _folder(target: Path) -> Path:
    name = f".{target.name}.parts"
    if len(os.fsencode(name)) > naming.MAX_NAME:
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:32]}.parts"
    return target.parent / name


@dataclass(frozen=True)
class _File:
    """What the list knows of a file."""

    kind: str
    """Its suffix."""
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> _File:
        with path.open("rb") as file:
            os.fsync(file.fileno())
        return cls(path.suffix, path.stat().st_size, checksums.sha256(path))

    @classmethod
    def told(cls, about: Any) -> _File:
        """Read an entry.

        Raises:
            ValueError, TypeError, KeyError: it describes no file.
        """
        kind = str(about["kind"])
        if kind.strip(".").isalnum():
            return cls(kind, int(about["bytes"]), str(about["sha256"]))
        raise ValueError(kind)

    def is_at(self, path: Path) -> bool:
        """Say whether a file is still what it was."""
        with suppress(OSError):
            about = path.lstat()
            same = stat.S_ISREG(about.st_mode) and about.st_size == self.bytes
            return same and checksums.sha256(path) == self.sha256
        return False


@dataclass(frozen=True)
class _List:
    """The list of a folder.

    The key of a state is the number of parts before it. ``shown`` is the film that stopped work
    left at the target.
    """

    key: str = ""
    parts: tuple[_File, ...] = ()
    states: Mapping[int, _File] = field(default_factory=dict)
    shown: _File | None = None

    @classmethod
    def read(cls, folder: Path) -> _List:
        """Read a list; an empty one, if there is none or it is damaged."""
        with suppress(*_UNREADABLE):
            if stat.S_ISDIR(folder.lstat().st_mode):
                return cls._of(untrusted.read_json(folder / _LIST, _LONGEST_LIST))
        return cls()

    @classmethod
    def _of(cls, about: Any) -> _List:
        """Make a list of JSON.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it is another list.
        """
        return cls(
            str(about["key"]),
            tuple(map(_File.told, about["parts"])),
            {int(count): _File.told(each) for count, each in about["states"].items()},
            _File.told(about["shown"]) if about["shown"] else None,
        )

    def write(self, folder: Path) -> None:
        atomic.write(folder / _LIST, json.dumps(asdict(self)).encode(), overwrite=True)


class Work:
    """The folder of the parts of one film, which one process has at a time.

    ``key`` says what decides how the frames look. Work goes on only with parts of the same key.
    """

    def __init__(self, target: Path, key: str) -> None:
        self.target, self.folder = target, _folder(target)
        self._lock: locks.Lock | None = None
        self._key, self._list = key, _List.read(self.folder)
        self.begun = self._list.key == key
        """Whether there is something to go on with."""
        self.damaged = False
        """Whether some of it was damaged, and has to be painted again."""

    @property
    def parts(self) -> list[Path]:
        """Return the parts that are complete: a state follows them."""
        return [self._place(number, each.kind) for number, each in enumerate(self._list.parts)]

    def _place(self, number: int, kind: str) -> Path:
        return self.folder / f"{number:06}{kind}"

    @property
    def keeps(self) -> bool:
        """Say whether it has what it can go on with."""
        return bool(self._lock and self._list.parts)

    def is_shown(self) -> bool:
        """Say whether the file at the target is what this film's painting has left there."""
        return bool(self.begun and self._list.shown and self._list.shown.is_at(self.target))

    def start(self, accept: Callable[[State], None]) -> None:
        """Take the folder, and let ``accept`` have the newest state that fits, or an empty one.

        ``accept`` raises one of Python's own errors for a state that it cannot use.

        Raises:
            OutputError: another process paints this film.
        """
        self._take()
        self._list = _List.read(self.folder)
        count = self._usable(accept) if self._list.key == self._key else 0
        self.damaged = self.begun and count < max(1, len(self._list.parts))
        shown = self._list.shown if self.begun else None
        self._list = _List(
            self._key, self._list.parts[:count], {count: self._list.states[count]} if count else {},
            shown,
        )  # fmt: skip
        if not count:
            accept({})
        self._tidy()
        self._list.write(self.folder)
        self.begun = True

    def _usable(self, accept: Callable[[State], None]) -> int:
        """Return how many parts the work goes on from."""
        parts, whole = self._list.parts, 0
        while whole < len(parts) and parts[whole].is_at(self._place(whole, parts[whole].kind)):
            whole += 1
        for count in sorted(self._list.states, reverse=True):
            path = self._place(count - 1, _STATE)
            if 0 < count <= whole and self._list.states[count].is_at(path):
                with suppress(*_UNREADABLE, EOFError, ArithmeticError), path.open("rb") as file:
                    accept(dict(np.load(file, allow_pickle=False)))
                    return count
        return 0

    def _take(self) -> None:
        """Take the folder.

        Raises:
            OutputError: another process has it, or something else has its name.
        """
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(self.folder) and not stat.S_ISDIR(self.folder.lstat().st_mode):
            raise OutputError(f"{self.folder} is in the way", hint="remove it, or rename it")
        self.folder.mkdir(exist_ok=True)
        self._lock = locks.taken(self.folder / "lock")
        if self._lock is None:
            raise OutputError(
                f"{self.target} is being painted by another process",
                hint="wait for that one, or name another file with -o",
            )

    def _tidy(self) -> None:
        """Remove all that is not on the list."""
        count = len(self._list.parts)
        names = {*self.parts, *(self._place(each - 1, _STATE) for each in self._list.states)}
        names |= {self.folder / _LIST, self.folder / "lock"} if count else {self.folder / "lock"}
        for path in set(self.folder.iterdir()) - names:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def keep(self, part: Path, state: Mapping[str, ArrayLike]) -> None:
        """Add a part, and the state to go on from after it: both, or none."""
        number = len(self._list.parts)
        about, path = _File.of(part), self._place(number, _STATE)
        part.replace(self._place(number, about.kind))
        with path.open("wb") as file:
            arrays: dict[str, Any] = {name: np.asarray(each) for name, each in state.items()}
            np.savez(file, **arrays)
        states = {**self._list.states, number + 1: _File.of(path)}
        old = sorted(states)[:-_STATES]
        kept = {count: each for count, each in states.items() if count not in old}
        self._list = replace(self._list, parts=(*self._list.parts, about), states=kept)
        self._list.write(self.folder)
        for count in old:
            self._place(count - 1, _STATE).unlink(missing_ok=True)

    def finish(self, joined: Path, *, whole: bool) -> None:
        """Put the film at the target; if it is not ``whole``, keep the parts."""
        self._list = replace(self._list, shown=_File.of(joined))
        self._list.write(self.folder)
        joined.replace(self.target)
        if whole:
            self._remove()

    def give_up(self) -> None:
        """Forget what was painted: the next try would end as this one did."""
        if self._lock:
            self._remove()

    def close(self) -> None:
        """Leave the folder; remove it where it has nothing to go on from."""
        if self._lock and not self._list.parts:
            self._remove()
        elif self._lock:
            self._lock.release()
            self._lock = None

    def _remove(self) -> None:
        # This happens while the folder is locked. Afterwards it may be another process's. Windows
        # alone removes no file that is open.
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock:
            self._lock.release()
        self._lock = None
        if os.name == "nt":
            shutil.rmtree(self.folder, ignore_errors=True)

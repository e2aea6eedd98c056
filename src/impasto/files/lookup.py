"""Finds the files that inputs mean, by their names. Opens no picture."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from impasto.errors import OptionError
from impasto.files import addresses, kinds

_READ = {*kinds.PICTURES, *kinds.MOVING} - {".ts"}
"""Suffixes that count in a folder; ``.ts`` is more often a program than a film there."""
_NAMED = 3
"""How many files a line names; the others are counted."""


@dataclass(frozen=True)
class Found:
    """An input file, and the folder that it was found in, if a folder was given.

    ``named`` says that the user gave the file's own name.
    """

    path: Path
    root: Path | None = None
    named: bool = True


@dataclass(frozen=True)
class Survey:
    """The files that inputs mean, and what else lies in their folders."""

    files: list[Found]
    left_out: list[Path]

    @property
    def paths(self) -> list[Path]:
        return [each.path for each in self.files]


def find(inputs: Iterable[str | Path]) -> list[Found]:
    """Find the files that ``inputs`` mean: files, folders with all in them, and globs.

    In folders only names of pictures and films count. Hidden ones do not. The files are in the
    order of their names. A name that does not exist is kept, and so is a folder that cannot be
    opened. Reading it will tell the user.

    Raises:
        OptionError: a folder without pictures, or a glob that matches nothing.
    """
    return survey(inputs).files


def survey(inputs: Iterable[str | Path]) -> Survey:
    """Find files as :func:`find` does, and list what was left out of folders.

    Left out are files of kinds that are not read, and links to other folders. Hidden files are not
    listed.

    Raises:
        OptionError: a folder without pictures, or a glob that matches nothing.
    """
    found: list[Found] = []
    beside: list[Path] = []
    for entry in map(str, inputs):
        if not entry:
            raise OptionError("an empty name is no picture", hint="is a variable empty?")
        addresses.require_file(entry)
        path = Path(entry)
        if os.path.isdir(path):
            inside = _inside(path)
            found, beside = found + inside.files, beside + inside.left_out
        elif not os.path.lexists(path) and glob.has_magic(entry):
            matched = survey(_matches(entry))
            found += [replace(item, named=False) for item in matched.files]
            beside += matched.left_out
        else:
            found.append(Found(path))
    once: dict[tuple[str, str], Found] = {}
    for item in found:
        once.setdefault(_place(item.path), item)
    others = {_place(path): path for path in beside}
    return Survey([*once.values()], [path for key, path in others.items() if key not in once])


def _inside(folder: Path) -> Survey:
    """Find the files inside a folder.

    Raises:
        OptionError: nothing that can be painted is in it.
    """
    left_out: list[Path] = []
    files = [Found(file, folder, named=False) for file in _walk(folder, left_out)]
    if not files:
        lines = left_out_in_words(left_out)
        raise OptionError(f"there are no pictures in {folder}", hint="; ".join(lines))
    return Survey(files, left_out)


def left_out_in_words(left_out: Iterable[Path]) -> list[str]:
    """Describe what was left out of folders; a line for each kind has number, names and advice."""
    groups: dict[tuple[str, str], list[str]] = {}
    for path in left_out:
        groups.setdefault(why_left_out(path), []).append(path.name)
    return [_line(*about, names) for about, names in groups.items()]


def why_left_out(path: Path) -> tuple[str, str]:
    """Say what a left-out file is, and what to do with it; the latter may be empty."""
    if kind := kinds.unread(path):
        return kind.name, kind.remedy
    if os.path.isdir(path):
        return "a link to a folder", "name that folder, too"
    return "no picture by its name", ""


def _line(kind: str, remedy: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    if more := len(names) - _NAMED:
        shown += f" and {more} more" if more > 0 else ""
    files = "1 file" if len(names) == 1 else f"{len(names)} files"
    return f"left out {files} ({kind}): {shown}{remedy and f' - {remedy}'}"


def pictures(folder: str | Path) -> Survey:
    """Find files as :func:`survey` does, without films.

    Raises:
        OptionError: there are no pictures.
    """
    found = survey([folder])
    files = [each for each in found.files if each.path.suffix.lower() not in kinds.NO_PICTURES]
    if not files:
        raise OptionError(f"there are no pictures in {folder}")
    return replace(found, files=files)


def _place(path: Path) -> tuple[str, str]:
    """Return a key that is the same for one file in one folder, whatever path led to the folder."""
    return os.path.realpath(path.parent), path.name


def _matches(pattern: str) -> list[str]:
    # ** follows links, so that a loop shows each file many times. The shortest name counts.
    once: dict[tuple[str, str], str] = {}
    for match in sorted(glob.glob(pattern, recursive=True), key=len):
        once.setdefault(_place(Path(match)), match)
    if not once:
        raise OptionError(f"no file matches {pattern}")
    return sorted(once.values())


def _walk(folder: Path, left_out: list[Path]) -> Iterator[Path]:
    """Find the files that may be painted; add the others to ``left_out``."""
    # os.walk does not follow links to folders, so loops cannot happen.
    closed: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        left_out += (path for name in folders if (path := Path(place, name)).is_symlink())
        for name in sorted(names):
            if name.startswith("."):
                continue
            if kinds.suffix(path := Path(place, name)) in _READ:
                yield path
            else:
                left_out.append(path)
    for error in closed:  # reading it will say why
        yield Path(error.filename)

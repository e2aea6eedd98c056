"""File names in and out: what is painted, and what it is called. Opens no picture."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from impasto.errors import OptionError
from impasto.files import addresses, kinds

SUFFIXES = kinds.PICTURES
"""Formats that are written, by suffix; GIF is read as well."""
FILMS = kinds.FILMS
"""Kinds of films that are written."""
_OTHER_FILMS = kinds.OTHER_FILMS
_MOVING = {*FILMS, *_OTHER_FILMS}
_NO_PICTURES = _MOVING - {".gif"}
_WRITTEN = {*SUFFIXES, *FILMS}
_NOT_WRITTEN = _OTHER_FILMS | {*kinds.UNREAD}
_READ_SUFFIXES = (_WRITTEN | _OTHER_FILMS) - {".ts"}
"""What counts in a folder, where ``.ts`` is more often a program than a film."""
MAX_NAME = 255
"""Bytes of the name of a file, on every file system in use."""


@dataclass(frozen=True)
class Found:
    """An input file, and the folder that it was found in, if a folder was given; ``named`` if
    it was named itself."""

    path: Path
    root: Path | None = None
    named: bool = True


@dataclass(frozen=True)
class Task:
    """One picture or film to paint in one style."""

    input: Path
    style: str
    output: Path
    note: str = ""
    """What had to be decided about its name."""
    free: bool = False
    """Whether a film may become one of another kind, as nobody has named one."""

    @property
    def is_film(self) -> bool:
        return self.output.suffix.lower() in FILMS


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's suffix stands for.

    Raises:
        OptionError: none that is written.
    """
    addresses.require_file(os.fspath(path), addresses.ON_DISK)
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(
            f"{path} has no suffix of a picture that can be written",
            hint=f"use one of {', '.join(kinds.USUAL)}",
        )
    return SUFFIXES[suffix]


def valid_format(format: str) -> str:
    """``format`` by its usual name: JPEG, PNG, WEBP, AVIF, TIFF or BMP.

    Raises:
        OptionError: none that is written.
    """
    known = SUFFIXES.get(f".{_spelt(format)}")
    if not known:
        names = ", ".join(dict.fromkeys(name.lower() for name in SUFFIXES.values()))
        raise OptionError(f"{format!r} is not a format that is written", hint=f"use {names}")
    return known


def _spelt(format: str) -> str:
    """The format as its user spells it, without blanks and the dot of a suffix."""
    return format.strip().lower().removeprefix(".")


def sha256(path: Path) -> str:
    """Of what is in the file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Survey:
    """What inputs mean: the files that are painted, and what folders hold beside these."""

    files: list[Found]
    left_out: list[Path]

    @property
    def paths(self) -> list[Path]:
        return [each.path for each in self.files]


def find(inputs: Iterable[str | Path]) -> list[Found]:
    """The files that ``inputs`` mean: files, folders with all in them, and globs.

    In folders only names of pictures and films count, hidden ones do not, and the order is that of
    the names. A name that does not exist is kept, and so is a folder that cannot be looked into:
    reading it will say so.

    Raises:
        OptionError: a folder without pictures, or a glob that matches nothing.
    """
    return survey(inputs).files


def survey(inputs: Iterable[str | Path]) -> Survey:
    """As :func:`find`, with what was left out of folders: files whose names stand for nothing
    that is read, and links to other folders. Hidden files are not among them.

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
    """Raises: OptionError: nothing that can be painted is in it."""
    left_out: list[Path] = []
    files = [Found(file, folder, named=False) for file in _walk(folder, left_out)]
    if not files:
        lines = left_out_in_words(left_out)
        raise OptionError(f"there are no pictures in {folder}", hint="; ".join(lines))
    return Survey(files, left_out)


_NAMED = 3
"""Files that a line names; the others are counted."""


def left_out_in_words(left_out: Iterable[Path]) -> list[str]:
    """What was left out of folders, a line for each kind: how many, their names, what to do."""
    groups: dict[tuple[str, str], list[str]] = {}
    for path in left_out:
        groups.setdefault(why_left_out(path), []).append(path.name)
    return [_line(*about, names) for about, names in groups.items()]


def why_left_out(path: Path) -> tuple[str, str]:
    """What a file that was left out is, and what to do with it; the latter may be empty."""
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
    """What :func:`survey` finds, without the films.

    Raises:
        OptionError: there are no pictures.
    """
    found = survey([folder])
    files = [each for each in found.files if each.path.suffix.lower() not in _NO_PICTURES]
    if not files:
        raise OptionError(f"there are no pictures in {folder}")
    return replace(found, files=files)


def _place(path: Path) -> tuple[str, str]:
    """The same for one file in one folder, however one came to the folder."""
    return os.path.realpath(path.parent), path.name


def _matches(pattern: str) -> list[str]:
    # ** follows links, so that a loop shows each file many times: its shortest name counts.
    once: dict[tuple[str, str], str] = {}
    for match in sorted(glob.glob(pattern, recursive=True), key=len):
        once.setdefault(_place(Path(match)), match)
    if not once:
        raise OptionError(f"no file matches {pattern}")
    return sorted(once.values())


def _walk(folder: Path, left_out: list[Path]) -> Iterator[Path]:
    """The files that may be painted; the others are added to ``left_out``."""
    # os.walk does not follow links to folders, so loops cannot happen.
    closed: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        left_out += (path for name in folders if (path := Path(place, name)).is_symlink())
        for name in sorted(names):
            if name.startswith("."):
                continue
            if kinds.suffix(path := Path(place, name)) in _READ_SUFFIXES:
                yield path
            else:
                left_out.append(path)
    for error in closed:  # reading it will say why
        yield Path(error.filename)


def plan(
    found: Sequence[Found],
    styles: Sequence[str],
    out: str | None = None,
    *,
    format: str | None = None,
    known: Iterable[str] = (),
) -> list[Task]:
    """Which picture becomes which file, decided and checked before any work.

    ``photo.jpg`` becomes ``photo.STYLE.jpg`` beside it, or in the folder ``out``, where the
    tree of an input folder is mirrored. ``out`` is the file itself if there is one picture
    and one style, and it has the suffix of a picture or a film.

    A folder can be painted again: what it or a glob holds of earlier results, in one of
    ``styles`` or of the ``known`` others, is no input.

    Raises:
        OptionError: two results with one name, a result that is an input, or an ``out``
            that cannot be what it would have to be.
    """
    if out is not None and not out:
        raise OptionError("an empty name is no place for results", hint="is a variable empty?")
    addresses.require_file(out or "", addresses.ON_DISK)
    target = Path(out) if out else None
    suffix = None if format is None else _suffix(format, found)
    found = _without_results(found, {*styles, *known})
    named = target is not None and _names_file(str(out), target)
    single = named and len(found) == len(styles) == 1
    is_file = target is not None and os.path.exists(target) and not os.path.isdir(target)
    if target and not single and (is_file or named):
        raise OptionError(
            f"{target} is a file; a folder is needed for {len(found) * len(styles)} results",
            hint=f"name one, such as {target.with_suffix('')}{os.sep}",
        )
    if single and target:
        tasks = [Task(found[0].path, styles[0], target)]
    else:
        tasks = _distinct(found, styles, target, suffix)
    _require_distinct(tasks)
    return tasks


def _suffix(format: str, found: Iterable[Found]) -> str:
    """That of pictures of a format, or of films, if there are some.

    Raises:
        OptionError: none that is written.
    """
    suffix = f".{_spelt(format)}"
    if suffix not in FILMS or not any(item.path.suffix.lower() in _MOVING for item in found):
        valid_format(format)
    return suffix


def _distinct(
    found: Sequence[Found], styles: Sequence[str], folder: Path | None, suffix: str | None
) -> list[Task]:
    """``photo.STYLE.png`` for each; where ``a.jpg`` and ``a.tif`` would both become that, each
    has its own suffix in it, too. So what one becomes does not depend on the order."""
    plain = [_output(item, "", folder, suffix) for item in found]
    crowded = {place for place, files in Counter(plain).items() if files > 1}
    tasks = []
    for item, place in zip(found, plain, strict=True):
        whole = place in crowded
        note = f"other files are called {item.path.stem}, too; so {item.path.suffix} is kept"
        tasks += [
            Task(
                item.path,
                style,
                _output(item, style, folder, suffix, whole=whole),
                note if whole else "",
                free=item.path.suffix.lower() in _NO_PICTURES and suffix not in FILMS,
            )
            for style in styles
        ]
    return tasks


_SHEETS = ("sheet", "redo")
"""What stands for the style in the results of ``impasto sheet`` and ``impasto redo``."""


def _without_results(found: Sequence[Found], styles: Collection[str]) -> list[Found]:
    """Without ``photo.STYLE.jpg`` where ``photo`` is there, too, and nobody named the former."""
    stems = {item.path.stem for item in found} | {item.path.name for item in found}
    names = "|".join(map(re.escape, sorted({*styles, *_SHEETS}, key=len, reverse=True)))
    share = rf"(?:{names})-\d+(?:-\d+)?"
    one = rf"(?:{names}|{share}(?:-{share})+)"  # or a blend of several
    styled = re.compile(rf"{one}(?:-and-{one})*")  # or each where its mask says

    def is_result(item: Found) -> bool:
        stem, _, style = item.path.stem.rpartition(".")
        return stem in stems and bool(styled.fullmatch(style))

    return [item for item in found if item.named or not is_result(item)]


def _names_file(out: str, target: Path) -> bool:
    """Raises: OptionError: it names one of a kind that is not written."""
    if out.endswith(("/", os.sep)) or os.path.isdir(target):
        return False
    suffix = target.suffix.lower()
    if suffix in _NOT_WRITTEN:
        written = ", ".join(sorted({*kinds.USUAL, *FILMS}))
        raise OptionError(
            f"{suffix} is not written",
            hint=f"use one of {written}; a folder's name ends in {os.sep}",
        )
    return suffix in _WRITTEN


def _output(
    item: Found, style: str, folder: Path | None, suffix: str | None, *, whole: bool = False
) -> Path:
    """Where a result goes; its ``whole`` name is kept in it, or what is before the suffix."""
    ending = _ending(item.path.suffix, suffix)
    if folder is None:
        place = item.path.parent
    else:
        place = folder / item.path.parent.relative_to(item.root) if item.root else folder
    return place / _short(item.path.name if whole else item.path.stem, f".{style}{ending}")


def _ending(own: str, suffix: str | None) -> str:
    """The suffix of what a file becomes: ``suffix`` if that is one of its like. A GIF is a film if
    a format of films is asked for."""
    film, of_films = own.lower() in _NO_PICTURES, suffix in FILMS
    if suffix and of_films == (film or (of_films and own.lower() == ".gif")):
        return suffix
    if film:
        return ".mp4" if own.lower() in _OTHER_FILMS else own
    return own if own.lower() in SUFFIXES else ".png"


def _short(stem: str, ending: str) -> str:
    """``stem`` and ``ending``, the stem cut where the file system allows no more."""
    room = MAX_NAME - len(os.fsencode(ending))
    if room < 1:
        raise OptionError(f"{ending} is too long for the name of a file", hint="name one with -o")
    letters = os.fsencode(stem)
    while room < len(letters) and 0x80 <= letters[room] < 0xC0:  # inside a letter of UTF-8
        room -= 1
    return os.fsdecode(letters[:room]) + ending


def _require_distinct(tasks: Sequence[Task]) -> None:
    inputs = {os.path.realpath(task.input): task.input for task in tasks}
    outputs: dict[str, Task] = {}
    for task in tasks:
        real = os.path.realpath(task.output)
        if real in inputs:
            raise OptionError(
                f"{task.output} is an input; it would be destroyed", hint="name another with -o"
            )
        if other := outputs.get(real):
            raise OptionError(
                f"{other.input} and {task.input} would both become {task.output}",
                hint="paint them in two runs, or give their folders to mirror its tree",
            )
        outputs[real] = task

"""Names of files: which files are painted, and what the results are called. Opens no picture."""

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
"""Suffixes that count in a folder; ``.ts`` is more often a program than a film there."""
MAX_NAME = 255
"""Most bytes in the name of a file, on every file system in use."""


@dataclass(frozen=True)
class Found:
    """An input file, and the folder that it was found in, if a folder was given.

    ``named`` says that the user gave the file's own name.
    """

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
    """What impasto had to decide about its name."""
    free: bool = False
    """Whether a film may become a film of another kind, because nobody has named a kind."""

    @property
    def is_film(self) -> bool:
        return self.output.suffix.lower() in FILMS


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format that a file's suffix stands for.

    Raises:
        OptionError: a format that is not written.
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
    """Return the usual name of ``format``: JPEG, PNG, WEBP, AVIF, TIFF or BMP.

    Raises:
        OptionError: a format that is not written.
    """
    known = SUFFIXES.get(f".{_spelt(format)}")
    if not known:
        names = ", ".join(dict.fromkeys(name.lower() for name in SUFFIXES.values()))
        raise OptionError(f"{format!r} is not a format that is written", hint=f"use {names}")
    return known


def _spelt(format: str) -> str:
    """Return the format as the user spells it, without blanks and without the dot of a suffix."""
    return format.strip().lower().removeprefix(".")


def sha256(path: Path) -> str:
    """Hash the content of the file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


_NAMED = 3
"""How many files a line names; the others are counted."""


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
    files = [each for each in found.files if each.path.suffix.lower() not in _NO_PICTURES]
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
    """Decide which picture becomes which file, and check it before any work.

    ``photo.jpg`` becomes ``photo.STYLE.jpg`` beside it, or in the folder ``out``. There the tree of
    an input folder is mirrored. ``out`` names the result itself if there is one picture, one style,
    and the suffix of a picture or film.

    A folder can be painted again. Earlier results in a folder or a glob are then no inputs. Their
    names tell: they end in one of ``styles`` or of the ``known`` other styles.

    Raises:
        OptionError: two results with one name, or a result that is an input. Or ``out`` is empty,
            an address, of a format that is not written, or a file for several results.
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
    """Return the suffix of a format of pictures; or of films, if ``found`` holds a film.

    Raises:
        OptionError: a format that is not written.
    """
    suffix = f".{_spelt(format)}"
    if suffix not in FILMS or not any(item.path.suffix.lower() in _MOVING for item in found):
        valid_format(format)
    return suffix


def _distinct(
    found: Sequence[Found], styles: Sequence[str], folder: Path | None, suffix: str | None
) -> list[Task]:
    """Name each result ``photo.STYLE.png``, independent of the order of the files.

    Where ``a.jpg`` and ``a.tif`` would both get that name, each keeps its own suffix in it, too.
    """
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
"""The word in place of the style, in the results of ``impasto sheet`` and ``impasto redo``."""


def _without_results(found: Sequence[Found], styles: Collection[str]) -> list[Found]:
    """Leave out ``photo.STYLE.jpg`` where ``photo`` is there, too, and nobody named the result."""
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
    """Say whether ``out`` names a file.

    Raises:
        OptionError: it names a file of a kind that is not written.
    """
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
    """Return the path of a result. It keeps the ``whole`` name of the input, or its stem."""
    ending = _ending(item.path.suffix, suffix)
    if folder is None:
        place = item.path.parent
    else:
        place = folder / item.path.parent.relative_to(item.root) if item.root else folder
    return place / _short(item.path.name if whole else item.path.stem, f".{style}{ending}")


def _ending(own: str, suffix: str | None) -> str:
    """Return the suffix of the result: ``suffix`` if that is one of the same kind, else its own.

    A GIF is a film if a format of films is asked for.
    """
    film, of_films = own.lower() in _NO_PICTURES, suffix in FILMS
    if suffix and of_films == (film or (of_films and own.lower() == ".gif")):
        return suffix
    if film:
        return ".mp4" if own.lower() in _OTHER_FILMS else own
    return own if own.lower() in SUFFIXES else ".png"


def _short(stem: str, ending: str) -> str:
    """Join ``stem`` and ``ending``; cut the stem where the file system allows no more."""
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

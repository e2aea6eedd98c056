"""Names the results of painting: which picture becomes which file. Opens no picture."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import OptionError
from impasto.files import addresses, kinds
from impasto.files.lookup import Found

MAX_NAME = 255
"""Most bytes in the name of a file, on every file system in use."""
_SHEETS = ("sheet", "redo")
"""The word in place of the style, in the results of ``impasto sheet`` and ``impasto redo``."""
_WRITTEN = {*kinds.PICTURES, *kinds.FILMS}
_NOT_WRITTEN = kinds.OTHER_FILMS | {*kinds.UNREAD}


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
        return self.output.suffix.lower() in kinds.FILMS


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
    suffix = f".{kinds.spelt(format)}"
    if suffix not in kinds.FILMS or not any(
        item.path.suffix.lower() in kinds.MOVING for item in found
    ):
        kinds.valid_format(format)
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
                free=item.path.suffix.lower() in kinds.NO_PICTURES and suffix not in kinds.FILMS,
            )
            for style in styles
        ]
    return tasks


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
        written = ", ".join(sorted({*kinds.USUAL, *kinds.FILMS}))
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
    film, of_films = own.lower() in kinds.NO_PICTURES, suffix in kinds.FILMS
    if suffix and of_films == (film or (of_films and own.lower() == ".gif")):
        return suffix
    if film:
        return ".mp4" if own.lower() in kinds.OTHER_FILMS else own
    return own if own.lower() in kinds.PICTURES else ".png"


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

"""Reads TOML files that people write, and accepts only keys with a meaning."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from impasto import untrusted
from impasto.errors import OptionError, reason
from impasto.options.fields import Checked, Json, current

_MOST = 1 << 20
"""Most bytes of a file; people write them by hand."""


def read(path: Path, what: str, known: Iterable[str]) -> dict[str, Json]:
    """Read the tables in ``path``, which should be ``what``, such as "a recipe".

    Raises:
        OptionError: it cannot be read, or has a key that is not ``known``.
    """
    try:
        tables = tomllib.loads(untrusted.read(path, _MOST, follow=True).decode())
        untrusted.require_plain(tables)
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} is not {what}: {reason(error)}") from error
    except RecursionError as error:
        raise OptionError(f"{path} is not {what}: it is too deep") from error
    return only(tables, known, path)


def table(tables: Mapping[str, Json], name: str, path: Path) -> dict[str, Json]:
    """Return the table of this name, empty if there is none.

    Raises:
        OptionError: it is something else.
    """
    entries = tables.get(name, {})
    if not isinstance(entries, dict):
        raise OptionError(f"{name} in {path} is no table", hint=f"begin it with [{name}]")
    return dict(entries)


def text(table: Mapping[str, Json], name: str, path: Path) -> str | None:
    """Return the text of this name in a table of ``path``, if there is one.

    Raises:
        OptionError: it is something else.
    """
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise OptionError(
            f"{name} in {path} is {str(value)[:80]}", hint=f'it must be a text: {name} = "..."'
        )
    return value


def knobs(
    options: Checked, table: Mapping[str, Json], path: Path, notes: list[str]
) -> dict[str, Json]:
    """Return what a table of ``path`` says of ``options``, by the names that they have now.

    ``notes`` get a sentence for each old name.
    """

    def on_renamed(old: str, new: str) -> None:
        note = f"{path} says {old}, which is called {new} now"
        if note not in notes:
            notes.append(note)

    return current(options, table, on_renamed)


def only(table: Json, known: Iterable[str], path: Path) -> dict[str, Json]:
    """Check a table in ``path``.

    Raises:
        OptionError: it is none, or has a key that is not ``known``.
    """
    if not isinstance(table, dict):
        raise OptionError(f"{path} has {repr(table)[:80]} where a table should be")
    names = sorted(known)
    for key in table:
        if key not in names:
            raise OptionError(
                f"{path} has an unknown entry, {key!r}", hint=f"known are: {', '.join(names)}"
            )
    return table

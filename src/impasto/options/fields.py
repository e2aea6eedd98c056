"""What makes a frozen dataclass a set of options: ranges, help, changes by name.

Each object checks itself when it is made. A value out of range is an
:class:`~impasto.errors.OptionError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from functools import reduce
from math import isinf
from numbers import Integral, Real
from operator import or_
from os import PathLike
from types import NoneType, UnionType
from typing import Any, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from impasto.errors import OptionError, did_you_mean
from impasto.untrusted import Json as Json  # noqa: PLC0414 - others take it from here

_MOST = 1 << 63
"""Limit that a whole number stays below; seeds and sizes go to places that take 64 bits."""

Side: TypeAlias = int | str
"""A side of a picture, in pixels or as a share such as ``50%``."""
Stroke: TypeAlias = float | str
"""A size of brush marks in proportion to the picture; or ``pixels``, a size fixed in pixels."""

Value = TypeVar("Value")
Options = TypeVar("Options", bound="Checked")


def knob(
    default: Value,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    was: str = "",
    before: Value | None = None,
    parse: Callable[[str], Value] | Callable[[str], float | str] | None = None,
) -> Value:
    """Define a field of options: its default, what it does in one line, and its allowed values.

    ``was`` is its old name. ``before`` is the value that changes nothing compared with the time
    before the field existed. ``parse`` reads a text that a person types, where that is not plain.
    """
    about = {
        **{"doc": doc, "low": low, "high": high, "choices": choices},
        **{"was": was, "before": before, "parse": parse},
    }
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class Checked:
    """Checks each field against its kind, its range or its choices when the object is made.

    Raises:
        TypeError: a field is of a kind that no option has.
    """

    def __post_init__(self) -> None:
        kinds = _kinds(type(self))
        for each in fields(self):
            name, value = each.name.replace("_", " "), getattr(self, each.name)
            low, high, choices = (each.metadata[key] for key in ("low", "high", "choices"))
            kinds[each.name].require(name, value)
            if choices and value not in choices:
                raise OptionError(
                    f"{name} is {_shown(value)}", hint=f"it must be {_either(choices)}"
                )
            if low is high is None or value is None or isinstance(value, str):
                continue
            inside = (low is None or value >= low) and (high is None or value <= high)
            if not inside:  # NaN is not inside, either
                limits = f"from {low} to {high}" if high is not None else f"{low} or more"
                raise OptionError(f"{name} is {value}", hint=f"it must be {limits}")


@dataclass(frozen=True)
class _Kind:
    """What a knob takes, in words and as types."""

    words: str
    types: tuple[type, ...]
    optional: bool = False

    def require(self, name: str, value: object) -> None:
        if value is None and self.optional:
            return
        switch = isinstance(value, bool) and bool not in self.types  # Python takes it for 0 or 1
        right = isinstance(value, self.types) and not switch
        if right and isinstance(value, tuple):
            right = all(isinstance(part, str) for part in value)
        if not right:
            raise OptionError(f"{name} must be {self.words}, not {_shown(value)}")
        if isinstance(value, Integral) and not -_MOST <= int(value) < _MOST:
            raise OptionError(f"{name} is {_shown(value)}", hint="it must fit into 64 bits")
        if isinstance(value, Real) and not isinstance(value, Integral) and isinf(value):
            raise OptionError(f"{name} is {value}", hint="it must be a finite number")


def _shown(value: object) -> str:
    """Shorten a value for a message, however long it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; a list in itself
        return "too long to be shown"
    return text if len(text) < 80 else f"{text[:80]}..."


_KNOWN: dict[object, _Kind] = {
    bool: _Kind("true or false", (bool,)),
    int: _Kind("a whole number", (Integral,)),
    float: _Kind("a number", (Real,)),
    str: _Kind("a text", (str, PathLike)),
    tuple[str, ...]: _Kind("a list of texts", (tuple,)),
    Side: _Kind("a whole number, or a share such as 50%", (Integral, str)),
    Stroke: _Kind("a number, or pixels", (Real, str)),
}


def _kinds(options: type[Checked]) -> dict[str, _Kind]:
    """Return the kind of each knob: the type that its annotation means, in any spelling."""
    if options not in _FOUND:
        hints = get_type_hints(options)
        _FOUND[options] = {
            each.name: _kind(hints[each.name], options, each.name) for each in fields(options)
        }
    return _FOUND[options]


_FOUND: dict[type, dict[str, _Kind]] = {}


def _kind(hint: Any, options: type, name: str) -> _Kind:
    several = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kind = reduce(or_, (each for each in several if each is not NoneType))
    if not (kind in _KNOWN or is_dataclass(kind)):
        raise TypeError(f"{options.__name__}.{name} is {hint}, a kind that no option has")
    known = _KNOWN.get(kind) or _Kind(kind.__name__, (kind,))
    return replace(known, optional=NoneType in several)


def _either(choices: tuple[str, ...]) -> str:
    return " or ".join((", ".join(choices[:-1]), choices[-1]))


def flattened(record: Mapping[str, Json], *inside: str) -> Iterator[tuple[str, Json]]:
    """Give names in words, and values, of a nested record such as options or a card.

    A name that begins with the name of the record around it does not repeat that name.
    """
    for key, value in record.items():
        name = key.replace("_", " ")
        name = name.removeprefix(f"{inside[-1]} ") if inside else name
        if isinstance(value, dict):
            yield from flattened(value, *inside, name)
        else:
            yield " ".join((*inside, name)), value


def changed(options: Options, values: Mapping[str, object]) -> Options:
    """Return ``options`` with knobs replaced by name, also those of options inside it.

    Several layers are a list, or a text with commas.

    Raises:
        OptionError: a name that is no knob, or a value out of range.
    """
    known = _names(options)
    for name in values:
        if name not in known:
            raise OptionError(f"there is no option {name!r}", hint=did_you_mean(name, known))
    return _changed(options, values)


def current(
    options: Checked,
    values: Mapping[str, Value],
    on_renamed: Callable[[str, str], None] = lambda *_: None,
) -> dict[str, Value]:
    """Update ``values`` of a file that may be older, for :func:`changed`: knobs get their new
    names.

    ``on_renamed`` is called with the old name and the new one.

    Raises:
        OptionError: a knob is given by both names.
    """
    return _current(_knobs(options), values, on_renamed)


def current_record(options: Checked, record: Mapping[str, Json]) -> dict[str, Json]:
    """Update a record that :func:`dataclasses.asdict` and JSON made of older options of this kind.

    Knobs get the names that they have now. Knobs that were added since are filled in. Options
    inside the record are treated alike. Anything that is no option stays as it is.

    Raises:
        OptionError: a knob is there by both names.
    """
    own = (each for each in fields(options) if not isinstance(getattr(options, each.name), Checked))
    renamed = {**_current(own, record)}
    for each in fields(options):
        before = each.metadata["before"]
        if before is not None:
            renamed.setdefault(each.name, before)
        inner, value = getattr(options, each.name), renamed.get(each.name)
        if isinstance(inner, Checked) and isinstance(value, dict):
            renamed[each.name] = current_record(inner, value)
    return renamed


def former(options: Checked) -> dict[str, Json]:
    """Write ``options`` as a record by the old names of knobs.

    So hashes of existing records stay what they are.
    """
    return {
        each.metadata["was"] or each.name: former(value) if isinstance(value, Checked) else value
        for each in fields(options)
        for value in [getattr(options, each.name)]
        if each.metadata["before"] is None or value != each.metadata["before"]
    }


def _current(
    known: Iterable[Field[Any]],
    values: Mapping[str, Value],
    on_renamed: Callable[[str, str], None] = lambda *_: None,
) -> dict[str, Value]:
    names = {each.metadata["was"]: each.name for each in known if each.metadata["was"]}
    for old in values:
        if old in names and names[old] in values:
            raise OptionError(f"{old} is the old name of {names[old]}, which is given, too")
        if old in names:
            on_renamed(old, names[old])
    return {names.get(name, name): value for name, value in values.items()}


def _names(options: Checked) -> set[str]:
    """Return the names by which knobs can be changed.

    Raises:
        TypeError: one name is of two knobs, or of a knob and of options that hold others.
    """
    everything = [each.name for each, _ in _fields(options)]
    names = {each.name for each in _knobs(options)}
    if doubled := sorted(name for name in names if everything.count(name) > 1):
        raise TypeError(f"{type(options).__name__} has two options called {doubled[0]}")
    return names


def _knobs(options: Checked) -> Iterator[Field[Any]]:
    return (each for each, value in _fields(options) if not isinstance(value, Checked))


def _fields(options: Checked) -> Iterator[tuple[Field[Any], object]]:
    """Give all fields with their values, also those of options that are such values."""
    for each in fields(options):
        value = getattr(options, each.name)
        yield each, value
        if isinstance(value, Checked):
            yield from _fields(value)


def _changed(options: Options, values: Mapping[str, object]) -> Options:
    changes: dict[str, object] = {}
    for each in fields(options):
        value = getattr(options, each.name)
        if isinstance(value, Checked):
            changes[each.name] = _changed(value, values)
        elif each.name in values:
            given = values[each.name]
            changes[each.name] = _several(given) if isinstance(value, tuple) else given
    return replace(options, **changes)


def restored(kind: type[Options], record: object) -> Options:
    """Restore options of ``kind`` from what :func:`dataclasses.asdict` and JSON made of them.

    Options that the record lacks get their defaults.

    Raises:
        OptionError: it has an option that does not exist here, or a value that is not allowed.
    """
    if not isinstance(record, dict):
        raise OptionError("its options are damaged")
    defaults = {each.name: getattr(kind(), each.name) for each in fields(kind)}
    record = current_record(kind(), record)
    if strange := record.keys() - defaults.keys():
        raise OptionError(f"it has options that do not exist here: {', '.join(sorted(strange))}")
    values = {
        name: restored(type(defaults[name]), value)
        if isinstance(defaults[name], Checked)
        else _several(value)
        if isinstance(defaults[name], tuple)
        else value
        for name, value in record.items()
    }
    return kind(**values)


def _several(value: object) -> object:
    """Turn a text with commas, or a list, into a tuple; other values are refused later."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value

"""What makes a frozen dataclass a set of options: ranges, help, changes by name.

Making one of these objects checks it: a value out of range is an
:class:`~impasto.errors.OptionError`.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from numbers import Integral, Real
from os import PathLike
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from impasto.errors import OptionError


def knob(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """A field of options: its default, what it does in one line, what it may be."""
    return field(
        default=default, metadata={"doc": doc, "low": low, "high": high, "choices": choices}
    )


class Checked:
    """Checks each field against its kind, its range or its choices when the object is made.

    Raises:
        TypeError: a field is of a kind that no option has.
    """

    def __post_init__(self) -> None:
        kinds = _kinds(type(self))  # type: ignore[arg-type]
        for each in fields(self):  # type: ignore[arg-type]
            name, value = each.name.replace("_", " "), getattr(self, each.name)
            low, high, choices = (each.metadata[key] for key in ("low", "high", "choices"))
            kinds[each.name].require(name, value)
            if choices and value not in choices:
                raise OptionError(f"{name} is {value!r}", hint=f"it must be {_either(choices)}")
            if low is high is None or value is each.default is None:
                continue
            inside = (low is None or value >= low) and (high is None or value <= high)
            if not inside:  # nor is what is no number
                limits = f"from {low} to {high}" if high is not None else f"{low} or more"
                raise OptionError(f"{name} is {value}", hint=f"it must be {limits}")


@dataclass(frozen=True)
class _Kind:
    """What a knob takes, in words and as types."""

    words: str
    types: tuple[type, ...]
    optional: bool = False

    def require(self, name: str, value: Any) -> None:
        if value is None and self.optional:
            return
        switch = isinstance(value, bool) and bool not in self.types  # which Python takes for 0 or 1
        right = isinstance(value, self.types) and not switch
        if right and isinstance(value, tuple):
            right = all(isinstance(part, str) for part in value)
        if not right:
            raise OptionError(f"{name} must be {self.words}, not {value!r}")


_KNOWN: dict[Any, _Kind] = {
    bool: _Kind("true or false", (bool,)),
    int: _Kind("a whole number", (Integral,)),
    float: _Kind("a number", (Real,)),
    str: _Kind("a text", (str, PathLike)),
    tuple[str, ...]: _Kind("a list of texts", (tuple,)),
}


@functools.cache
def _kinds(options: type) -> dict[str, _Kind]:
    """The kind of each knob, by the type that its annotation means, however it is written."""
    hints = get_type_hints(options)
    return {each.name: _kind(hints[each.name], options, each.name) for each in fields(options)}


def _kind(hint: Any, options: type, name: str) -> _Kind:
    several = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kind, *others = (each for each in several if each is not NoneType)
    if others or not (kind in _KNOWN or is_dataclass(kind)):
        raise TypeError(f"{options.__name__}.{name} is {hint}, a kind that no option has")
    known = _KNOWN.get(kind) or _Kind(kind.__name__, (kind,))
    return replace(known, optional=NoneType in several)


def _either(choices: tuple[str, ...]) -> str:
    return " or ".join((", ".join(choices[:-1]), choices[-1]))


def doc(options: type, knob: str) -> str:
    """The line that says what ``knob`` does."""
    return str(next(f.metadata["doc"] for f in fields(options) if f.name == knob))


def flattened(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names in words and values of a nested record, such as options or a card."""
    for key, value in record.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, dict):
            yield from flattened(value, f"{name} ")
        else:
            yield name, value


def changed(options: Any, values: Mapping[str, Any]) -> Any:
    """``options`` with knobs replaced by name, those of options inside it too.

    Several layers are a list, or a text with commas.

    Raises:
        OptionError: a name that is no knob, or a value out of range.
    """
    known = set(_names(options))
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise OptionError(
                f"there is no option {name!r}", hint=f"did you mean {near[0]}?" if near else ""
            )
    return _changed(options, values)


def _names(options: Any) -> Iterator[str]:
    for each in fields(options):
        value = getattr(options, each.name)
        if is_dataclass(value):
            yield from _names(value)
        else:
            yield each.name


def _changed(options: Any, values: Mapping[str, Any]) -> Any:
    changes: dict[str, Any] = {}
    for each in fields(options):
        value = getattr(options, each.name)
        if is_dataclass(value):
            changes[each.name] = _changed(value, values)
        elif each.name in values:
            given = values[each.name]
            changes[each.name] = _several(given) if isinstance(value, tuple) else given
    return replace(options, **changes)


def _several(given: Any) -> Any:
    """A text with commas, or a list, as a tuple; what is neither is refused later."""
    if isinstance(given, str):
        return tuple(part.strip() for part in given.split(",") if part.strip())
    return tuple(given) if isinstance(given, list) else given

"""What makes a frozen dataclass a set of options: ranges, help, changes by name.

Making one of these objects checks it: a value out of range is an
:class:`~impasto.errors.OptionError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, fields, is_dataclass, replace
from numbers import Integral, Real
from os import PathLike
from typing import Any

from impasto.errors import OptionError, did_you_mean


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
    """Checks each field against its range or its choices when the object is made."""

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]
            name, value = each.name.replace("_", " "), getattr(self, each.name)
            low, high, choices = (each.metadata[key] for key in ("low", "high", "choices"))
            _require_kind(str(each.type), name, value)
            if choices and value not in choices:
                raise OptionError(f"{name} is {value!r}", hint=f"it must be {_either(choices)}")
            if low is high is None or value is each.default is None:
                continue
            inside = (low is None or value >= low) and (high is None or value <= high)
            if not inside:  # nor is what is no number
                limits = f"from {low} to {high}" if high is not None else f"{low} or more"
                raise OptionError(f"{name} is {value}", hint=f"it must be {limits}")


_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "bool": ("true or false", (bool,)),
    "int": ("a whole number", (Integral,)),
    "float": ("a number", (Real,)),
    "str": ("a text", (str, PathLike)),
    "tuple[str, ...]": ("a list of texts", (tuple,)),
}


def _require_kind(declared: str, name: str, value: Any) -> None:
    kind, *rest = declared.split(" | ")
    if kind not in _KINDS or (value is None and rest):
        return
    words, types = _KINDS[kind]
    right = isinstance(value, types) and (kind == "bool" or not isinstance(value, bool))
    if right and isinstance(value, tuple):
        right = all(isinstance(part, str) for part in value)
    if not right:
        raise OptionError(f"{name} must be {words}, not {value!r}")


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
            raise OptionError(f"there is no option {name!r}", hint=did_you_mean(name, known))
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


def restored(kind: type, record: Any) -> Any:
    """Options of ``kind`` from what :func:`dataclasses.asdict` and JSON made of them.

    Options that the record lacks are those by default.

    Raises:
        OptionError: it has an option that does not exist here, or a value that is not allowed.
    """
    known = {each.name: getattr(kind(), each.name) for each in fields(kind)}
    if not isinstance(record, dict):
        raise OptionError("its options are damaged")
    if strange := record.keys() - known.keys():
        raise OptionError(f"it has options that do not exist here: {', '.join(sorted(strange))}")
    made = {
        name: restored(type(known[name]), value)
        if is_dataclass(known[name])
        else _several(value)
        if isinstance(known[name], tuple)
        else value
        for name, value in record.items()
    }
    return kind(**made)


def _several(given: Any) -> Any:
    """A text with commas, or a list, as a tuple; what is neither is refused later."""
    if isinstance(given, str):
        return tuple(part.strip() for part in given.split(",") if part.strip())
    return tuple(given) if isinstance(given, list) else given

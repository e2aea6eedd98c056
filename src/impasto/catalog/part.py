"""A part of a card: a frozen dataclass that is read from a JSON object, and written as one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from functools import lru_cache
from types import NoneType
from typing import Any, Self, TypeVar, get_args, get_origin, get_type_hints

from impasto.errors import OptionError
from impasto.options import PLAIN_LOSS, LossOptions, NetworkOptions
from impasto.options.fields import Checked, Json, changed, current

NULL = {"null": True}
"""Metadata of a field that is written even where it is None."""

Collection = TypeVar("Collection", list[Json], dict[str, Json])
_SCALARS: dict[type, tuple[str, tuple[type, ...]]] = {
    str: ("a text", (str,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    bool: ("true or false", (bool,)),
}
LONGEST = 2000
"""Most characters of a text; a terminal, a page and a contact sheet have to show all of them."""

_HINTS: dict[type, dict[str, Any]] = {}
_OPTIONS: dict[type[Checked], Checked] = {
    LossOptions: PLAIN_LOSS,
    NetworkOptions: NetworkOptions(),
}
"""Kinds of options, each with the options that count where a card does not say them."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A JSON object of a card.

    It keeps what it was read from. Parts that have not changed are written as they were. Their keys
    keep their order, and an option keeps its older name. Keys that only newer versions know stay.
    """

    source: Mapping[str, Json] = field(default_factory=dict, compare=False, repr=False)
    """The object that it was read from; empty for a new part."""

    @classmethod
    def of(cls, source: Json, name: str = "it") -> Self:
        """Read a part from a JSON object; errors call the object ``name``.

        Raises:
            KeyError: a key is missing.
            TypeError: a value is of another kind than it should be.
            ValueError: a text is too long.
        """
        if not isinstance(source, dict):
            raise TypeError(f"{name} is not an object")
        kinds = _kinds(cls)
        values = {
            each.name: _read(kinds[each.name], source[key], key)
            for each in _json_fields(cls)
            if (key := _key(each, source)) in source or _required(each)
        }
        return cls(**values, source=source)

    def record(self) -> dict[str, Json]:
        """As a JSON object."""
        record, kinds = deepcopy(dict(self.source)), _kinds(type(self))
        for each in _json_fields(type(self)):
            key, kind, value = _key(each, record), kinds[each.name], getattr(self, each.name)
            if key not in record:
                if value != each.default or (not self.source and each.metadata.get("null")):
                    record[key] = _written(value)
            elif isinstance(value, Part):
                record[key] = value.record()
            elif _read(kind, record[key], key) == value:
                continue  # as it was written
            elif value is None:
                del record[key]
            else:
                record[key] = _written(value)
        return record

    @property
    def unread(self) -> frozenset[str]:
        """Return the options that another version of impasto described; they are None here."""
        nothing = [each for each in _json_fields(type(self)) if getattr(self, each.name) is None]
        return frozenset(
            each.name for each in nothing if self.source.get(_key(each, self.source)) is not None
        )


def _json_fields(part: type[Part]) -> list[Field[Any]]:
    return [each for each in fields(part) if each.name != "source"]


def _key(each: Field[Any], source: Mapping[str, Json]) -> str:
    """Return the key of a field in an object: its name, or the name that it ``was`` called."""
    was = each.metadata.get("was", each.name)
    return was if was in source and each.name not in source else each.name


def _required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _kinds(part: type[Part]) -> dict[str, Any]:
    """Return the type of each field, from its annotation."""
    if part not in _HINTS:
        _HINTS[part] = get_type_hints(part)
    return _HINTS[part]


def _read(kind: Any, value: Json, name: str) -> Any:
    """Turn a JSON value into the value of a field of this kind."""
    if NoneType in get_args(kind):
        (kind,) = set(get_args(kind)) - {NoneType}
        if value is None:
            return None
    if get_origin(kind) is tuple:
        return tuple(_read(get_args(kind)[0], each, name) for each in _of(list, value, name))
    if get_origin(kind) is Mapping:
        items = _of(dict, value, name).items()
        return {key: _read(get_args(kind)[1], each, f"{name} {key}") for key, each in items}
    if issubclass(kind, Part):
        return kind.of(value, name)
    if kind in _OPTIONS:
        return _options(kind, json.dumps(_of(dict, value, name)))
    words, types = _SCALARS[kind]
    if not isinstance(value, types) or isinstance(value, bool) != (kind is bool) or value == "":
        raise TypeError(f"{name} is not {words}")
    if isinstance(value, str) and len(value) > LONGEST:
        raise ValueError(f"{name} has more than {LONGEST} characters")
    return value


def _of(kind: type[Collection], value: Json, name: str) -> Collection:
    if not isinstance(value, kind):
        raise TypeError(f"{name} is not {'a list' if kind is list else 'an object'}")
    return value


@lru_cache(maxsize=256)
def _options(kind: type[Checked], source: str) -> Checked | None:
    """Read the options of a card; None where the card uses words that this version does not know.

    Cached, because most cards hold the same options.
    """
    default = _OPTIONS[kind]
    try:
        return changed(default, current(default, json.loads(source)))
    except OptionError:
        return None


def _written(value: Any) -> Json:
    if isinstance(value, Part):
        return value.record()
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _written(each) for name, each in asdict(value).items()}
    if isinstance(value, tuple):
        return [_written(each) for each in value]
    return value

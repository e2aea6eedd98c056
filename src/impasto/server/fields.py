"""What requests may say: fields made from the options, and formats from ``Accept``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import chain
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.config import JsonDict

from impasto import catalog
from impasto.errors import OptionError
from impasto.options import OptimizeOptions, StylizeOptions, WriteOptions
from impasto.options.fields import Checked, Side, changed, current

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
}
FILM_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "mkv": "video/matroska",
    "webm": "video/webm",
    "gif": "image/gif",
}
"""By suffix; a film of a job that names none is the first one that holds its sound."""
SUFFIXES = {media_type: suffix for suffix, media_type in FILM_TYPES.items()}

_SHARE = r"[0-9]{0,6}\.?[0-9]{1,6}"
_STYLE = re.compile(rf"[a-z0-9-]{{1,64}}(:{_SHARE})?(,[a-z0-9-]{{1,64}}:{_SHARE}){{0,7}}")
_QUALITY = re.compile(r"q=([01](\.[0-9]{0,3})?)")
_STYLE_DOC = "A style's name, or a blend such as great-wave:0.7,udnie:0.3."


_PLAIN = (int, float, bool, int | None, float | None)
_IN_PIXELS = {Side | None: int | None}
"""Limits of the service are in pixels, and so is what a client asks for."""


def _knobs(options: Checked) -> Iterator[tuple[str, type, object, Mapping[str, Any]]]:
    """Name, type, default and metadata of what a client may set: numbers, choices, switches.

    Texts are left out: they name files and networks of the machine.
    """
    kinds = get_type_hints(type(options))
    for each in fields(options):
        value = getattr(options, each.name)
        if isinstance(value, Checked):
            yield from _knobs(value)
            continue
        kind = _IN_PIXELS.get(kinds[each.name], kinds[each.name])
        if each.name != "device" and (kind in _PLAIN or each.metadata["choices"]):
            yield each.name, kind, value, each.metadata


def _model(name: str, *options: Checked, **more: Any) -> type[BaseModel]:
    knobs: dict[str, Any] = dict(more)
    for knob, kind, default, about in chain.from_iterable(map(_knobs, options)):
        schema: JsonDict | None = {"enum": list(about["choices"])} if about["choices"] else None
        limits = Field(
            description=about["doc"], ge=about["low"], le=about["high"], json_schema_extra=schema
        )
        knobs[knob] = (Annotated[kind, limits], default)
    model: type[BaseModel] = create_model(
        name, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **knobs
    )
    return model


_style = (
    Annotated[
        str | None,
        Field(description=_STYLE_DOC, examples=["great-wave"], pattern=f"^{_STYLE.pattern}$"),
    ],
    None,
)
_format = (
    Annotated[str | None, Field(description="Format of the result, such as png.", max_length=8)],
    None,
)

WRITTEN = WriteOptions(strip=True)
"""How results are written, where a client says nothing: without what tells of people and places."""

Stylize = _model("Stylize", StylizeOptions(), WRITTEN, style=_style, format=_format)
"""What ``POST /v1/stylize`` takes beside the picture, and a job with a style."""

Optimize = _model("Optimize", OptimizeOptions(), WRITTEN, format=_format)
"""What a job with a painting takes."""


def split(wanted: Mapping[str, Any]) -> tuple[dict[str, Any], WriteOptions]:
    """What a client wants of the painting, and of its file."""
    of_file = vars(WRITTEN).keys() & wanted.keys()
    painted = {name: value for name, value in wanted.items() if name not in of_file}
    return painted, changed(WRITTEN, {name: wanted[name] for name in of_file})


def renamed(fields: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fields of an optimisation by the names that they have now, and a note for each old one.

    Raises:
        OptionError: one is given by both names.
    """
    notes: list[str] = []

    def note(old: str, now: str) -> None:
        notes.append(f"{old} is called {now} now - use {now}")

    known = {name: value for name, value in fields.items() if name in _TAKEN}
    others = {name: value for name, value in fields.items() if name not in _TAKEN}
    return others | current(OptimizeOptions(), known, note), tuple(notes)


_TAKEN = {*Optimize.model_fields, *(about["was"] for *_, about in _knobs(OptimizeOptions()))}
"""Fields of an optimisation by any name. What names files has none, neither old nor new."""


def known_style(style: str | None) -> str:
    """A style that the catalogue lists, or a blend of such; never a path.

    Raises:
        OptionError: none was given, or there is none of that name.
    """
    if not style:
        raise OptionError("no style was given", hint=f"style={next(iter(catalog.styles()))}")
    if not _STYLE.fullmatch(style):
        raise OptionError(f"{style!r} is not the name of a style", hint="see GET /v1/styles")
    at_hand = catalog.styles()
    for part in style.split(","):
        if (name := part.partition(":")[0]) not in at_hand:
            raise catalog.unknown(name)
    catalog.find(style)
    return style


def accepted(header: str | None, known: Sequence[str], own: str) -> list[str]:
    """Of the formats ``known``, those that an ``Accept`` header takes, best first.

    ``own`` stands for the one that the photograph has, where any will do (RFC 9110, 12.5.1).
    """
    if not header:
        return [own]
    wanted: list[tuple[float, str]] = []
    for part in header.split(","):
        kind, *parameters = (each.strip().lower() for each in part.split(";"))
        if (quality := _quality(parameters)) > 0:
            wanted.append((quality, kind))
    formats: list[str] = []
    for _, kind in sorted(wanted, key=lambda each: -each[0]):
        if kind in ("*/*", "image/*"):
            formats.append(own)
        formats += [name for name in known if MEDIA_TYPES[name] == kind]
    return formats


def _quality(parameters: Sequence[str]) -> float:
    for each in parameters:
        if each.startswith("q="):
            found = _QUALITY.fullmatch(each)
            return float(found[1]) if found else 0.0
    return 1.0

"""What requests may say: fields made from the options, and formats from ``Accept``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import chain
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.config import JsonDict

from impasto.images.crop import CROPS
from impasto.options import OptimizeOptions, StyleOptions, StylizeOptions, WriteOptions
from impasto.options.fields import Checked, Options, Side, Stroke, changed, current
from impasto.options.painting import IN_PIXELS
from impasto.server.styles import NAMED, SHARES

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
"""Media types of films by suffix.

A film of a job that names none gets the first one that holds its sound.
"""
SUFFIXES = {media_type: suffix for suffix, media_type in FILM_TYPES.items()}

_QUALITY = re.compile(r"q=([01](\.[0-9]{0,3})?)")
_STYLE_DOC = (
    "A style's name, or a blend such as great-wave:0.7,udnie:0.3; or a painting, as a file."
)
_SHARES_DOC = (
    "Of several styles, how much of each: of the paintings in their order, and last of the style "
    "that is named."
)


_PLAIN = (int, float, bool, int | None, float | None)
_NUMBERS = {Side | None: int | None, Stroke | None: float | None}
"""Types of options that may also be a text.

Limits of the service are in pixels, and so are sizes that a client asks for.
"""
_WORDS = {Stroke | None: Literal[IN_PIXELS]}
"""Words that may stand for a number."""
_ALONE = {"size": "Long side of the result in pixels; as it is by default."}
"""Descriptions of fields that take less than their options do."""
_PART = r"[01]?\.?[0-9]{0,6}"
_CROP = rf"{'|'.join(CROPS)}|{_PART}(,{_PART}){{3}}"


def _knobs(options: Checked) -> Iterator[tuple[str, type, object, Mapping[str, Any]]]:
    """Give name, type, default and metadata of what a client may set: numbers, choices, switches.

    Texts are left out, because they name files and networks of the machine.
    """
    kinds = get_type_hints(type(options))
    for each in fields(options):
        value = getattr(options, each.name)
        if isinstance(value, Checked):
            yield from _knobs(value)
            continue
        kind = kinds[each.name]
        plain = _NUMBERS.get(kind, kind) in _PLAIN
        if each.name != "device" and (plain or each.metadata["choices"]):
            yield each.name, kind, value, each.metadata


def _model(name: str, *options: Checked, **more: Any) -> type[BaseModel]:
    knobs: dict[str, Any] = dict(more)
    for knob, kind, default, about in chain.from_iterable(map(_knobs, options)):
        schema: JsonDict | None = {"enum": list(about["choices"])} if about["choices"] else None
        limits = Field(ge=about["low"], le=about["high"])
        taken: Any = Annotated[_NUMBERS.get(kind, kind), limits]
        if word := _WORDS.get(kind):
            taken = taken | word
        said = _ALONE.get(knob, about["doc"]) if kind in _NUMBERS else about["doc"]
        doc = Field(description=said, json_schema_extra=schema)
        knobs[knob] = (Annotated[taken, doc], default)
    model: type[BaseModel] = create_model(
        name, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **knobs
    )
    return model


_style = (
    Annotated[
        str | None,
        Field(description=_STYLE_DOC, examples=["great-wave"], pattern=f"^{NAMED.pattern}$"),
    ],
    None,
)
_shares = (
    Annotated[str | None, Field(description=_SHARES_DOC, pattern=f"^{SHARES.pattern}$")],
    None,
)
_CROP_DOC = StyleOptions.__dataclass_fields__["style_crop"].metadata["doc"]
_crop = (
    Annotated[
        str,
        Field(description=_CROP_DOC, pattern=f"^({_CROP})$"),
    ],
    StyleOptions.style_crop,
)
_polish: Any = (
    Annotated[
        str,
        Field(description="Learn a painting for a time such as 60s, or steps.", max_length=16),
    ],
    "",
)
_format = (
    Annotated[str | None, Field(description="Format of the result, such as png.", max_length=8)],
    None,
)

WRITTEN = WriteOptions(strip=True)
"""How results are written by default: without data about people and places."""

Stylize = _model(
    "Stylize", StylizeOptions(), StyleOptions(), WRITTEN,
    style=_style, shares=_shares, style_crop=_crop, format=_format,
)  # fmt: skip
"""What ``POST /v1/stylize`` takes beside the picture."""

Painting = _model("Painting", StyleOptions(), style=_style, shares=_shares, style_crop=_crop)
"""What ``POST /v1/styles`` takes."""

NoFields = _model("NoFields")
"""What ``POST /v1/faces`` takes beside the picture."""

Styled = create_model("Styled", __base__=Stylize, polish=_polish)
"""What a job with a style takes."""

Optimize = _model("Optimize", OptimizeOptions(), WRITTEN, format=_format)
"""What a job with a painting takes."""


def taken(options: Options, wanted: dict[str, Any]) -> Options:
    """Change ``options`` as a client wants; what it says of them is no longer in ``wanted``."""
    names = vars(options).keys() & wanted.keys()
    return changed(options, {name: wanted.pop(name) for name in names})


def renamed(fields: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return fields of an optimisation by the names that they have now, and a note for each old
    one.

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
"""Fields of an optimisation by any name. Options that name files are not among them."""


def accepted(header: str | None, known: Sequence[str], own: str) -> list[str]:
    """Return those of the formats ``known`` that an ``Accept`` header takes, best first.

    ``own`` stands for the format of the photograph, where any will do (RFC 9110, 12.5.1).
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

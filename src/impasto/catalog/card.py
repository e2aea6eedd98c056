"""What a style says of itself: its card, and the JSON that it is kept as."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impasto.errors import OptionError

CARD = "card.json"


FORMAT = 1
"""Version of the card's layout; a newer one is refused with a sentence."""


NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Artwork:
    """The painting that a style was learnt from."""

    title: str
    artist: str
    year: str
    licence: str


@dataclass(frozen=True)
class Card:
    """What a style says of itself; ``details`` is the whole JSON object."""

    name: str
    title: str
    artwork: Artwork
    preview: str
    licence: str
    file: str
    sha256: str
    """Of the network's file; in a blend of several networks, of which they are and how much."""
    bytes: int
    parameters: int
    strength: bool
    """Whether the network takes the style's strength, which other styles get by blending."""
    details: Mapping[str, Any] = field(compare=False)


def valid_name(name: str) -> str:
    """``name`` itself, if a style may have it.

    Raises:
        OptionError: it has other characters than a-z, 0-9 and single hyphens.
    """
    if not NAME.fullmatch(name):
        raise OptionError(
            f"{name!r} cannot be the name of a style",
            hint="use small letters, digits and hyphens, such as my-style",
        )
    return name


def parse(details: Any) -> list[Card]:
    """The cards of all styles: one, or those that ``styles`` lists."""
    if not isinstance(details, dict):
        raise TypeError("it is not an object")
    if _number(details, "format") > FORMAT:
        raise ValueError("it was made by a newer impasto; update with pip install -U impasto")
    several = details.get("styles", [details])
    if not isinstance(several, list) or not several:
        raise TypeError("styles is not a list")
    cards = [_card(details, entry) for entry in several]
    if len({card.name for card in cards}) < len(cards):
        raise ValueError("two of its styles have one name")
    return cards


def _card(details: Mapping[str, Any], entry: Any) -> Card:
    if not isinstance(entry, dict):
        raise TypeError("a style is not an object")
    artwork, model = entry["artwork"], details["model"]
    card = Card(
        name=_text(entry, "name"),
        title=_text(entry, "title"),
        artwork=Artwork(*(_text(artwork, key) for key in ("title", "artist", "year", "licence"))),
        preview=_text(entry, "preview"),
        licence=_text(details, "licence"),
        file=_text(model, "file"),
        sha256=_text(model, "sha256"),
        bytes=_number(model, "bytes"),
        parameters=_number(details["network"], "parameters"),
        strength=details["network"].get("strength") is True,
        details={**{k: v for k, v in details.items() if k != "styles"}, **entry},
    )
    if not NAME.fullmatch(card.name):
        raise ValueError(f"{card.name!r} cannot be the name of a style")
    for file in (card.file, card.preview):
        if Path(file).name != file:
            raise ValueError(f"{file!r} is not a plain file name")
    return card


def _text(details: Mapping[str, Any], key: str) -> str:
    value = details[key]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{key} is not a text")
    return value


def _number(details: Mapping[str, Any], key: str) -> int:
    value = details[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{key} is not a whole number")
    return value

"""The file of a card: one style, or all styles of a network in one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from impasto import untrusted
from impasto.catalog.card import Card, Entry
from impasto.catalog.content import content
from impasto.catalog.part import Part
from impasto.errors import StyleError
from impasto.options.fields import Json

CARD = "card.json"
_LARGEST = 2**20

FORMAT = 1
"""Version of the card's layout; a newer one is refused with a sentence."""


@dataclass(frozen=True)
class Layout(Part):
    """The parts of a card that are read first."""

    format: int


_OF_ONE_STYLE = {each.name for each in fields(Entry)} | {"preview"}


def cards(folder: Path) -> list[Card]:
    """Read the cards of the styles in ``folder``.

    Raises:
        StyleError: the file is missing, damaged or from a newer version.
    """
    path = folder / CARD
    data = content(path, _LARGEST)
    try:
        return _cards(data)
    except KeyError as error:
        raise StyleError(f"{path} is not a style's card: it lacks {error}") from error
    except (ValueError, TypeError) as error:
        raise StyleError(f"{path} is not a style's card: {error}") from error


def of_folders(place: Path) -> Iterator[tuple[Path, list[Card]]]:
    """Give the folders of styles in ``place`` with their cards, by name, without damaged ones."""
    try:
        folders = sorted(place.iterdir())
    except OSError:  # not there, or closed to us
        return
    for folder in folders:
        with suppress(StyleError):
            yield folder, cards(folder)


@lru_cache(maxsize=64)
def _cards(data: bytes) -> list[Card]:
    """Parse cards; cached, because a service lists its styles with every request."""
    return parse(untrusted.parse_json(data))


def parse(source: Json) -> list[Card]:
    """Parse the cards of all styles: one, or those in the list ``styles``."""
    if not isinstance(source, dict):
        raise TypeError("it is not an object")
    if Layout.of(source).format > FORMAT:
        raise ValueError("it was made by a newer impasto; update with pip install -U impasto")
    several = source.get("styles", [source])
    if not isinstance(several, list) or not several:
        raise TypeError("styles is not a list")
    if not all(isinstance(entry, dict) for entry in several):
        raise TypeError("a style is not an object")
    shared = {key: value for key, value in source.items() if key != "styles"}
    cards = [Card.of({**shared, **entry}) for entry in several]
    if len({card.name for card in cards}) < len(cards):
        raise ValueError("two of its styles have one name")
    return cards


def record(cards: Sequence[Card]) -> dict[str, Json]:
    """Write the cards of one network for :func:`parse`."""
    records = [{"format": FORMAT, **card.record()} for card in cards]
    if len(records) == 1:
        return records[0]
    shared = {
        key: value
        for key, value in records[0].items()
        if key not in _OF_ONE_STYLE and all(each.get(key) == value for each in records)
    }
    entries = [{key: each[key] for key in each if key not in shared} for each in records]
    return {"format": FORMAT, "styles": entries, **shared}

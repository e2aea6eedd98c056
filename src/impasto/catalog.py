"""The styles at hand: bundled ones, the user's own, and any folder with a card.

A style is a folder with ``card.json``, one ONNX file and a preview. The card says whose
painting it is, how it was learnt, and which file (by SHA-256) holds the network.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto import store
from impasto.errors import OptionError, StyleError

CARD = "card.json"
FORMAT = 1
"""Version of the card's layout; a newer one is refused with a sentence."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_BUNDLED = Path(__file__).parent / "styles"


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
    licence: str
    file: str
    sha256: str
    bytes: int
    parameters: int
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Style:
    """A style on disk."""

    card: Card
    folder: Path

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def preview(self) -> Path:
        return self.folder / str(self.card.details["preview"])

    def model(self) -> bytes:
        """The verified network, as ONNX.

        Raises:
            StyleError: the file is missing, damaged or foreign.
        """
        return store.load(self.folder / self.card.file, self.card.sha256)


def user_folder() -> Path:
    """Where the user's own styles live."""
    if override := os.environ.get("IMPASTO_STYLES"):
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_data_dir("impasto", appauthor=False)) / "styles"


def styles() -> dict[str, Style]:
    """All styles by name, damaged ones left out; a bundled one hides the user's of its name."""
    return {**_in(user_folder()), **bundled()}


def bundled() -> dict[str, Style]:
    """The styles that came with impasto, by name."""
    return _in(_BUNDLED)


def _in(place: Path) -> dict[str, Style]:
    found = {}
    for card in sorted(place.glob(f"*/{CARD}")):
        try:
            style = read(card.parent)
        except StyleError:
            continue
        found[style.name] = style
    return found


def find(style: str | Path | Style) -> Style:
    """The style of this name, or in this folder, or of this card or network file.

    Raises:
        OptionError: no such style.
        StyleError: the folder's card is damaged, or the file is not a style.
    """
    if isinstance(style, Style):
        return style
    if _NAME.fullmatch(str(style)):
        if (_BUNDLED / style / CARD).is_file():
            return read(_BUNDLED / style)
        if (user_folder() / style / CARD).is_file():
            return read(user_folder() / style)
    path = Path(style)
    if (path / CARD).is_file():
        return read(path)
    if path.suffix and path.is_file():
        if (path.parent / CARD).is_file() and path.suffix in (".json", ".onnx"):
            return read(path.parent)
        store.refuse_foreign(path)
    raise unknown(str(style))


def unknown(name: str) -> OptionError:
    """The error for a style that is not there, with the nearest names."""
    names = list(styles())
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}"
    return OptionError(f"there is no style {name!r}", hint=hint)


def valid_name(name: str) -> str:
    """``name`` itself, if a style may have it.

    Raises:
        OptionError: it has other characters than a-z, 0-9 and single hyphens.
    """
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"{name!r} cannot be the name of a style",
            hint="use small letters, digits and hyphens, such as my-style",
        )
    return name


def read(folder: Path) -> Style:
    """The style in ``folder``; its network is checked later, when it is loaded.

    Raises:
        StyleError: the card is damaged or from a newer version.
    """
    path = folder / CARD
    try:
        return Style(_parse(json.loads(path.read_bytes())), folder)
    except OSError as error:
        raise StyleError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StyleError(f"{path} is not a style's card: {error}") from error


def _parse(details: Any) -> Card:
    if not isinstance(details, dict):
        raise TypeError("it is not an object")
    if _number(details, "format") > FORMAT:
        raise ValueError("it was made by a newer impasto; update with pip install -U impasto")
    artwork, model = details["artwork"], details["model"]
    card = Card(
        name=_text(details, "name"),
        title=_text(details, "title"),
        artwork=Artwork(*(_text(artwork, key) for key in ("title", "artist", "year", "licence"))),
        licence=_text(details, "licence"),
        file=_text(model, "file"),
        sha256=_text(model, "sha256"),
        bytes=_number(model, "bytes"),
        parameters=_number(details["network"], "parameters"),
        details=details,
    )
    if not _NAME.fullmatch(card.name):
        raise ValueError(f"{card.name!r} cannot be the name of a style")
    for file in (card.file, _text(details, "preview")):
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

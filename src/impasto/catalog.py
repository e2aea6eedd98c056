"""The styles at hand: bundled ones, the user's own, and any folder with a card.

A folder with ``card.json``, one ONNX file and previews holds a network of one style or of
several. The card says whose paintings they are, how they were learnt, and which file (by
SHA-256) holds the network. Styles are blended inside of their network, or by the network
between theirs.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

from impasto import onnxfile, store
from impasto.errors import OptionError, StyleError, reason

CARD = "card.json"
FORMAT = 1
"""Version of the card's layout; a newer one is refused with a sentence."""

TINY = "-tiny"
"""Ends the name of a style that paints as another does, in a smaller network."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_BLEND = re.compile(r"[^,:]+:\d*\.?\d+(,[^,:]+:\d*\.?\d+)*")
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


@dataclass(frozen=True)
class Style:
    """A style on disk: a network, and how much it shall paint of each of its styles."""

    card: Card
    folder: Path
    weights: tuple[float, ...] = (1.0,)
    parts: tuple[tuple[Style, float], ...] = ()
    """The styles, each with its share, of whose networks this one's is the mean."""

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def preview(self) -> Path:
        return self.folder / self.card.preview

    def model(self) -> bytes:
        """The verified network, as ONNX.

        Raises:
            StyleError: the file is missing, damaged or foreign.
            OptionError: a blend of networks between which there is none.
        """
        if not self.parts:
            return store.load(self.folder / self.card.file, self.card.sha256)
        models = [part.model() for part, _ in self.parts]
        try:
            return onnxfile.between(models, [share for _, share in self.parts])
        except ValueError as error:
            raise _unblendable([part for part, _ in self.parts], str(error)) from error


Shares = Sequence[tuple[Style, float]]
"""Styles of a blend, with shares that add up to 1."""


def user_folder() -> Path:
    """Where the user's own styles live."""
    if override := os.environ.get("IMPASTO_STYLES"):
        return Path(override).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("impasto", appauthor=False)) / "styles"


def place(output: str | Path) -> Path:
    """The folder of a new style: ``output`` itself, or, for a bare name, of that name in the
    user's styles.

    Raises:
        OptionError: its last part cannot be the name of a style, or a bundled one has the name.
    """
    path = Path(output)
    valid_name(path.name)
    if str(output) != path.name:
        return path
    folder = user_folder() / path
    require_free([path.name], folder)
    return folder


def require_free(names: Iterable[str], folder: Path) -> None:
    """Raises: OptionError: in ``folder``, styles of these names would be hidden by bundled ones."""
    if folder.parent != user_folder():
        return
    for name in names:
        if name in bundled():
            raise OptionError(
                f"{name} is the name of a bundled style", hint="give another, or a folder"
            )


def styles() -> dict[str, Style]:
    """All styles by name, damaged ones left out; a bundled one hides the user's of its name."""
    return {**_in(user_folder()), **bundled()}


def bundled() -> dict[str, Style]:
    """The styles that came with impasto, by name."""
    return _in(_BUNDLED)


def looks(found: Mapping[str, Style]) -> dict[str, Style]:
    """These styles without tiny twins: what NAME-tiny paints looks as what NAME does."""
    twins = {f"{name}{TINY}" for name in found}
    return {name: style for name, style in found.items() if name not in twins}


def _in(place: Path) -> dict[str, Style]:
    found: dict[str, Style] = {}
    for card in sorted(place.glob(f"*/{CARD}")):
        try:
            found |= {style.name: style for style in read(card.parent)}
        except StyleError:
            continue
    return found


def find(style: str | Path | Style) -> Style:
    """The style of this name, or in this folder, or of this card or network file.

    ``folder/name`` is one of several styles in a folder, and ``great-wave:0.7,udnie:0.3`` a
    blend, of styles of one network or of networks with one start.

    Raises:
        OptionError: no such style, or styles that cannot be blended.
        StyleError: the folder's card is damaged, or the file is not a style.
    """
    if isinstance(style, Style):
        return style
    if _BLEND.fullmatch(str(style)):
        return _blend([part.rsplit(":", 1) for part in str(style).split(",")])
    name, path = str(style), Path(style)
    if _NAME.fullmatch(name) and (named := _named(name)):
        return named
    beside = os.path.isfile(path.parent / CARD)
    if path.suffix in (".json", ".onnx") and beside and os.path.isfile(path):
        path = path.parent
    if os.path.isfile(path / CARD):
        return _one(path, path.name)
    if beside:
        return _one(path.parent, path.name, only=False)
    if path.suffix and os.path.isfile(path):
        store.refuse_foreign(path)
    raise unknown(name)


def of_one_network(style: str | Path | Style) -> Style:
    """As :func:`find`, for what needs the folder of a network; also raises OptionError for a
    blend of several."""
    found = find(style)
    if found.parts:
        raise OptionError(f"{found.name} is a blend of several networks", hint="give one style")
    return found


def _named(name: str) -> Style | None:
    for place in (_BUNDLED, user_folder()):
        if os.path.isfile(place / name / CARD):  # if it is damaged, say so
            return _one(place / name, name)
    return styles().get(name)


def _one(folder: Path, name: str, *, only: bool = True) -> Style:
    """The style ``name`` in ``folder``, or its ``only`` one."""
    found = read(folder)
    for style in found:
        if style.name == name or (only and len(found) == 1):
            return style
    names = ", ".join(style.name for style in found)
    raise OptionError(
        f"{folder} holds {len(found)} styles", hint=f"give one as {folder}/NAME: {names}"
    )


def _blend(parts: list[list[str]]) -> Style:
    found = [(find(name), float(weight)) for name, weight in parts]
    total = sum(weight for _, weight in found)
    if not total:
        raise OptionError("all parts of the blend are 0")
    if not math.isfinite(total):
        raise OptionError("a part of the blend is too large")
    shares = [(style, weight / total) for style, weight in found]
    if len({style.card.sha256 for style, _ in shares}) == 1:
        return _within(shares)
    if any(len(style.weights) > 1 for style, _ in shares):
        reason = "a network of several styles blends its own only"
        raise _unblendable([style for style, _ in shares], reason)
    return _across(shares)


def _within(shares: Shares) -> Style:
    """The blend of styles of one network, which mixes them itself."""
    first = shares[0][0]
    columns = zip(*([w * share for w in style.weights] for style, share in shares), strict=True)
    return Style(_blended(shares, first.card.details), first.folder, tuple(map(sum, columns)))


def _across(shares: Shares) -> Style:
    """The blend of styles that each have a network of their own."""
    networks = json.dumps([(style.card.sha256, share) for style, share in shares])
    digest = hashlib.sha256(networks.encode()).hexdigest()
    card = replace(_blended(shares, {}), sha256=digest)
    return Style(card, shares[0][0].folder, parts=tuple(shares))


def _blended(shares: Shares, details: Mapping[str, Any]) -> Card:
    """The card of a blend: what it says of itself, and ``details`` that its styles share."""
    cards = [style.card for style, _ in shares]
    name = "-".join(f"{style.name}-{share * 100:.4g}" for style, share in shares)
    card = replace(
        cards[0],
        name=name.replace(".", "-"),
        title=_joined(card.title for card in cards),
        artwork=Artwork(
            *map(_joined, zip(*(astuple(card.artwork) for card in cards), strict=True))
        ),
        licence=_joined(card.licence for card in cards),
    )
    told = {
        "name": card.name,
        "title": card.title,
        "artwork": asdict(card.artwork),
        "licence": card.licence,
        "blend": [{"name": style.name, "share": share} for style, share in shares],
    }
    return replace(card, details={**details, **told})


def _joined(texts: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(texts))


def _unblendable(styles: Sequence[Style], reason: str) -> OptionError:
    return OptionError(
        f"{_joined(style.name for style in styles)} cannot be blended: {reason}",
        hint="blend styles of one network, or ones learnt with one --start and not quantized",
    )


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


def read(folder: Path) -> tuple[Style, ...]:
    """The styles in ``folder``; their network is checked later, when it is loaded.

    Raises:
        StyleError: the card is damaged or from a newer version.
    """
    path = folder / CARD
    try:
        cards = _parse(json.loads(path.read_bytes()))
    except OSError as error:
        raise StyleError(f"{path} cannot be read: {reason(error)}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StyleError(f"{path} is not a style's card: {error}") from error
    count = len(cards)
    return tuple(
        Style(card, folder, tuple(float(i == index) for i in range(count)))
        for index, card in enumerate(cards)
    )


def _parse(details: Any) -> list[Card]:
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
    if not _NAME.fullmatch(card.name):
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

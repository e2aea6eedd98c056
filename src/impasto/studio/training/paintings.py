"""Paintings to learn, and recipes that name them together with every knob.

A recipe is a TOML file::

    [train]
    tier = "light"
    steps = 2000                    # any option of impasto train, and start

    [[style]]
    name = "great-wave"
    painting = "great-wave.jpg"     # beside the recipe
    title = "The Great Wave off Kanagawa"
    artist = "Katsushika Hokusai"
    year = "c. 1831"
    licence = "public domain"
    style_size = 400                # this style's own; so may style_crop and style_weight be
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from impasto import catalog
from impasto.catalog import Artwork, Entry
from impasto.catalog.painted import plain_name, seen
from impasto.errors import OptionError
from impasto.images.picture import Picture
from impasto.options import TrainOptions, tables
from impasto.options.fields import Json, changed
from impasto.studio import networks
from impasto.untrusted import whole

OWN = "style_size", "style_crop", "style_weight"
"""Options that a painting may have of its own."""
_TEXTS = "name", "title", "artist", "year", "licence"


@dataclass(frozen=True)
class Painting:
    """A picture whose style is learnt, and its texts for the card.

    Without ``name`` it is called like its file. ``style_size``, ``style_crop`` and ``style_weight``
    replace those of the training for this style.
    """

    path: Path
    name: str = ""
    title: str = ""
    artist: str = ""
    year: str = ""
    licence: str = ""
    style_size: int | None = None
    style_crop: str | None = None
    style_weight: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        plain = plain_name(self.path.stem) or "painting"
        object.__setattr__(self, "name", catalog.valid_name(self.name or plain))
        for each in _TEXTS[1:]:
            catalog.valid_text(each, str(getattr(self, each)))
        changed(TrainOptions(), own(self))  # with the type and range of the training's

    def entry(self) -> Entry:
        """Return the entry of the card."""
        title = whole(str(self.title or self.name.replace("-", " ").title()))
        origin = (whole(str(each or "unknown")) for each in (self.artist, self.year, self.licence))
        artwork = Artwork(title, *origin)
        return Entry(self.name, title, artwork, self.style_size, self.style_crop, self.style_weight)

    def picture(self, size: int, crop: str = "whole", smoothing: float = 0) -> Picture:
        """Return the part of the painting to learn, smoothed, ``size`` pixels along its longer
        side.

        Raises:
            OptionError: ``crop`` is no part of a picture.
            PictureError: it cannot be read, or there is no style in it.
        """
        return seen(self.path, self.style_size or size, self.style_crop or crop, smoothing)


Paintings = str | Path | Painting | Sequence[str | Path | Painting]


def wanted_of(paintings: Paintings, name: str | None = None) -> list[Painting]:
    """Return the paintings; the style of a single one is called ``name``, if that is given.

    Raises:
        OptionError: there are none, or two with one name.
    """
    several = [paintings] if isinstance(paintings, (str, Path, Painting)) else list(paintings)
    wanted = [each if isinstance(each, Painting) else Painting(Path(each)) for each in several]
    if name and len(wanted) == 1:
        return [replace(wanted[0], name=name)]
    names = [each.name for each in wanted]
    if not names or len(set(names)) < len(names):
        raise OptionError(
            f"the styles are called {', '.join(names) or 'nothing'}",
            hint="give each painting another name",
        )
    return wanted


def entries(
    wanted: Sequence[Painting], pictures: Sequence[Picture], kept: Sequence[Entry]
) -> list[Entry]:
    """Make the card's entries of the new styles, beside those that are ``kept``.

    Raises:
        OptionError: a kept one has the name already.
    """
    new = []
    for painting, picture in zip(wanted, pictures, strict=True):
        if painting.name in {style.name for style in kept}:
            raise OptionError(
                f"the network has a style {painting.name} already", hint="give it another name"
            )
        new.append(replace(painting.entry(), painting_sha256=picture.sha256))
    return new


def own(painting: Painting | Entry) -> dict[str, Json]:
    """Return the options that a painting has of its own."""
    options = {key: getattr(painting, key) for key in OWN}
    return {key: value for key, value in options.items() if value is not None}


@dataclass(frozen=True)
class Recipe:
    """The content of a training's TOML file."""

    paintings: list[Painting]
    options: TrainOptions
    start: str | None = None
    """The style to learn on from."""
    notes: tuple[str, ...] = ()
    """Sentences on what its author should change."""


def read(path: Path) -> Recipe:
    """Read the recipe in ``path``.

    Raises:
        OptionError: it cannot be read, or says what impasto does not understand.
    """
    text = tables.read(path, "a recipe", {"train", "style"})
    styles, knobs = text.get("style"), tables.table(text, "train", path)
    if not isinstance(styles, list) or not styles:
        raise OptionError(f"{path} names no style", hint="add [[style]] with painting = ...")
    paintings = [_painting(style, path) for style in styles]
    network = networks.preset(tables.text(knobs, "tier", path) or "light")
    start = tables.text(knobs, "start", path)
    for name in ("tier", "start"):
        knobs.pop(name, None)
    options, notes = TrainOptions(network=network), list[str]()
    options = changed(options, tables.knobs(options, knobs, path, notes))
    return Recipe(paintings, options, start or None, tuple(notes))


def _painting(style: Json, path: Path) -> Painting:
    known = {"painting", *(f.name for f in fields(Painting))} - {"path"}
    style = tables.only(style, known, path)
    painting = style.pop("painting", None)
    if not isinstance(painting, str):
        raise OptionError(f"a style in {path} has no painting", hint='add painting = "FILE"')
    texts: dict[str, Any] = {key: _said(style[key], key, path) for key in _TEXTS if key in style}
    return Painting(path.parent / painting, **{**style, **texts})


def _said(value: Json, key: str, path: Path) -> str:
    """Return a text for the card; a year may be a number."""
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise OptionError(f"{key} in {path} is {str(value)[:80]}", hint=f'use {key} = "..."')
    return str(value)

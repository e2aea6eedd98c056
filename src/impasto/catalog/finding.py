"""The styles at hand: bundled ones, the user's own, and any folder with a card."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from impasto import assets, images
from impasto.catalog import layout, meant, painted, verify
from impasto.catalog.blend import blend
from impasto.catalog.card import NAME
from impasto.catalog.layout import CARD
from impasto.catalog.meant import TINY
from impasto.catalog.style import Style, of_cards, read
from impasto.errors import OptionError, StyleError
from impasto.files import addresses, kinds, places
from impasto.options import StyleOptions

if TYPE_CHECKING:
    from impasto.images.picture import Picture
    from impasto.images.raster import PictureSource

_SHARE = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")


def require_other(folder: Path, style: Style) -> None:
    """Refuse a ``folder`` where the result would replace ``style``, from which it is made.

    Raises:
        OptionError: it would.
    """
    if folder.resolve() == style.folder.resolve():
        raise OptionError(f"{folder} would replace the style itself", hint="give another name")


def styles() -> dict[str, Style]:
    """Return all styles by name, without damaged ones.

    Where a bundled style and one of the user have the same name, the bundled one counts.
    """
    own = places.styles_folder()
    return {**(_in(own) if own else {}), **bundled()}


def bundled() -> dict[str, Style]:
    """The styles that came with impasto, by name."""
    return _in(assets.STYLES)


def twin(style: Style) -> Style | None:
    """Return the tiny network that paints like a style, or None if there is none.

    Both are bundled, or one was distilled from the other.
    """
    beside = style.folder.parent / f"{style.name}{TINY}"
    if style.network or style.parts or not _has_card(beside):
        return None
    with suppress(StyleError):
        for each in read(beside):
            teacher, both = each.card.distilled, (style.weights, each.weights)
            taught = teacher and teacher.sha256 == style.card.model.sha256
            if (taught or style.folder.parent == assets.STYLES) and both == ((1.0,), (1.0,)):
                return each
    return None


def _in(place: Path) -> dict[str, Style]:
    return {
        style.name: style
        for folder, cards in layout.of_folders(place)
        for style in of_cards(folder, cards)
    }


StyleSource: TypeAlias = "Style | PictureSource"
"""A style, its name, its folder or a blend; or anything that holds a painting."""


def style(
    painting: StyleSource,
    *,
    boldness: float = StyleOptions.boldness,
    style_size: int | None = StyleOptions.style_size,
    style_crop: str = StyleOptions.style_crop,
    hypernetwork: str | None = StyleOptions.hypernetwork,
) -> Style:
    """Make the style of any painting, at once.

    :func:`impasto.stylize` takes the style, and its ``save`` keeps it.

    ``painting`` is a path, a file's content as bytes, a binary file, a Pillow image, a NumPy array
    or a Picture. It may also be a blend of files, such as ``a.jpg:0.6,b.jpg:0.4``. ``boldness``,
    0.3 to 3, goes from the photograph, tinted, to the painting. ``style_size`` is the long side in
    pixels at which the network sees the painting. ``style_crop`` is the part of the painting that
    it sees.

    Raises:
        OptionError, PictureError, StyleError: as :func:`find`.
    """
    options = StyleOptions(
        boldness=boldness,
        style_size=style_size,
        style_crop=style_crop,
        hypernetwork=hypernetwork,
    )
    return find(painting, options)


def find(style: StyleSource, options: StyleOptions | None = None) -> Style:
    """Find a style, or make the style of a painting.

    A text is the name of a style, its folder, its card or its network file. It may also be the file
    of a painting. Anything else is a style already, or holds a picture.

    ``folder/name`` is one of several styles in a folder. ``great-wave:0.7,udnie:0.3`` is a blend.
    It blends styles of one network, networks with one start, or paintings. ``options`` are for
    paintings.

    Raises:
        OptionError: no such style, or styles that cannot be blended.
        PictureError: the painting cannot be read, or there is no style in it.
        StyleError: the folder's card is damaged, or the file is not a style.
    """
    if isinstance(style, Style):
        return style
    if not isinstance(style, (str, os.PathLike)):
        return painted.style_of(_picture(style), options)
    name, path = os.fspath(style), Path(style)
    if not os.path.isfile(path) and (shares := _shares(name)):
        return blend([(find(part, options), share) for part, share in shares])
    if NAME.fullmatch(name) and (named := _named(name)):
        return named
    return _there(name, path, options)


def _picture(source: PictureSource) -> Picture:
    try:
        return images.open_any(source)
    except OptionError as error:
        hint = 'give a name, such as "great-wave", a folder, or a painting'
        raise OptionError(f"{source!r} is not a style", hint=hint) from error


def _there(name: str, path: Path, options: StyleOptions | None) -> Style:
    """What is at a path: a style's folder, one of its files, or a painting."""
    beside = _has_card(path.parent)
    if path.suffix in (".json", ".onnx") and beside and os.path.lexists(path):
        path = path.parent
    if _has_card(path):
        return _one(path, path.name)
    if os.path.isfile(path):
        verify.refuse_foreign(path)
        return painted.style_of(path, options)
    if beside:
        return _one(path.parent, path.name, only=False)
    addresses.require_file(name)
    if path.suffix.lower() in (*kinds.PICTURES, ".gif"):
        raise OptionError(f"there is no painting {name}", hint="check its name and its folder")
    raise unknown(name)


def _shares(style: str) -> list[tuple[str, float]]:
    """Return the names of a blend, each with its share; none, if the text is not a blend."""
    parts = [part.strip().rpartition(":") for part in style.split(",")]
    if not all(name and ":" not in name and _SHARE.fullmatch(share) for name, _, share in parts):
        return []
    return [(name, float(share)) for name, _, share in parts]


def _has_card(folder: Path) -> bool:
    """Whether reading the folder tells of a style, or why it holds none."""
    return os.path.lexists(folder / CARD)


def of_one_network(style: StyleSource) -> Style:
    """Find a style that has the folder of one network.

    Raises:
        OptionError, PictureError, StyleError: as :func:`find`, or the style is a blend of several.
    """
    chosen = find(style)
    if chosen.parts:
        raise OptionError(f"{chosen.name} is a blend of several networks", hint="give one style")
    return chosen


def _named(name: str) -> Style | None:
    for place in (assets.STYLES, places.styles_folder()):
        if place and _has_card(place / name):  # if it is damaged, say so
            return _one(place / name, name)
    return styles().get(name)


def _one(folder: Path, name: str, *, only: bool = True) -> Style:
    """The style ``name`` in ``folder``, or its ``only`` one."""
    inside = read(folder)
    for style in inside:
        if style.name == name or (only and len(inside) == 1):
            return style
    names = ", ".join(style.name for style in inside)
    raise OptionError(
        f"{folder} holds {len(inside)} styles", hint=f"give one as {folder}/NAME: {names}"
    )


def unknown(name: str) -> OptionError:
    """Make the error for a style that does not exist. It names styles with similar names."""
    return meant.unknown(name, styles())


def none_given(inputs: Sequence[str] = ()) -> OptionError:
    """Make the error of a command that needs a style and was given only ``inputs``."""
    return meant.none_given(inputs, styles())

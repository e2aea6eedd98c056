"""Styles on their way to another machine, which does not have their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from impasto import assets, catalog
from impasto.catalog import CARD, verify
from impasto.catalog.content import content
from impasto.stylization.layers import Layers

if TYPE_CHECKING:
    from impasto.catalog import Style
    from impasto.stylization.layers import Styles


@dataclass(frozen=True)
class Carried:
    """What paints a picture, with all files that it needs except those that come with impasto."""

    styles: Styles = field(compare=False)
    files: Mapping[str, bytes] = field(compare=False, repr=False)
    """Files by ``NUMBER/FOLDER/FILE``; the number is that of the style, from 0 on."""
    key: str = field(default_factory=lambda: uuid4().hex)
    """Identifies it: it may arrive many times."""

    def unpacked(self, place: Path) -> Styles:
        """Unpack it, with its files in the folder ``place``."""
        for name, data in self.files.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return _each(self.styles, lambda number, style: _here(style, place / str(number)))


def packed(styles: Styles) -> Carried:
    """Pack ``styles`` with their files.

    Raises:
        StyleError: one is missing, damaged or foreign.
    """
    files: dict[str, bytes] = {}

    def alone(number: int, style: Style) -> Style:
        if style.parts:
            return replace(style, network=style.model(), parts=())
        for each in (style, catalog.twin(style)):
            if each and not each.network and each.folder.parent != assets.STYLES:
                inside = f"{number}/{each.folder.name}"
                for name in (CARD, each.card.model.file):
                    files[f"{inside}/{name}"] = content(each.folder / name, verify.MAX_BYTES)
        return style

    return Carried(_each(styles, alone), files)


def _each(styles: Styles, change: Callable[[int, Style], Style]) -> Styles:
    if isinstance(styles, Layers):
        return replace(styles, styles=tuple(change(*each) for each in enumerate(styles.styles)))
    return change(0, styles)


def _here(style: Style, place: Path) -> Style:
    """Return the style with its files in ``place``, or as it came with impasto on this machine."""
    carried = place / style.folder.name
    if style.network:
        return style
    return replace(style, folder=carried if carried.is_dir() else assets.STYLES / carried.name)

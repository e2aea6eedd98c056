"""The place of new styles."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from impasto import assets
from impasto.catalog import layout
from impasto.catalog.card import valid_name
from impasto.errors import OptionError
from impasto.files import places


def place(output: str | Path) -> Path:
    """Return the folder of a new style.

    It is ``output`` itself. For a bare name it is the folder of that name among the user's styles.

    Raises:
        OptionError: its last part cannot be a style's name, or is the name of a bundled style. Or
            the user has no place for styles.
    """
    path = Path(output)
    valid_name(path.name)
    if str(output) != path.name:
        return path
    folder = places.require_styles_folder() / path
    require_free([path.name], folder)
    return folder


def require_free(names: Iterable[str], folder: Path) -> None:
    """Check the names of new styles in ``folder``.

    Raises:
        OptionError: bundled styles would hide these.
    """
    if folder.parent != places.styles_folder():
        return
    taken = {card.name for _, cards in layout.of_folders(assets.STYLES) for card in cards}
    for name in names:
        if name in taken:
            raise OptionError(
                f"{name} is the name of a bundled style", hint="give another, or a folder"
            )

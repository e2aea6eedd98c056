"""Guesses what people mean who give no style, or a name that is none."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence

from impasto.catalog.style import Style
from impasto.errors import OptionError, did_you_mean

TINY = "-tiny"
"""The end of the name of a style that imitates another in a smaller network."""

_LONGEST = 200
"""Most characters of a typed name that a message shows."""

_BETWEEN = re.compile(r"[\s,;+&/|]+")
_SHARE = re.compile(r"[:*=@].*")
_SHORTEST = 3
"""Fewest letters of an artist or a title that count."""


def looks(styles: Mapping[str, Style]) -> dict[str, Style]:
    """Return these styles without tiny twins, which paint like their originals."""
    twins = {f"{name}{TINY}" for name in styles}
    return {name: style for name, style in styles.items() if name not in twins}


def none_given(inputs: Sequence[str], styles: Mapping[str, Style]) -> OptionError:
    """Make the error of a command without a style, with a line to type.

    A style may be among the ``inputs``.
    """
    named = [each for each in inputs if each in styles and not os.path.lexists(each)]
    photos = [each for each in inputs if each not in named] or ["photo.jpg"]
    style = named[0] if named else next(iter(looks(styles)))
    return OptionError(
        "no style was given",
        hint=f"add one with -s (--style): impasto stylize {shlex.join(photos[:3])} -s {style}",
    )


def unknown(name: str, styles: Mapping[str, Style]) -> OptionError:
    """Make the error of a style that does not exist, with styles that the user may mean."""
    shown = repr(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}...")
    parts = _parts(name[:_LONGEST])
    if all(part in styles for part in parts) and parts != [name]:
        return _no_blend(shown, parts, styles)
    if name.strip() in ("all", "*"):
        return OptionError(
            f"there is no style {shown}", hint="impasto sheet PHOTO paints all of them on one sheet"
        )
    names = _by_artwork(name, styles)
    others = f"did you mean {' or '.join(names)}?" if names else _list(styles)
    hint = did_you_mean(name[:_LONGEST], styles, others)
    return OptionError(f"there is no style {shown}", hint=hint)


def _parts(name: str) -> list[str]:
    """Return the names in a text that may be a blend."""
    return [_SHARE.sub("", part) for part in _BETWEEN.split(name) if part] or [name]


def _no_blend(shown: str, parts: Sequence[str], styles: Mapping[str, Style]) -> OptionError:
    one, *others = parts
    other = others[0] if others else next(name for name in looks(styles) if name != one)
    return OptionError(
        f"{shown} is no blend",
        hint=f"give each style its share as a number: -s {one}:0.7,{other}:0.3; "
        f"or paint a picture in each: -s {one} -s {other}",
    )


def _by_artwork(text: str, styles: Mapping[str, Style]) -> list[str]:
    """Return the styles with this artist or title, or with this part of one."""
    wanted = " ".join(re.split(r"[\s_-]+", text.casefold()))
    if not _SHORTEST <= len(wanted) <= _LONGEST:
        return []
    return [
        name
        for name, style in looks(styles).items()
        if wanted in f"{style.card.artwork.artist}\n{style.card.artwork.title}".casefold()
    ]


def _list(styles: Mapping[str, Style]) -> str:
    return f"there are: {', '.join(looks(styles))}"

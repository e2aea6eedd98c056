"""The style that a client asks for: a name, paintings that it sends, or a blend of both.

In an order, and in the record of a job, it is one text. That is ``great-wave``, ``*1`` for the
first painting that was sent, or ``*1:0.6,great-wave:0.4``. No client can write such a star itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from impasto import catalog, images
from impasto.catalog import Style, hypernetwork
from impasto.catalog.blend import blend
from impasto.errors import OptionError
from impasto.options import ReadOptions, StyleOptions
from impasto.server import packing

Sent = TypeVar("Sent")

MOST = 8
"""Most paintings of one request."""

_SHARE = r"[0-9]{0,6}\.?[0-9]{1,6}"
NAMED = re.compile(rf"[a-z0-9-]{{1,64}}(:{_SHARE})?(,[a-z0-9-]{{1,64}}:{_SHARE}){{0,7}}")
SHARES = re.compile(rf"{_SHARE}(,{_SHARE}){{0,{MOST}}}")
_SENT = re.compile(r"\*([0-9])")
WHAT = "the painting"
"""What errors call a painting."""


def part(number: int) -> str:
    """Return the name under which a sent painting is stored; 1 is the first."""
    return f"style{number}"


def paintings(files: Mapping[str, Sent]) -> list[Sent]:
    """Return the paintings among what was sent, in their order."""
    return [files[part(n)] for n in range(1, MOST + 1) if part(n) in files]


def chosen(style: str | None, sent: int, shares: str | None) -> str:
    """Make the text of a style.

    ``style`` is its part from the catalogue, if any, and ``sent`` the number of paintings.
    ``shares`` are those of the paintings, and last of ``style``; equal ones by default.

    Raises:
        OptionError: none was given, the catalogue has none of that name, or other shares.
    """
    if style or not sent:
        style = known(style)
    parts = [f"*{number}" for number in range(1, sent + 1)] + ([style] if style else [])
    given = shares.split(",") if shares else ["1"] * len(parts)
    if shares and len(given) != len(parts):
        raise OptionError(
            f"there are {len(given)} shares of {len(parts)} styles",
            hint="give one for each painting, and last one for the style that is named",
        )
    if len(parts) == 1:
        return parts[0]
    if style and ":" in style:
        raise OptionError(f"{style} is a blend already", hint="name one style beside a painting")
    return ",".join(f"{each}:{share}" for each, share in zip(parts, given, strict=True))


def known(style: str | None) -> str:
    """Return a style that the catalogue lists, or a blend of such; never a path.

    Raises:
        OptionError: none was given, or there is none of that name.
    """
    if not style:
        hint = f"style={next(iter(catalog.styles()))}, or send a painting as the file style"
        raise OptionError("no style was given", hint=hint)
    if not NAMED.fullmatch(style):
        raise OptionError(f"{style!r} is not the name of a style", hint="see GET /v1/styles")
    at_hand = catalog.styles()
    for each in style.split(","):
        if (name := each.partition(":")[0]) not in at_hand:
            raise catalog.unknown(name)
    catalog.find(style)
    return style


def shown(style: str) -> str:
    """Return the text of a style for clients."""
    return _SENT.sub("painting", style)


def parts(style: str) -> list[str]:
    """Return the names under which the paintings of a style are stored."""
    return [part(int(number)) for number in _SENT.findall(style)]


def made(style: str, sent: Sequence[bytes], options: StyleOptions, read: ReadOptions) -> Style:
    """Make the style of a text, and of the paintings that were sent with it.

    A style's zip file may be there in place of a painting.

    Raises:
        OptionError: styles that cannot be blended.
        PictureError: a painting cannot be read, is too large, or there is no style in it.
        StyleError: there is none in a zip file.
    """
    if not sent:
        return catalog.find(style)
    styles = []
    for each in style.split(","):
        name, _, share = each.partition(":")
        number = _SENT.fullmatch(name)
        one = _painted(sent[int(number[1]) - 1], options, read) if number else catalog.find(name)
        styles.append((one, float(share or 1)))
    return styles[0][0] if len(styles) == 1 else blend(styles)


def _painted(data: bytes, options: StyleOptions, read: ReadOptions) -> Style:
    """Read a painting no larger than the network sees it, if its codec can; a part as it is."""
    if packing.is_packed(data):
        return packing.unpacked(data)
    seen = options.style_size or hypernetwork.bundled().card.style_size
    enough = seen if options.style_crop == StyleOptions.style_crop else None
    return catalog.find(images.read(data, read, enough=enough, name=WHAT), options)

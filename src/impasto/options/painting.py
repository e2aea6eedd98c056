"""How pictures are read, painted and written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from impasto.errors import OptionError
from impasto.options.fields import Checked, Side, Stroke, knob

MARKS_SIDE = 1024
"""Long side of a picture in which brush marks have the size 1."""
IN_PIXELS = "pixels"
"""In place of a size of brush marks: marks as large as the network makes them."""

_LONGEST_SIDE = 65_500
_PIXELS = re.compile(r"\s*([0-9]{1,9})\s*(?:px)?\s*")
_SHARE = re.compile(r"\s*([0-9]{1,4}(?:\.[0-9]{1,4})?)\s*%\s*")


def size(text: str) -> Side:
    """Parse a size as people write it: ``1024``, ``1024px`` or ``50%``.

    Options refuse anything else when they are made of it.
    """
    pixels = _PIXELS.fullmatch(text)
    return int(pixels[1]) if pixels else text


def stroke(text: str) -> Stroke:
    """Parse a size of brush marks as people write it: ``0.5`` or ``pixels``.

    Options refuse anything else when they are made of it.
    """
    try:
        return float(text)
    except ValueError:
        return text


@dataclass(frozen=True, kw_only=True)
class StylizeOptions(Checked):
    """How a photograph is painted."""

    strength: float = knob(1.0, "How much of the painting: 0 none, 1 all.", low=0, high=1)
    keep_colors: bool = knob(False, "Keep the photograph's colours; paint lightness only.")
    size: Side | None = knob(
        None,
        "Long side of the result in pixels, or a share such as 50%; as it is by default.",
        low=1,
        high=_LONGEST_SIDE,
        parse=size,
    )
    stroke: Stroke | None = knob(
        1.0,
        "Size of brush marks, in proportion to the picture; pixels: fixed in pixels.",
        low=0.1,
        high=10,
        parse=stroke,
    )
    crisp: float = knob(
        0.8,
        "Fine marks of the picture's full size over the larger ones: 0 none, 1 all.",
        low=0,
        high=1,
    )
    grain: float = knob(
        6.0,
        "Grain laid over a photograph first, in levels of 255: brush marks in a clear sky, too.",
        low=0,
        high=64,
    )
    paint_paper: bool = knob(
        False, "Let white paper and black bars take the style's tone instead of their own."
    )
    protect_faces: float = knob(
        0.0,
        "How much faces stay recognisable, painted finer and more gently: 0 not, 1 most.",
        low=0,
        high=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.size, str) and not _share(self.size):
            raise OptionError(
                f"size is {self.size[:40]!r}",
                hint="it is the long side in pixels, such as 1024, or a share, such as 50%",
            )
        if isinstance(self.stroke, str) and self.stroke != IN_PIXELS:
            raise OptionError(
                f"stroke is {self.stroke[:40]!r}",
                hint=f"it is a number from 0.1 to 10, such as 1, or {IN_PIXELS}",
            )

    @property
    def marks_side(self) -> int | None:
        """Return the long side at which brush marks have their share of a picture.

        None means that marks are fixed in pixels.
        """
        relative = self.stroke if not isinstance(self.stroke, str) else None
        return round(MARKS_SIDE / relative) if relative else None

    def largest_side(self, side: int) -> int:
        """Return the longest side at which a network works on a picture of this side.

        Fine marks need more.
        """
        return max(side, self.marks_side or 0)

    def side(self, width: int, height: int) -> int:
        """Return the long side of a picture's painting, in pixels.

        Raises:
            OptionError: it would be longer than any that is painted.
        """
        own = max(width, height)
        if not isinstance(self.size, str):
            return self.size or own
        side = max(1, round(own * _share(self.size)))
        if side > _LONGEST_SIDE:
            raise OptionError(
                f"{self.size} would be {side} pixels", hint=f"the limit is {_LONGEST_SIDE}"
            )
        return side


@dataclass(frozen=True, kw_only=True)
class StyleOptions(Checked):
    """How a painting becomes a style at once."""

    boldness: float = knob(
        1.0,
        "How much of a painting of yours: 0.3 tints the photograph, 3 is nearest to it.",
        low=0.3,
        high=3,
    )
    style_size: int | None = knob(
        None,
        "Long side of a painting as it is seen, in pixels: larger, bolder strokes.",
        low=64,
        high=1024,
    )
    style_crop: str = knob(
        "whole",
        "Part of a painting: whole, left, center, right, or X,Y,WIDTH,HEIGHT (0 to 1).",
    )
    hypernetwork: str | None = knob(
        None, "Folder of a hypernetwork to use instead of the one that came with impasto."
    )


def _share(text: str) -> float:
    """Return 0.5 for ``50%``; 0 for what is no share."""
    match = _SHARE.fullmatch(text)
    return float(match[1]) / 100 if match else 0.0


@dataclass(frozen=True, kw_only=True)
class ReadOptions(Checked):
    """What is read, and what is refused because of its header."""

    max_pixels: int = knob(200_000_000, "Largest picture that is read, in pixels.", low=1)
    max_side: int = knob(65_500, "Longest side that is read, in pixels.", low=1)
    max_bytes: int = knob(1_000_000_000, "Largest file that is read, in bytes.", low=1)


@dataclass(frozen=True, kw_only=True)
class WriteOptions(Checked):
    """How a picture becomes a file."""

    quality: int = knob(95, "Quality of JPEG, WebP and AVIF (JPEG at 4:4:4).", low=1, high=100)
    strip: bool = knob(False, "Drop all metadata: camera, date, place, comments.")

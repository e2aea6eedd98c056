"""Pairs of paintings to judge by eye, not knowing which is which: ``python -m benchmarks.pairs``.

Half of the pairs are seen whole: as painted by default, and with marks fixed in pixels. Half are
parts at 100 %: as painted by default, and a coarse painting enlarged. The sheet has numbers and
sides, A and B. Chance decides which side is the default. A JSON file beside the sheet says which it
is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from impasto import catalog, images
from impasto.images.codecs.sheet import compose
from impasto.images.picture import Picture
from impasto.options import StylizeOptions
from impasto.stylization.stylizer import Stylizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

SIDE = 3600
"""Long side to which the photographs are enlarged."""
SHOWN = 300, 200
"""Width and height of the part that is shown of each."""
OTHERS = {"whole": StylizeOptions(stroke="pixels"), "at 100 %": StylizeOptions(crisp=0)}
"""Settings that the default is compared with."""
PER_STYLE = 4


@dataclass(frozen=True)
class Pair:
    """Two paintings of one photograph; ``default`` is the side of the default, A or B."""

    style: str
    photograph: str
    seen: str
    default: str
    shown: tuple[Pixels, Pixels]


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.pairs", description=__doc__)
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--style", action="append", help="may be repeated")
    parser.add_argument("--out", "-o", type=Path, default=Path("pairs.jpg"))
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    styles = wanted.style or list(catalog.looks(catalog.bundled()))[:6]
    made = list(pairs(wanted.photographs, styles, np.random.default_rng(wanted.seed)))
    labels = [f"{number}{side}" for number in range(1, len(made) + 1) for side in "AB"]
    shown = [Picture(each) for pair in made for each in pair.shown]
    Picture(compose(list(zip(labels, shown, strict=True)), columns=4).pixels).save(wanted.out)
    told = "style", "photograph", "seen", "default"
    key = [
        {
            "pair": number,
            **{name: getattr(pair, name) for name in told},
        }
        for number, pair in enumerate(made, 1)
    ]
    wanted.out.with_suffix(".json").write_text(json.dumps(key, indent=1) + "\n", "utf-8")


def pairs(
    photographs: list[Path], styles: list[str], chance: np.random.Generator
) -> Iterator[Pair]:
    """Give ``PER_STYLE`` pairs for each style; the two ways of seeing take turns."""
    for number, style in enumerate(styles):
        paint = Stylizer(style)
        for turn in range(PER_STYLE):
            photograph = photographs[(number + turn) % len(photographs)]
            seen = list(OTHERS)[turn % len(OTHERS)]
            photo = images.read(photograph).resized(SIDE)
            both = [paint(photo, **vars(each)).pixels for each in (StylizeOptions(), OTHERS[seen])]
            first = int(chance.integers(2))
            shown = [_whole(each) if seen == "whole" else _part(each) for each in both]
            yield Pair(style, photograph.stem, seen, "AB"[first], (shown[first], shown[1 - first]))


def _whole(painting: Pixels) -> Pixels:
    width, height = SHOWN
    factor = max(width / painting.shape[1], height / painting.shape[0])
    size = round(painting.shape[0] * factor), round(painting.shape[1] * factor)
    return _middle(images.resize_pixels(painting, size))


def _part(painting: Pixels) -> Pixels:
    return _middle(painting)


def _middle(painting: Pixels) -> Pixels:
    width, height = SHOWN
    left, top = (painting.shape[1] - width) // 2, (painting.shape[0] - height) // 2
    return painting[top : top + height, left : left + width]


if __name__ == "__main__":
    main()

"""A sheet of paintings as styles, at once and after a minute: ``python -m benchmarks.minute``.

The styles of after a minute are those that ``--only any`` has kept with ``--keep``. Each row has
each photograph in the style of one painting, twice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from impasto import images, stylize
from impasto.images.picture import Picture

SIDE = 1024
"""Long side at which the photographs are painted."""
SHOWN = 216, 144
"""Width and height of a cell."""


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.minute", description=__doc__)
    parser.add_argument("kept", type=Path, help="the folder of the styles of after a minute")
    parser.add_argument("paintings", nargs="+", type=Path)
    parser.add_argument("--photo", action="append", type=Path, required=True)
    parser.add_argument("--out", "-o", type=Path, default=Path("minute.jpg"))
    wanted = parser.parse_args()
    photographs = [images.read(path).resized(SIDE) for path in wanted.photo]
    cells = []
    for path in wanted.paintings:
        for photograph in photographs:
            cells.append((path.stem, _cell(stylize(photograph, path))))
            kept = wanted.kept / f"{path.stem}-60s"
            cells.append(("after a minute", _cell(stylize(photograph, kept))))
    images.compose(cells, columns=2 * len(photographs)).save(wanted.out, overwrite=True)


def _cell(picture: Picture) -> Picture:
    """What of a picture fills a cell, from its middle."""
    fitted = ImageOps.fit(Image.fromarray(picture.pixels), SHOWN, Image.Resampling.LANCZOS)
    return Picture(np.asarray(fitted))


if __name__ == "__main__":
    main()

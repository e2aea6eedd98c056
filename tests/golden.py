"""Small pictures that bundled styles painted when they were accepted, in ``golden/``.

``golden_crops/`` has, for some styles, a part of a large painting with the defaults, as one sees it
up close.

``python tests/golden.py`` paints them anew. Look at each that changes before it is committed.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from impasto import assets, catalog, images
from impasto.stylization.stylizer import Stylizer

FOLDER = Path(__file__).with_name("golden")
CROPS = Path(__file__).with_name("golden_crops")
LARGE, PART = 2048, (slice(560, 688), slice(1150, 1342))
CLOSE = "great-wave", "starry-night", "udnie"
MEAN, NEARLY_ALL = 0.1, 2
"""Levels that a painting may be off, on average and in 99.9 % of its values.

Where another runtime rounds otherwise it is 0.001 and 1; with a first convolution that is 1 %
off, 0.2 and more.
"""


def painted(style, device="cpu", **options):
    """The bundled photograph, small, as the whole pipeline paints it."""
    photo = images.read(assets.demo_photo()).resized(160)
    return Stylizer(style, device=device, threads=1)(photo, **{"stroke": None} | options).pixels


def large(style, size=LARGE):
    """The bundled photograph in some size, with marks as they are by default."""
    photo = images.read(assets.demo_photo()).resized(LARGE)
    return Stylizer(style, device="cpu", threads=1)(photo, size=size).pixels


def kept(name, folder=FOLDER):
    with Image.open(folder / f"{name}.png") as image:
        return np.asarray(image)


def alike(one, other):
    off = np.abs(one.astype(int) - other)
    return bool(off.mean() <= MEAN and np.quantile(off, 0.999) <= NEARLY_ALL)


def main():
    for old in FOLDER.glob("*.png"):
        old.unlink()
    for name, style in catalog.bundled().items():
        Image.fromarray(painted(style)).save(FOLDER / f"{name}.png", optimize=True)
    CROPS.mkdir(exist_ok=True)
    for name in CLOSE:
        Image.fromarray(large(name)[PART]).save(CROPS / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()

"""What tests of a hypernetwork's training share: a tiny one, and pictures for it."""

import numpy as np
from PIL import Image

from impasto.options import HypernetworkOptions, NetworkOptions, TrainAnyOptions

SHAPE = HypernetworkOptions(components=3, hidden=8, embedding=4, directions=2)
NETWORK = NetworkOptions(width=4, blocks=2)
TINY = TrainAnyOptions(
    steps=4, styles=2, batch=1, crop=64, first_crop=32, style_size=48, save_every=2, held_out=1,
    held_out_paintings=1, hypernetwork=SHAPE, network=NETWORK,
)  # fmt: skip


def paintings(folder, count=11):
    """Stripes and checks of many colours."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:80, :80]
    for number in range(count):
        where = ((x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) // 5 % 2)[..., None]
        one, other = rng.integers(0, 256, (2, 3))
        Image.fromarray(np.where(where, one, other).astype(np.uint8)).save(
            folder / f"{number:02}.png"
        )
    return folder

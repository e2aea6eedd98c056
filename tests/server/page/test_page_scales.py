"""Scales are laid together in the browser as in the core."""

import numpy as np

from impasto import images
from impasto.stylization import scales

_IMPORTS = "import { blurred, refined, sides } from './scales.js';"
_CODE = """
const picture = ([width, height, data]) => ({ data: Uint8ClampedArray.from(data), width, height });
const [coarse, fine, reduced, below, known] = given.pictures.map(picture);
const enlargements = [below, known];
const seen = [];
const enlarged = (pixels) => { seen.push([...pixels.data]); return enlargements.shift(); };
const { data } = refined(coarse, fine, reduced, enlarged, given.crisp);
const found = given.sizes.map((each) => sides(...each));
return { sides: found, data: [...data], seen };
"""


def rgba(pixels):
    full = np.dstack((pixels, np.full(pixels.shape[:2], 255, np.uint8)))
    return [pixels.shape[1], pixels.shape[0], full.ravel().tolist()]


def rgb(values, like):
    return np.reshape(values, (*like.shape[:2], 4))[..., :3]


def test_sizes_and_pixels_are_those_of_the_core(node, rng):
    sizes = [(1024, 900), (1024, 1280), (1024, 2048), (256, 2048), (1024, 4096)]
    coarse = rng.integers(0, 256, (15, 20, 3), np.uint8)
    fine = rng.integers(0, 256, (45, 60, 3), np.uint8)
    reduced = images.resize_pixels(fine, coarse.shape[:2])
    smooth = [scales._blurred(each, by) for each, by in ((coarse, 0.75), (reduced, 1.0))]
    large = [images.enlarging(each, fine.shape[:2])(slice(0, 45)) for each in smooth]
    bytes_of = [np.clip(np.rint(each), 0, 255).astype(np.uint8) for each in large]
    pictures = [*map(rgba, (coarse, fine, reduced, *bytes_of))]
    found = node(_IMPORTS, _CODE, sizes=sizes, pictures=pictures, crisp=0.8)
    assert [[round(side) for side in each] for each in found["sides"]] == [
        [max(each) for each in scales.sizes((largest // 2, largest), side)]
        for side, largest in sizes
    ]
    for values, wanted in zip(found["seen"], smooth, strict=True):
        assert np.abs(rgb(values, coarse) - wanted).max() <= 0.51
    painting = scales.refined(coarse, fine.copy(), 0.8).astype(int)
    apart = np.abs(rgb(found["data"], fine) - painting)
    assert apart.mean() < 0.6
    assert np.quantile(apart, 0.9) <= 1  # what a browser rounds before, and clamps

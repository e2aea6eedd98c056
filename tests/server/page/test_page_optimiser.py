"""What the page learns with, beside the core's: the same numbers come out."""

import numpy as np
import pytest

from impasto import assets, images
from impasto.images.photographs import PhotographBytes, Square
from impasto.polishing import muon
from impasto.polishing.folded import with_exported
from impasto.polishing.recipe import recipe
from impasto.studio.training.schedule import schedule

_SHAPES = {"kernel": (8, 4, 3, 3), "wide": (3, 16, 3, 3), "thin": (6, 1, 3, 3), "bias": (8,)}
_TENSORS = """
const tensors = (given) => new Map(Object.entries(given).map(([name, { data, dims }]) =>
  [name, { data: Float32Array.from(data), dims }]));
const lists = (found) => Object.fromEntries([...found].map(
  ([name, { data }]) => [name, [...data]]));
"""


def _random(rng, shapes, size=1.0):
    return {name: rng.normal(0, size, shape).astype(np.float32) for name, shape in shapes.items()}


def _given(tensors):
    return {
        name: {"data": each.ravel().tolist(), "dims": each.shape} for name, each in tensors.items()
    }


def test_the_optimiser_does_what_the_cores_does(node, rng):
    weights = _random(rng, _SHAPES)
    gradients = [_random(rng, _SHAPES, size) for size in (0.01, 1, 30)]  # some are clipped
    code = f"""{_TENSORS}
        const weights = tensors(given.weights);
        const optimiser = new Optimiser(given.numbers);
        for (const each of given.gradients) optimiser.step(weights, tensors(each), given.rate);
        return lists(weights);"""
    found = node(
        "import { Optimiser } from './muon.js';",
        code,
        numbers=recipe(15, {})["optimiser"],
        weights=_given(weights),
        gradients=[*map(_given, gradients)],
        rate=0.01,
    )
    state = {}
    for each in gradients:
        muon.step(weights, muon.clipped(each, muon.norm_of(each)), state, 0.01)
    for name, values in weights.items():
        assert np.abs(np.reshape(found[name], values.shape) - values).max() < 1e-5


def test_the_rate_rises_and_falls_as_in_the_core(node):
    code = "return Array.from({ length: 40 }, (_, at) => schedule(at, 40, given.rise));"
    found = node("import { schedule } from './muon.js';", code, rise=recipe(15, {})["warm_up"])
    assert np.allclose(found, [schedule(step, 40) for step in range(40)])


def test_weights_are_exported_as_the_core_exports_them(node, rng):
    shapes = {
        "stem.weight": (4, 3, 4, 4),
        "stem.bias": (4,),
        "out.conv.weight": (3, 4, 3, 3),
        "out.conv.bias": (3,),
        "up2.bias": (4,),
    }
    weights = _random(rng, shapes)
    code = f"{_TENSORS} return lists(exported(tensors(given.weights), given.numbers));"
    numbers = recipe(15, {})["exported"]
    found = node(
        "import { exported } from './folded.js';", code, numbers=numbers, weights=_given(weights)
    )
    wanted = with_exported(weights)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert np.allclose(np.reshape(found[name], values.shape), values, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("zoom", "place"),
    [(0.6, (0.3, 0.9, False)), (2.0, (0.0, 1.0, True)), (1e-9, (0.5, 0.5, False))],
    ids=["smaller", "larger", "whole"],
)
def test_photographs_are_cut_as_the_core_cuts_them(node, tmp_path, zoom, place):
    side = 24
    image = images.read(assets.demo_photo()).resized(60)
    path = image.save(tmp_path / "photo.png")
    photographs = PhotographBytes([path], crop=side, seed=0, held_out=0)
    size = image.width, image.height
    wanted = photographs._cut(image.pil(), Square.of(size, side / zoom, *place[:2]))
    found = node(
        "import { cut } from './crops.js';",
        "return [...cut(given.picture, given.side, given.place).data];",
        side=side,
        picture={
            "data": np.dstack((image.pixels, image.pixels[..., :1])).ravel().tolist(),
            "width": image.width,
            "height": image.height,
        },
        place=[zoom, *place],
    )
    cut = np.reshape(found, (side, side, 4))[..., :3]
    assert np.abs(cut - wanted[:, :: -1 if place[2] else 1].astype(int)).max() <= 1

"""Small pictures and small losses: real networks and weights all the same."""

from functools import lru_cache

import numpy as np
import pytest
from PIL import Image

from impasto.studio.perceptual import loading

_load = lru_cache(loading.load)


@pytest.fixture(autouse=True, scope="module")
def loaded_once():
    """Loss networks are read once for all runs and searches of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "load", _load)
        yield


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A photograph and two paintings, by name."""
    folder = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[:60, :80]
    strokes = ((x + y) // 6 % 2)[..., None]
    made = {
        "photo": np.dstack((x * 3, y * 4, 255 - x * 3)),
        "strokes": np.where(strokes, (230, 60, 20), (20, 40, 160)),
        "checks": np.where(((x // 9 + y // 9) % 2)[..., None], (240, 230, 90), (30, 90, 60)),
    }
    for name, pixels in made.items():
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in made}


RECIPE = """
title = "Weights & <layers>"
question = "Which?"

[base]
size = 48
steps = 3
scales = 1
content_layers = ["conv2_1"]
device = "cpu"

[[axis]]
option = "style_weight"
values = [1, 30]

[[axis]]
name = "layers"
values = [
    { label = "first", style_layers = "conv1_1" },
    { label = "two", style_layers = "conv1_1,conv2_1:0.5" },
]
"""


@pytest.fixture(scope="session")
def recipe_text():
    return RECIPE


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE, "utf-8")
    return path


@pytest.fixture
def experiment(recipe, pictures):
    from impasto.lab import experiment

    return experiment.read(recipe).with_pictures([pictures["photo"]], [pictures["strokes"]])

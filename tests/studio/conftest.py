"""Training on pictures that the tests make: real networks and weights, no data to carry."""

import numpy as np
import pytest
import torch
from PIL import Image

torch.manual_seed(0)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A dozen photographs' worth of shapes, and files that are none."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(12):
        coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
        image = Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC)
        image.save(folder / f"{number:02}.jpg")
    return folder


@pytest.fixture(scope="session")
def painting(tmp_path_factory):
    """Diagonal strokes in two colours."""
    y, x = np.mgrid[:96, :128]
    strokes = ((x + y) // 6 % 2)[..., None]
    pixels = np.where(strokes, (230, 60, 20), (20, 40, 160)).astype(np.uint8)
    path = tmp_path_factory.mktemp("painting") / "strokes.png"
    Image.fromarray(pixels).save(path)
    return path

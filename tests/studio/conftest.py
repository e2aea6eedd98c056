"""Training on pictures that the tests make: real networks and weights, no data to carry."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def exported(exporter):
    """torch's exporter traces each shape of network once."""
    return exporter


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


@pytest.fixture(scope="session")
def torchvision():
    """torchvision, also where its compiled part is for another build of torch.

    Then two operators, which no classifier uses, have to be declared before its import.
    """
    spec = find_spec("torchvision")
    if spec is None:
        pytest.skip("needs torchvision: pip install --no-deps torchvision")
    operators = torch.library.Library("torchvision", "FRAGMENT")
    try:
        for library in Path(spec.origin).parent.glob("_C.*"):
            torch.ops.load_library(library)
    except OSError:
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    yield torchvision


@pytest.fixture
def unpublished(monkeypatch):
    """What is learnt stays in its checkpoints: an export takes longer than a small training."""
    for module in ("train", "distill"):
        monkeypatch.setattr(f"impasto.studio.training.{module}.publish", lambda *_: None)

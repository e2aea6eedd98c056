"""Training on pictures that the tests make: real networks and weights, no data to carry."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def exported(exporter):
    """torch's exporter traces each shape of network once."""
    return exporter


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

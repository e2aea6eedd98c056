"""Trainings are compared bit by bit."""

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The same sums in the same order: runs can be compared bit by bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dots(tmp_path_factory):
    """A second painting: green dots on white."""
    y, x = np.mgrid[:96, :96]
    dot = (((x % 16) - 8) ** 2 + ((y % 16) - 8) ** 2 < 30)[..., None]
    path = tmp_path_factory.mktemp("painting") / "Green Dots.png"
    Image.fromarray(np.where(dot, (30, 150, 60), (250, 250, 240)).astype(np.uint8)).save(path)
    return path

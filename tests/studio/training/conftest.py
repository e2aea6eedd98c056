"""Trainings are compared bit by bit."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The same sums in the same order: runs can be compared bit by bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

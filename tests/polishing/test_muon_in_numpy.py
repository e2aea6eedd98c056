"""The optimiser on arrays, beside that on tensors."""

import numpy as np
import pytest
import torch
from threadpoolctl import ThreadpoolController

from impasto.polishing import muon
from impasto.studio.training import muon as tensors

SHAPES = {"kernel": (8, 4, 3, 3), "wide": (3, 16, 3, 3), "thin": (6, 1, 3, 3), "bias": (8,)}


def test_it_does_what_the_trainers_does():
    chance = np.random.default_rng(0)
    weights = {
        name: chance.normal(0, 1, shape).astype(np.float32) for name, shape in SHAPES.items()
    }
    twins = {name: torch.nn.Parameter(torch.tensor(each)) for name, each in weights.items()}
    optimiser, state = tensors.Muon([{"params": list(twins.values())}], lr=0.01), {}
    for _ in range(4):
        gradients = {
            name: chance.normal(0, 1, shape).astype(np.float32) for name, shape in SHAPES.items()
        }
        for name, twin in twins.items():
            twin.grad = torch.tensor(gradients[name])
        optimiser.step()
        muon.step(weights, gradients, state, 0.01)
    for name, twin in twins.items():
        assert weights[name].dtype == np.float32
        assert np.abs(weights[name] - twin.detach().numpy()).max() < 1e-5
        kept = {key: tuple(each.shape) for key, each in state[name].items()}
        assert kept == muon.state_shapes(SHAPES[name]) == tensors.state_shapes(SHAPES[name])


def threads():
    """Threads of each BLAS of the process."""
    found = ThreadpoolController().info()
    return {each["filepath"]: each["num_threads"] for each in found if each["user_api"] == "blas"}


def test_it_takes_one_thread_for_as_long_as_it_computes(monkeypatch):
    if not threads():
        pytest.skip("NumPy's BLAS here is one whose threads cannot be counted")
    inside, plain = [], muon.orthogonal
    monkeypatch.setattr(muon, "orthogonal", lambda x: inside.append(threads()) or plain(x))
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = threads()
        muon.step({"a": np.ones((4, 2, 1, 1), np.float32)}, {"a": np.ones((4, 2, 1, 1))}, {}, 0.1)
        assert threads() == before
    assert [set(each.values()) for each in inside] == [{1}]


@pytest.mark.parametrize("size", [0.1, 30])
def test_a_gradient_is_clipped_as_torch_clips_it(size):
    gradients = {"a": np.full((3, 4), size, np.float32), "b": np.full(5, -size, np.float32)}
    twins = [torch.nn.Parameter(torch.zeros(each.shape)) for each in gradients.values()]
    for twin, each in zip(twins, gradients.values(), strict=True):
        twin.grad = torch.tensor(each)
    norm = torch.nn.utils.clip_grad_norm_(twins, 1.0)
    assert muon.norm_of(gradients) == pytest.approx(float(norm), 1e-6)
    clipped = muon.clipped(gradients, muon.norm_of(gradients))
    for twin, each in zip(twins, clipped.values(), strict=True):
        assert np.allclose(each, twin.grad.numpy(), 1e-6)


def test_a_gradient_without_end_has_a_norm_that_is_no_number():
    assert muon.norm_of({"a": np.array([1e30], np.float32)}) == np.inf
    assert np.isnan(muon.norm_of({"a": np.array([np.nan], np.float32)}))

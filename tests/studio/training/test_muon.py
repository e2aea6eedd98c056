import pytest
import torch
import torch.nn.functional as F
from torch import nn, optim

from impasto.studio.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 27), (27, 8), (16, 16)])
def test_all_directions_become_equally_strong(shape):
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    strong = torch.logspace(0, -1, len(v))
    matrix = u * strong @ v
    turned = orthogonal(matrix)
    found = torch.linalg.svdvals(turned)
    assert found.max() < 1.3
    assert found.min() > 0.6
    assert torch.allclose(u.T @ turned @ v.T, torch.diag(torch.diag(u.T @ turned @ v.T)), atol=1e-4)


def test_a_stack_of_kernels_is_learnt_as_each_alone():
    torch.manual_seed(0)
    start, gradients = torch.randn(3, 6, 4, 3, 3), torch.randn(4, 3, 6, 4, 3, 3)
    stack, alone = nn.Parameter(start.clone()), [nn.Parameter(each.clone()) for each in start]
    together, apart = Muon([{"params": [stack], "lr": 0.1}]), Muon([{"params": alone, "lr": 0.1}])
    for step in gradients:
        stack.grad = step.clone()
        for weight, gradient in zip(alone, step, strict=True):
            weight.grad = gradient.clone()
        together.step()
        apart.step()
    assert torch.allclose(stack, torch.stack(list(alone)), atol=1e-4)


def test_what_is_adams_shrinks_by_the_decay():
    ours, theirs = (nn.Parameter(torch.linspace(-1, 1, 6).reshape(2, 3)) for _ in range(2))
    one = Muon([{"params": [ours], "lr": 0.1, "decay": 0.5}])
    other = optim.AdamW([theirs], lr=0.1, weight_decay=0.5)
    for _ in range(5):
        for weight, optimiser in ((ours, one), (theirs, other)):
            optimiser.zero_grad()
            ((weight - 0.3) ** 3).abs().sum().backward()
            optimiser.step()
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_what_is_no_convolution_is_left_to_adam():
    ours, theirs = (nn.Parameter(torch.linspace(-1, 1, 6).reshape(2, 3)) for _ in range(2))
    one, other = Muon([{"params": [ours], "lr": 0.1}]), optim.Adam([theirs], lr=0.1)
    for _ in range(5):
        for weight, optimiser in ((ours, one), (theirs, other)):
            optimiser.zero_grad()
            ((weight - 0.3) ** 3).abs().sum().backward()
            optimiser.step()
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_a_depthwise_kernel_is_no_matrix():
    weight = nn.Parameter(torch.randn(4, 1, 3, 3))
    optimiser = Muon([{"params": [weight], "lr": 0.1}])
    weight.square().sum().backward()
    optimiser.step()
    assert set(optimiser.state[weight]) == {"step", "mean", "square"}


def test_a_convolution_is_learnt():
    x, true = torch.randn(8, 6, 12, 12), torch.randn(5, 6, 3, 3)
    weight = nn.Parameter(torch.zeros_like(true))
    optimiser = Muon([{"params": [weight], "lr": 0.3}])
    losses = []
    for step in range(100):
        optimiser.param_groups[0]["lr"] = 0.3 * (1 - step / 100)
        optimiser.zero_grad()
        loss = (F.conv2d(x, weight) - F.conv2d(x, true)).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 1000

"""Losses of several styles at once are those of each alone."""

import pytest
import torch

from impasto.options import LossOptions
from impasto.studio.hypernetwork import LAYERS
from impasto.studio.perceptual import loading
from impasto.studio.perceptual.losses import gram_loss, gram_matrix
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.perceptual.objectives import Objectives


@pytest.fixture(scope="module")
def network():
    return loading.load("vgg19", padding="replicate")


@pytest.fixture(scope="module")
def pictures():
    torch.manual_seed(0)
    return torch.rand(2, 2, 3, 32, 32), torch.rand(2, 3, 32, 32), torch.rand(2, 3, 48, 48)


def options(statistic, scale):
    return LossOptions(
        content_layers=("conv3_2",), style_layers=tuple(LAYERS), style_statistic=statistic,
        loss_scale=scale, tone_weight=1.0, lattice_weight=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("scale", ["relative", "balanced"])
@pytest.mark.parametrize("statistic", ["gram", "covariance", "gram-covariance"])
def test_they_are_those_of_the_objective_for_each_style(network, pictures, statistic, scale):
    painted, photographs, paintings = pictures
    first = Objective(options(statistic, scale), network=network)
    content = first.content(photographs)
    towards = [first.towards([StylePicture(each[None])]) for each in paintings]
    wanted = first.wanted_of(first.features(paintings))
    for several in (Objectives.of(towards), Objectives(first, wanted)):
        totals, parts = several.apart(painted, content)
        for number, objective in enumerate(towards):
            alone = objective(painted[number], content)
            assert torch.allclose(totals[number], alone.total, rtol=1e-4)
            for name, each in alone.parts.items():
                assert torch.allclose(parts[name][number], each, rtol=1e-4), name


def test_a_balanced_loss_is_over_the_mean_of_both_sizes():
    gram, target = (gram_matrix(torch.rand(1, 4, 8, 8) * size) for size in (1, 3))
    apart = (gram - target).square().sum()
    sizes = gram.square().sum(), target.square().sum()
    expected = 2 * apart / (sizes[0] + sizes[1])
    assert torch.allclose(gram_loss(gram, target, "balanced"), expected)
    relative = gram_loss(gram, target, "relative")
    assert torch.allclose(relative, apart / sizes[1])


def test_what_it_is_divided_by_has_no_gradient():
    target = torch.eye(3)[None]
    gram = (2 * torch.eye(3)[None]).requires_grad_()
    (gradient,) = torch.autograd.grad(gram_loss(gram, target, "balanced"), gram)
    assert torch.allclose(gradient[0], 2 * (gram - target)[0].detach() / 7.5)


def test_gradients_reach_what_was_painted(network, pictures):
    painted, photographs, paintings = pictures
    first = Objective(options("gram-covariance", "balanced"), network=network)
    several = Objectives(first, first.wanted_of(first.features(paintings)))
    given = painted.clone().requires_grad_()
    totals, _ = several.apart(given, first.content(photographs))
    (gradient,) = torch.autograd.grad(totals[0], given)
    assert gradient[0].abs().max() > 0
    assert gradient[1].abs().max() == 0

"""A step of the polish as one graph, beside torch's own."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from impasto import assets
from impasto.catalog import step as read
from impasto.options import NetworkOptions, TrainOptions
from impasto.studio import networks
from impasto.studio.export import step
from impasto.studio.perceptual.objective import Objective, StylePicture

WEIGHTS = 1.0, 20.0, 0.3, 2.0
LOSS = replace(TrainOptions().loss, style_statistic="gram-covariance", tone_weight=2.0)
NO_GRADIENT = "shapes.1.second_norm.shift"
"""A norm follows, and takes any shift away."""


@pytest.fixture(scope="module")
def graphs():
    """As they came with impasto."""
    return read.graphs(1)


def test_what_came_with_impasto_is_what_is_written(tmp_path):
    files = step.write(tmp_path).iterdir()
    assert {each.name: each.read_bytes() for each in files} == {
        each.name: each.read_bytes() for each in assets.STEP.iterdir()
    }


@pytest.fixture(scope="module")
def painting():
    chance = np.random.default_rng(0)
    return chance.integers(0, 256, (13, 17, 3), np.uint8).repeat(5, 0).repeat(4, 1)


@pytest.fixture(scope="module")
def statistics(graphs, painting):
    return graphs.statistics(painting[None], {})


@pytest.fixture(scope="module")
def objective():
    """In double precision, so that only what the graph rounds counts."""
    objective = Objective(LOSS)
    objective.network = copy.deepcopy(objective.network).double()
    objective._features = objective.network
    return objective


def tensor(pixels):
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].double() / 255


def test_statistics_are_those_of_the_objective(objective, painting, statistics):
    wanted = objective.towards([StylePicture(tensor(painting))])._targets[0][2]
    assert set(step.STYLE_LAYERS) == set(wanted)
    for layer, (gram, mean, _) in wanted.items():
        for found, exact in (
            (statistics[f"gram {layer}"], gram),
            (statistics[f"mean {layer}"], mean),
        ):
            assert np.abs(found - exact[0].numpy()).max() < 1e-5 * exact.abs().max()


def worst(graphs, objective, statistics, photograph, seed):
    """The largest difference of a loss, and of a gradient, each over its size."""
    torch.manual_seed(seed)
    network = networks.build(NetworkOptions())
    grain = np.random.default_rng(seed).normal(0, 6, photograph.shape[:2]).round()
    found = graphs.step(
        photograph[None],
        {
            "grain": grain[None, :, :, None].astype(np.float32),
            "loss_weights": np.array(WEIGHTS, np.float32),
            **statistics,
            **{name: each.numpy() for name, each in network.state_dict().items()},
        },
    )
    target = tensor(photograph)
    ground = (target + torch.from_numpy(grain) / 255).clamp(0, 1)
    losses = objective(network.double()(ground), objective.content(target))
    losses.total.backward()
    numbers = losses.numbers()
    gradients = {name: each.grad.numpy() for name, each in network.named_parameters()}
    assert {f"gradient.{name}" for name in gradients} | {"painted", *numbers} == found.keys()
    assert np.abs(found[f"gradient.{NO_GRADIENT}"]).max() < 1e-5
    return (
        max(abs(found[name] - each) / each for name, each in numbers.items()),
        max(
            np.abs(found[f"gradient.{name}"] - each).max() / np.abs(each).max()
            for name, each in gradients.items()
            if name != NO_GRADIENT
        ),
    )


@pytest.mark.parametrize(("size", "flat"), [((64, 64), True), ((72, 104), False)])
def test_gradients_are_torchs(graphs, objective, painting, statistics, size, flat):
    """Of three networks one at least: in single precision a ReLU may fall on the other side."""
    wanted = objective.towards([StylePicture(tensor(painting))])
    coarse = np.random.default_rng(1).integers(0, 256, (13, 13, 3), np.uint8)
    photograph = coarse.repeat(8, 0).repeat(8, 1)[: size[0], : size[1]]
    if flat:
        photograph = np.full_like(photograph, 97)
    found = [worst(graphs, wanted, statistics, photograph, seed) for seed in range(3)]
    assert max(loss for loss, _ in found) < 1e-5
    assert min(gradient for _, gradient in found) < 1e-4
    assert max(gradient for _, gradient in found) < 0.05

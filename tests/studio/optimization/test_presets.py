"""Each set-up's objective, written out from its source in float64, on a fixed input."""

import dataclasses

import numpy as np
import pytest
import torch

from impasto.errors import OptionError
from impasto.options import OptimizeOptions
from impasto.studio.optimization.presets import PRESETS, preset
from impasto.studio.perceptual import loading
from impasto.studio.perceptual.objective import Objective, StylePicture


def squares(x):
    return (x**2).sum()


def gram(f):
    """``F F^T`` with F the rows of channels: a sum over places."""
    rows = f.reshape(f.shape[0], -1)
    return rows @ rows.T


def gatys(painted, content, style, picture):
    layers = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]
    total = 1e-3 * squares(painted["conv4_2"] - content["conv4_2"]) / 2
    for layer in layers:
        f = painted[layer]
        n, m = f.shape[0], f[0].size
        total += 0.2 * squares(gram(f) - gram(style[layer])) / (4 * n**2 * m**2)
    return total


def johnson(painted, content, style, picture):
    total = squares(painted["conv2_2"] - content["conv2_2"]) / painted["conv2_2"].size
    for layer in ["conv1_2", "conv2_2", "conv3_3", "conv4_3"]:
        size = painted[layer].size
        total += 5 * squares(gram(painted[layer]) / size - gram(style[layer]) / size)
    return total + 1e-6 * variation(picture)


def variation(picture):
    pixels = picture * 255
    return squares(np.diff(pixels, axis=1)) + squares(np.diff(pixels, axis=2))


def tutorial(painted, content, style, picture):
    total = np.mean((painted["conv2_2.pre"] - content["conv2_2.pre"]) ** 2)
    for layer in ["conv1_1.pre", "conv1_2.pre", "conv2_1.pre", "conv2_2.pre", "conv3_1.pre"]:
        size = painted[layer].size
        total += 1e6 * np.mean((gram(painted[layer]) / size - gram(style[layer]) / size) ** 2)
    return total


def neural_style(painted, content, style, picture):
    total = 5 * np.mean((painted["conv4_2"] - content["conv4_2"]) ** 2)
    for layer in ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]:
        size = painted[layer].size
        total += 100 * np.mean((gram(painted[layer]) / size - gram(style[layer]) / size) ** 2)
    # Its TVLoss adds strength * (differences) to the gradient, that of half their squares.
    return total + 1e-3 * variation(picture) / 2


SOURCES = {
    "gatys2015": gatys,
    "gatys2016": gatys,
    "johnson": johnson,
    "pytorch-tutorial": tutorial,
    "neural-style": neural_style,
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_preset_has_the_objective_of_its_source(name):
    loss = preset(name).loss
    network = loading.load("vgg19", pooling=loss.pooling)
    generator = torch.Generator().manual_seed(0)
    pictures = [torch.rand(1, 3, 48, 48, generator=generator) for _ in range(3)]
    objective = Objective(dataclasses.replace(loss, loss_network="vgg19"), (), network)
    objective = objective.towards([StylePicture(pictures[2])])
    found = objective(pictures[0], objective.content(pictures[1])).numbers()["total"]
    seen = [
        {k: v[0].double().numpy() for k, v in network(x, objective.layers).items()}
        for x in pictures
    ]
    expected = SOURCES[name](*seen, pictures[0][0].double().numpy())
    assert found == pytest.approx(expected, rel=1e-4)


def test_presets_are_named():
    assert set(PRESETS) == {"impasto", *SOURCES}
    assert preset("impasto") == OptimizeOptions()
    with pytest.raises(OptionError, match="did you mean gatys2016"):
        preset("gatys-2016")

"""A step by the graph, beside one by torch."""

import numpy as np
import pytest
import torch

from impasto import catalog
from impasto.catalog import painted
from impasto.catalog.hypernetwork import parameters
from impasto.images.grain import grain
from impasto.options import StyleOptions
from impasto.polishing import polisher
from impasto.polishing.stepping import GraphStepper
from impasto.studio.training.stepper import TorchStepper


@pytest.fixture(scope="module")
def picture(painting):
    return painted.seen(painting, 96, "whole").pixels


@pytest.fixture(scope="module")
def weights(painting):
    return parameters(painted.weights(catalog.find(painting, StyleOptions(style_size=64))))


def test_torch_computes_the_same(picture, weights):
    photograph = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    photograph = photograph.repeat(8, 0).repeat(8, 1)
    levels = grain(np.random.default_rng(1), 72, 64, 6)
    loss = polisher.LOSS
    with torch.inference_mode():  # as ComfyUI calls it: it needs gradients nevertheless
        wanted, slopes, painting = TorchStepper(picture, loss, "cpu")(weights, photograph, levels)
    losses, gradients, found = GraphStepper(picture, loss)(weights, photograph, levels)
    assert losses.keys() == wanted.keys()
    assert all(losses[name] == pytest.approx(wanted[name], 1e-4) for name in losses)
    assert gradients.keys() == slopes.keys() == weights.keys()
    size = max(np.abs(each).max() for each in slopes.values())
    assert all(np.abs(gradients[name] - slopes[name]).max() < 2e-3 * size for name in gradients)
    assert found.shape == painting.shape == photograph.shape
    assert np.abs(found.astype(int) - painting).max() <= 1


def test_the_card_says_what_computed(picture):
    assert "onnxruntime" in GraphStepper(picture, polisher.LOSS).versions
    assert TorchStepper(picture, polisher.LOSS, "cpu").versions.keys() == {"torch"}

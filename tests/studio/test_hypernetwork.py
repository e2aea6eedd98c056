"""A hypernetwork: what it sees, what it makes, and its file."""

import json
import math
import resource

import pytest
import safetensors
import safetensors.torch
import torch

from impasto.errors import TrainingError
from impasto.files.sealed import metadata
from impasto.options import HypernetworkOptions, NetworkOptions
from impasto.studio import hypernetwork, networks, sealed
from impasto.studio.hypernetwork import LAYERS, Hypernetwork
from impasto.studio.networks import grouped
from impasto.studio.statistics import gram_matrix

SMALL = HypernetworkOptions(components=2, hidden=8, embedding=4, directions=3)
NETWORK = NetworkOptions(width=4, blocks=2)


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(0)
    return Hypernetwork(SMALL, NETWORK).eval()


@pytest.fixture(scope="module")
def features():
    """Of two paintings, as a loss network gives them."""
    torch.manual_seed(1)
    return {layer: torch.rand(2, channels, 6, 5) for layer, channels in LAYERS.items()}


def test_what_is_seen_of_a_layer_is_mean_deviation_and_gram_matrix(made, features):
    own = features["conv1_1"].double()
    made.encoder.components_conv1_1.copy_(torch.linalg.qr(torch.randn(64, 2))[0])
    basis = made.encoder.components_conv1_1.double()
    reduced = basis.T @ gram_matrix(own) @ basis
    deviation = own.var((2, 3), correction=0).sqrt()
    expected = [own.mean((2, 3)), deviation, reduced[:, [0, 0, 1], [0, 1, 1]]]
    seen = made.encoder.statistics(features)[:, : 64 + 64 + 3].double()
    roots = torch.cat(expected, 1)
    assert torch.allclose(seen, roots.sign() * roots.abs().sqrt(), atol=1e-3)


def test_a_painting_unlike_all_others_is_cut_off_at_six_deviations(made):
    count = len(made.encoder.mean)
    far, farther = torch.full((1, count), 7.0), torch.full((1, count), 700.0)
    bold = torch.ones(1)
    assert torch.equal(made.encoder(far, bold), made.encoder(farther, bold))
    near = torch.full((1, count), 5.0)
    assert not torch.allclose(made.encoder(far, bold), made.encoder(near, bold))


def test_boldness_changes_the_embedding(made, features):
    once, twice = (made.embedding(features, torch.full((2,), bold)) for bold in (1.0, 2.0))
    assert not torch.allclose(once, twice, atol=1e-3)


def test_weights_are_a_start_and_a_combination_of_directions(made):
    embedding = torch.randn(2, SMALL.embedding)
    weights = made.decoder(embedding)
    name = "shapes.0.first.weight"
    assert name in made.decoder.large
    place = made.decoder.large.index(name)
    parts = made.decoder.coefficients(embedding)[:, 3 * place : 3 * place + 3]
    directions = made.decoder.directions[name.replace(".", "/")]
    start = made.decoder.start[name.replace(".", "/")]
    assert directions.shape == (3, *made.decoder.shapes[name])
    offset = made.decoder.scales[place] * parts @ directions.flatten(1)
    assert torch.allclose(weights[name], start + offset.reshape(2, *start.shape), atol=1e-6)


def test_they_are_all_weights_of_a_network(made):
    state = networks.build(NETWORK).state_dict()
    weights = grouped.one(made.decoder(torch.randn(1, SMALL.embedding)))
    assert {name: each.shape for name, each in weights.items()} == {
        name: each.shape for name, each in state.items()
    }


def test_they_begin_at_the_network_that_is_given():
    start = networks.build(NETWORK).state_dict()
    made = Hypernetwork(SMALL, NETWORK, start)
    torch.nn.init.zeros_(made.decoder.coefficients.weight)
    torch.nn.init.zeros_(made.decoder.offsets.weight)
    weights = grouped.one(made.decoder(torch.randn(1, SMALL.embedding)))
    assert all(torch.equal(weights[name], start[name]) for name in start)


def test_a_file_holds_it(made, features, tmp_path):
    path = tmp_path / "any.safetensors"
    path.write_bytes(hypernetwork.encoded(made))
    again = hypernetwork.read(path)
    assert (again.options, again.network) == (SMALL, NETWORK)
    ones, twos = (each.embedding(features, torch.ones(2)) for each in (made, again))
    assert torch.allclose(ones, twos, atol=2e-2)  # half precision
    assert not again.training


def test_a_newer_file_is_refused(made, tmp_path):
    path = tmp_path / "any.safetensors"
    path.write_bytes(hypernetwork.encoded(made))
    with safetensors.safe_open(path, "pt") as file:
        header = {**file.metadata(), "format": "2"}
    safetensors.torch.save_file(safetensors.torch.load_file(path), path, header)
    with pytest.raises(TrainingError, match="newer impasto .its format is 2. - update"):
        hypernetwork.read(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"options": "{"}, "is not a hypernetwork"),
        ({"options": json.dumps({"eyes": 2})}, "is not a hypernetwork: .*do not exist here: eyes"),
        ({"format": "none"}, "is not a hypernetwork"),
        ({"network": json.dumps({"width": 8})}, "is not a hypernetwork: .*has another shape"),
    ],
)
def test_another_file_is_refused(made, tmp_path, change, said):
    path = tmp_path / "any.safetensors"
    path.write_bytes(hypernetwork.encoded(made))
    with safetensors.safe_open(path, "pt") as file:
        header = {**file.metadata(), **change}
    safetensors.torch.save_file(safetensors.torch.load_file(path), path, header)
    with pytest.raises(TrainingError, match=f"(?s){said}"):
        hypernetwork.read(path)


def _spoil(made, path, tensors=(), **header):
    """Its file with other tensors or metadata, and a checksum that is right."""
    said = metadata(path)
    changed = safetensors.torch.load_file(path) | dict(tensors)
    kept = {name: each for name, each in changed.items() if each is not None}
    said = {name: each for name, each in {**said, **header}.items() if name != "sha256"}
    path.write_bytes(sealed.encode(kept, said))


@pytest.mark.parametrize(
    ("tensors", "header", "said"),
    [
        ({"encoder.mean": None}, {}, "encoder.mean is missing"),
        ({"wings": torch.ones(2)}, {}, "wings is missing, unknown"),
        ({"encoder.embed.bias": torch.ones(4)}, {}, "encoder.embed.bias .* another shape or type"),
        ({"encoder.embed.bias": torch.ones(4).half() / 0}, {}, "weights that are no numbers"),
        ({}, {"format": "٣"}, "its format is"),
        ({}, {"options": "[" * 50_000 + "]" * 50_000}, "too deep"),
        ({}, {"options": '{"directions": 1000000000}'}, "directions is 1000000000"),
    ],
)
def test_a_file_that_does_not_hold_what_it_says_is_refused(made, tmp_path, tensors, header, said):
    path = tmp_path / "any.safetensors"
    path.write_bytes(hypernetwork.encoded(made))
    _spoil(made, path, tensors, **header)
    with pytest.raises(TrainingError, match=f"(?s)is not a hypernetwork: .*{said}"):
        hypernetwork.read(path)


def test_a_file_that_says_to_be_huge_takes_no_memory(made, tmp_path):
    path = tmp_path / "any.safetensors"
    path.write_bytes(hypernetwork.encoded(made))
    huge = {"components": 64, "hidden": 4096, "embedding": 1024, "directions": 256}
    _spoil(made, path, options=json.dumps(huge), network=json.dumps({"width": 128, "blocks": 32}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TrainingError, match="has another shape or type"):
        hypernetwork.read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_a_file_that_was_changed_or_cut_is_refused(made, tmp_path):
    path, whole = tmp_path / "any.safetensors", hypernetwork.encoded(made)
    changed = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
    for data, said in ((changed, "checksum"), (whole[:-9], "bytes of data")):
        path.write_bytes(data)
        with pytest.raises(TrainingError, match=f"is not a hypernetwork: .*{said}"):
            hypernetwork.read(path)


def test_what_is_no_safetensors_file_is_refused(tmp_path):
    for content in (b"", b"junk", b"\x80\x04pickle"):
        (tmp_path / "any").write_bytes(content)
        with pytest.raises(TrainingError, match="is not a hypernetwork"):
            hypernetwork.read(tmp_path / "any")
    with pytest.raises(TrainingError, match="is not a hypernetwork"):
        hypernetwork.read(tmp_path / "missing")


def test_its_size_is_that_of_its_options(made):
    large = sum(math.prod(made.decoder.shapes[name]) for name in made.decoder.large)
    assert sum(each.numel() for each in made.decoder.directions.values()) == 3 * large

"""Checkpoints of other versions: mapped, or refused with a sentence."""

import json
from dataclasses import asdict

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from impasto.catalog import Artwork, Entry
from impasto.errors import TrainingError
from impasto.options import NetworkOptions, TrainOptions
from impasto.studio import networks
from impasto.studio.training import checkpoint
from impasto.studio.training.checkpoint import Training

STYLE = Entry("a", "A", Artwork("A", "B", "1900", "public domain"))
SHAPE = NetworkOptions(width=4, blocks=2)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "network.safetensors"
    training = Training(asdict(TrainOptions(network=SHAPE)), [STYLE])
    path.write_bytes(checkpoint.of(networks.build(SHAPE), 7, training).encoded())
    return path


def changed(path, **header):
    """The same tensors under a changed header; None drops an entry."""
    with safe_open(path, "pt") as file:
        now = {**file.metadata(), **header}
    save_file(load_file(path), path, {key: value for key, value in now.items() if value})
    return path


def options_with(**network):
    options = asdict(TrainOptions(network=SHAPE))
    options["network"] |= network
    return json.dumps(options)


def test_a_checkpoint_says_its_format(written):
    with safe_open(written, "pt") as file:
        assert file.metadata()["format"] == str(checkpoint.FORMAT)


def test_one_without_a_format_is_read(written):
    found = checkpoint.read(changed(written, format=None))
    assert (found.step, found.network, found.styles) == (7, SHAPE, [STYLE])


def test_a_newer_format_is_refused_even_where_an_older_checkpoint_is_there(written, tmp_path):
    newer = str(checkpoint.FORMAT + 1)
    with pytest.raises(TrainingError, match="written by a newer impasto .* pip install -U impasto"):
        checkpoint.read(changed(written, format=newer))
    written.rename(tmp_path / "step-0000007.safetensors")
    with pytest.raises(TrainingError, match="newer impasto"):
        checkpoint.latest(tmp_path, Training({}, []))


def test_an_unknown_option_of_the_network_is_a_sentence(written):
    found = checkpoint.read(changed(written, options=options_with(wings=2)))
    with pytest.raises(TrainingError, match="network that is not known here: .*exist here: wings"):
        _ = found.network
    found = checkpoint.read(changed(written, options=options_with(width="wide")))
    with pytest.raises(TrainingError, match="width must be a whole number"):
        _ = found.network


def test_an_option_that_the_file_does_not_know_is_as_by_default(written):
    options = json.loads(options_with())
    del options["network"]["pad"]
    found = checkpoint.read(changed(written, options=json.dumps(options)))
    assert found.network == SHAPE

"""The graphs of a polish as they came: those of their card, filled with the loss network."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest

from impasto import assets
from impasto.catalog import step
from impasto.errors import StyleError
from impasto.inference import network, onnx_proto
from impasto.options import NetworkOptions


@pytest.fixture
def folder(tmp_path, monkeypatch):
    copied = shutil.copytree(assets.STEP, tmp_path / "step")
    monkeypatch.setattr(assets, "STEP", copied)
    return copied


def test_the_card_says_which_networks_learn():
    card = step.read()
    assert card.network.options == NetworkOptions()
    assert card.network.parameters == 199_187


@pytest.mark.parametrize("name", ["step.onnx", "statistics.onnx"])
def test_another_file_than_the_cards_is_refused(folder, name):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(StyleError, match=f"{name} is damaged"):
        step.graphs(1)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"name": 7}'])
def test_a_damaged_card_is_said(folder, text):
    (folder / "card.json").write_text(text)
    with pytest.raises(StyleError, match="card.json is damaged: .* - install impasto again"):
        step.read()


def test_a_missing_card_is_said(folder):
    (folder / "card.json").unlink()
    with pytest.raises(StyleError, match="card.json cannot be read"):
        step.graphs(1)


def test_what_a_newer_card_says_beside_is_no_matter(folder):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "wings": 2}))
    assert step.read().name == "step"


STEP = (assets.STEP / "step.onnx").read_bytes()


@pytest.mark.parametrize(
    "values", [np.zeros((1, 3, 1, 2), np.float32), np.zeros((1, 3, 1, 1), "u1")]
)
def test_a_loss_network_of_other_shapes_is_refused(values):
    with pytest.raises(StyleError, match="loss_network.mean is of another shape elsewhere"):
        network.read_step(STEP, shared={"loss_network.mean": values})


def test_what_is_shared_is_a_constant_and_no_input():
    before = onnx_proto.read(STEP)
    shared = {
        name: np.zeros(port.shape, np.float32)
        for name, port in before.inputs.items()
        if name.startswith("loss_network.")
    }
    found = network.read_step(STEP, shared={**shared, "other": np.zeros(1, np.float32)})
    assert before.inputs.keys() - found.inputs.keys() == shared.keys()
    assert all(found.constants[name] is each for name, each in shared.items())
    assert "other" not in found.constants


def test_the_parts_one_behind_the_other_compute_what_the_graphs_do(rng):
    """As a browser puts them together: the loss network lies in one of them."""
    parts = step.parts()
    assert len(parts.shared) < 3_600_000
    assert max(map(len, parts[1:])) < 100_000
    painting = rng.integers(0, 256, (1, 40, 48, 3), np.uint8)
    session = onnxruntime.InferenceSession(parts.shared + parts.statistics)
    found = session.run(None, {"painting": painting})
    wanted = step.graphs(1).statistics(painting, {})
    assert [each.name for each in session.get_outputs()] == [*wanted]
    for value, known in zip(found, wanted.values(), strict=True):
        assert np.allclose(value, known, rtol=1e-5, atol=1e-6)

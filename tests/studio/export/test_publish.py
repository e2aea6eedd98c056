"""The folder of a hypernetwork, as it is shipped."""

import numpy as np
import pytest

from impasto.catalog import hypernetwork as at_hand
from impasto.catalog.hypernetwork import Learnt
from impasto.inference import onnx_proto
from impasto.studio.export import hypernetwork as export
from impasto.studio.export import publish


@pytest.fixture(scope="module")
def bundled():
    return at_hand.bundled()


def test_a_hypernetwork_becomes_a_folder_that_makes_styles(bundled, monkeypatch, tmp_path):
    """All but the graph itself, which takes half a minute to export."""
    model = (bundled.folder / bundled.card.model.file).read_bytes()
    monkeypatch.setattr(publish, "any_onnx", lambda *_: model)
    made = export.restored(model, bundled.card.network.options)
    folder = publish.write_hypernetwork(tmp_path / "mine", made, Learnt(steps=7), name="mine")
    card = at_hand.read(folder).card
    assert (card.name, card.training.steps, card.embedding) == ("mine", 7, 128)
    assert card.model == bundled.card.model
    ours, theirs = (
        onnx_proto.read((each / "style.onnx").read_bytes()) for each in (folder, bundled.folder)
    )  # the file also names torch's build
    assert (ours.nodes, ours.inputs, ours.outputs) == (theirs.nodes, theirs.inputs, theirs.outputs)
    assert all(
        np.array_equal(ours.constants[name], each) for name, each in theirs.constants.items()
    )
    assert card.network == bundled.card.network
    assert at_hand.read(folder).weights([0.0] * 128).keys() == bundled.weights([0.0] * 128).keys()
    assert {path.name for path in folder.iterdir()} == {"any.onnx", "style.onnx", "card.json"}

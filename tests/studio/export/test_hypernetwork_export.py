"""The two files of a hypernetwork: what they hold is what torch computes."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from impasto import assets
from impasto.catalog import hypernetwork as at_hand
from impasto.catalog.painted import seen
from impasto.errors import TrainingError
from impasto.inference import onnx_proto
from impasto.inference.engine import OnnxEngine
from impasto.options import NetworkOptions
from impasto.studio import networks
from impasto.studio.export import hypernetwork as export
from impasto.studio.export.onnx import reference
from impasto.studio.hypernetwork import LAYERS
from impasto.studio.networks.grouped import one
from impasto.studio.perceptual import loading
from impasto.studio.training import checkpoint_file, checkpoints


def with_constant(values):
    """A network that gives one constant of its own."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["held"], ["out"])],
        "one",
        [],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, values.shape)],
        [numpy_helper.from_array(values, "held")],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def given(model):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {})[0]


def test_a_codebook_stays_what_it_is(rng):
    values = rng.normal(size=256).astype(np.float32)[rng.integers(0, 256, (40, 3, 4, 5))]
    packed = export.in_8_bits(with_constant(values))
    assert np.array_equal(given(packed), values)
    assert len(packed) < values.nbytes / 2


def test_other_weights_are_off_by_half_a_step_of_their_row(rng):
    values = rng.normal(size=(32, 100)).astype(np.float32) * np.geomspace(1e-3, 1e3, 32)[:, None]
    values = values.astype(np.float32)
    step = np.abs(values).max(1, keepdims=True) / 127
    packed = export.in_8_bits(with_constant(values))
    assert (np.abs(given(packed) - values) <= step * 0.501).all()
    assert len(packed) < values.nbytes / 2


def test_a_row_of_zeros_stays_zeros():
    values = np.linspace(-1, 1, 2048, dtype=np.float32).reshape(8, 256).copy()
    values[3] = 0
    assert np.array_equal(given(export.in_8_bits(with_constant(values)))[3], np.zeros(256))


def test_small_constants_and_vectors_stay(rng):
    for shape in ((4000,), (10, 10)):
        model = with_constant(rng.normal(size=shape).astype(np.float32))
        assert export.in_8_bits(model) == model


@pytest.fixture(scope="module")
def bundled():
    return at_hand.bundled()


def test_the_template_with_the_weights_of_a_network_paints_as_it_does(bundled, photo):
    learnt = checkpoint_file.read(checkpoints.find("starry-night")).built()
    state = {name: each.detach() for name, each in learnt.state_dict().items()}
    weights = {name: np.asarray(each) for name, each in (state | export.exported(state)).items()}
    filled = at_hand.filled(bundled.template(), weights)
    engine = OnnxEngine(filled.encoded(), device="cpu")
    exact = reference(learnt, photo.pixels) * 255
    assert np.abs(engine.paint(photo.pixels) - exact).max() < 1
    assert exact.std() > 20


def test_each_weight_of_the_template_has_its_place(bundled):
    state = networks.build(bundled.card.network.options).state_dict()
    wanted = {*state, *export.exported(state)}
    wanted -= {"stem.weight", "stem.bias", "out.conv.weight", "out.conv.bias"}
    template = onnx_proto.read((bundled.folder / bundled.card.template.file).read_bytes())
    assert wanted <= {name.removesuffix(".half") for name in template.constants}


def test_the_file_makes_the_weights_that_torch_makes(bundled):
    """The whole way: loss network, statistics, embedding, weights, and their folding."""
    painting = seen(assets.demo_photo(), 96, "whole").pixels
    data = (bundled.folder / bundled.card.model.file).read_bytes()
    made = export.restored(data, bundled.card.network.options)
    loss_network = loading.load("vgg19", padding="replicate")
    with torch.no_grad():
        x = torch.from_numpy(painting.copy()).permute(2, 0, 1)[None].float() / 255
        embedding = made.embedding(loss_network(x, LAYERS), torch.tensor([2.0]))
        state = one(made.decoder(embedding))
    own = bundled.embedding(painting, 2.0)
    assert np.allclose(own, embedding[0], atol=2e-3)
    weights = bundled.weights(own.tolist())
    for name, each in (state | export.exported(state)).items():
        assert np.allclose(weights[name], each, rtol=1e-3, atol=5e-3 * float(each.abs().max()))


def test_a_file_of_another_kind_is_refused(bundled):
    template = (bundled.folder / bundled.card.template.file).read_bytes()
    with pytest.raises(TrainingError, match="there is no such hypernetwork"):
        export.restored(template, NetworkOptions())
    data = (bundled.folder / bundled.card.model.file).read_bytes()
    with pytest.raises(TrainingError, match="there is no such hypernetwork"):
        export.restored(data, NetworkOptions(width=8))

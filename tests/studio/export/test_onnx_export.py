import numpy as np
import onnx
import pytest
import torch

from impasto.errors import TrainingError
from impasto.inference import network as network_file
from impasto.inference import operators
from impasto.inference.engine import OnnxEngine
from impasto.options import NetworkOptions
from impasto.studio import networks
from impasto.studio.export import onnx as onnx_graph


def filled(options, styles=1, *, strength=False, seed=0):
    torch.manual_seed(seed)
    network = networks.build(options, styles, strength=strength)
    for weight in network.parameters():
        weight.data += torch.randn_like(weight) * 0.1
    return network.eval()


@pytest.fixture(scope="module")
def network():
    return filled(NetworkOptions(width=8, blocks=2))


@pytest.fixture(scope="module")
def model(network):
    return onnx_graph.to_onnx(network)


def test_the_graph_equals_the_network_at_sizes_it_was_not_exported_at(network, model, rng):
    engine = OnnxEngine(model, device="cpu")
    for height, width in ((64, 64), (101, 77), (200, 65)):
        photo = rng.integers(0, 256, (height, width, 3), np.uint8)
        exact = onnx_graph.reference(network, photo) * 255
        assert (np.abs(engine.paint(photo) - exact) - 0.5).max() / 255 < onnx_graph.PARITY


def test_a_shape_that_was_exported_before_gets_what_torch_would_make(model, exporter, monkeypatch):
    network = filled(NetworkOptions(width=8, blocks=2), seed=1)
    once = onnx_graph.to_onnx(network)
    monkeypatch.setattr(torch.onnx, "export", exporter.real)
    assert once == onnx_graph.to_onnx(network) != model


def test_a_graph_that_differs_is_not_accepted(network, model):
    """A hundredth of the range on one weight is enough to be noticed."""
    changed = onnx.load_from_string(model)
    bias = next(t for t in changed.graph.initializer if t.name.endswith("out.bias"))
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] += 2.55
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    with pytest.raises(TrainingError, match="off the trained one"):
        onnx_graph._require_parity(network, changed.SerializeToString())


def test_the_file_is_small_self_contained_and_tells_nothing_of_this_machine(model):
    network_file.read(model)
    parsed = onnx.load_from_string(model)
    assert not any(t.external_data for t in parsed.graph.initializer)
    assert parsed.opset_import[0].version == onnx_graph.OPSET
    for tensor in parsed.graph.initializer:
        tensor.ClearField("raw_data")  # which may hold any bytes
    told = parsed.SerializeToString()
    assert b".py" not in told
    assert b"/home" not in told


def test_what_the_graph_holds_is_what_the_store_lets_through(model):
    used = {node.op_type for node in onnx.load_from_string(model).graph.node}
    assert used <= operators.OPERATORS.keys()


@pytest.mark.parametrize(
    "options",
    [
        NetworkOptions(width=8, blocks=2),
        NetworkOptions(width=8, blocks=1, norm="batch", activation="selu", separable=True),
        NetworkOptions(design="johnson", width=4, blocks=1, upsampling="transposed", pad="reflect",
                       output="tanh"),
        NetworkOptions(design="johnson", width=4, blocks=1, pad="zeros", shrink=2,
                       upsampling="nearest", output="sigmoid"),
    ],
)  # fmt: skip
def test_several_styles_and_their_strength_are_inputs_of_one_graph(options, rng):
    network = filled(options, 3, strength=True)
    model = onnx_graph.to_onnx(network)
    network_file.read(model)
    used = {node.op_type for node in onnx.load_from_string(model).graph.node}
    assert used <= operators.OPERATORS.keys()
    engine = OnnxEngine(model, device="cpu")
    photo = rng.integers(0, 256, (70, 93, 3), np.uint8)
    for weights in ([0.2, 0.5, 0.3], [0, 0, 1], [0.1, 0.2, 0.3]):
        exact = onnx_graph.reference(network, photo, weights) * 255
        assert (np.abs(engine.paint(photo, weights) - exact) - 0.5).max() / 255 < onnx_graph.PARITY
    assert np.array_equal(engine.paint(photo), engine.paint(photo, [1, 0, 0]))
    assert not np.array_equal(engine.paint(photo), engine.paint(photo, [0.5, 0, 0]))


def test_one_of_several_styles_can_be_a_file_of_its_own(rng):
    network = filled(NetworkOptions(width=8, blocks=2), 2)
    single = OnnxEngine(onnx_graph.to_onnx(network.only([0.0, 1.0])), device="cpu")
    photo = rng.integers(0, 256, (64, 80, 3), np.uint8)
    exact = onnx_graph.reference(network, photo, [0, 1]) * 255
    assert (np.abs(single.paint(photo) - exact) - 0.5).max() / 255 < onnx_graph.PARITY

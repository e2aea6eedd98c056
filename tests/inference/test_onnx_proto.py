from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from impasto import catalog
from impasto.inference import onnx_proto


def test_a_network_that_is_read_and_written_is_the_same(style):
    model = style.model()
    before = onnx.load_from_string(model)
    after = onnx.load_from_string(onnx_proto.read(model).encoded())
    onnx.checker.check_model(after)
    for node in before.graph.node:
        node.ClearField("name")
    assert list(after.graph.node) == list(before.graph.node)
    assert list(after.graph.initializer) == list(before.graph.initializer)
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    assert after.opset_import == before.opset_import


def test_attributes_and_constants_are_read_as_onnx_reads_them(style):
    model = style.model()
    network, known = onnx_proto.read(model), onnx.load_from_string(model).graph
    for node, expected in zip(network.nodes, known.node, strict=True):
        for attribute in expected.attribute:
            if attribute.type == onnx.AttributeProto.INTS:
                assert node.numbers(attribute.name, []) == list(attribute.ints)
        assert node.numbers("no such thing", [7]) == [7]
    for tensor in known.initializer:
        assert onnx_proto.shape(network.constants[tensor.name]) == list(tensor.dims)
    floats = onnx.helper.make_tensor("f", onnx.TensorProto.FLOAT, [3], [0.5, -2, 4])
    assert onnx_proto.floats(floats.SerializeToString()).tolist() == [0.5, -2, 4]
    one_by_one = onnx.TensorProto(data_type=onnx.TensorProto.FLOAT, dims=[2]).SerializeToString()
    one_by_one += b"".join(b"%" + np.float32(value).tobytes() for value in (0.5, -2))
    assert onnx_proto.floats(one_by_one).tolist() == [0.5, -2]
    half = numpy_helper.from_array(np.array([[0.5], [-2]], np.float16))
    assert onnx_proto.floats(half.SerializeToString()).tolist() == [[0.5], [-2]]
    assert not onnx_proto.floats(onnx_proto.constant("axes", [2])).size


def test_constants_and_declarations_are_those_that_onnx_would_write():
    made = onnx.TensorProto.FromString(onnx_proto.constant("axes", [2, -1]))
    assert numpy_helper.to_array(made).tolist() == [2, -1]
    for values in (np.eye(3, 2, dtype=np.float16), np.float32(255)):
        made = onnx.TensorProto.FromString(onnx_proto.constant("weights", values))
        assert numpy_helper.to_array(made).dtype == values.dtype
        assert np.array_equal(numpy_helper.to_array(made), values)
    info = onnx.ValueInfoProto.FromString(onnx_proto.tensor_info("x", onnx_proto.FLOAT, 4))
    assert info.name == "x"
    assert info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert len(info.type.tensor_type.shape.dim) == 4


@pytest.fixture(scope="module")
def other():
    """A network of the same start, whose names are others, as after another export."""
    network = onnx_proto.read(catalog.bundled()["udnie"].model())
    graph = onnx.load_from_string(network.encoded())
    for tensor in graph.graph.initializer:
        for node in graph.graph.node:
            node.input[:] = [f"{n}.other" if n == tensor.name else n for n in node.input]
        tensor.name += ".other"
    return graph.SerializeToString()


def weights(model):
    """Of full or half precision, in the order in which the nodes use them."""
    graph = onnx.load_from_string(model).graph
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    used = dict.fromkeys(name for node in graph.node for name in node.input if name in found)
    return [found[name] for name in used if found[name].dtype.kind == "f"]


def test_between_two_networks_lies_their_mean_whatever_the_names_are(style, other):
    model = style.model()
    names = [set(onnx_proto.read(each).constants) for each in (model, other)]
    assert names[0] != names[1]
    between = onnx_proto.between([model, other], [0.25, 0.75])
    onnx.checker.check_model(onnx.load_from_string(between))
    count = 0
    for one, another, mean in zip(*map(weights, (model, other, between)), strict=True):
        exact = 0.25 * one.astype(float) + 0.75 * another.astype(float)
        assert mean.dtype == one.dtype
        assert np.allclose(mean, exact, rtol=np.finfo(one.dtype).eps, atol=1e-7)
        count += mean.size
    assert count > style.card.network.parameters  # folding adds some
    assert onnx_proto.read(between).nodes == onnx_proto.read(model).nodes


def test_all_of_one_network_is_that_network(style, other):
    model = style.model()
    whole = onnx_proto.between([model, other], [1.0, 0.0])
    assert onnx_proto.read(whole).nodes == onnx_proto.read(model).nodes
    for one, same in zip(weights(model), weights(whole), strict=True):
        assert np.array_equal(one, same)


def shuffled(network, rng):
    """As if learnt from another start: the same numbers, in other places."""
    tensors = {name: onnx_proto.floats(each) for name, each in network.constants.items()}
    return network.constants | {
        name: onnx_proto.constant(name, rng.permuted(values))
        for name, values in tensors.items()
        if values.ndim > 1
    }


def renumbered(network):
    """One of its whole numbers, a size or an axis, is another."""
    name = next(
        name for name, each in network.constants.items() if not onnx_proto.floats(each).size
    )
    return network.constants | {name: onnx_proto.constant(name, 77)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda n, _: {"nodes": n.nodes[:-1]}, "not of one kind"),
        (lambda n, _: {"nodes": (replace(n.nodes[0], op="Relu"), *n.nodes[1:])}, "not of one kind"),
        (lambda n, _: {"constants": renumbered(n)}, "not of one kind"),
        (lambda n, rng: {"constants": shuffled(n, rng)}, "not learnt from one start"),
    ],
    ids=["fewer nodes", "another node", "another number", "another start"],
)
def test_between_networks_that_are_no_relatives_is_none(style, other, rng, change, reason):
    network = onnx_proto.read(other)
    changed = replace(network, **change(network, rng)).encoded()
    with pytest.raises(ValueError, match=reason):
        onnx_proto.between([style.model(), changed], [0.5, 0.5])

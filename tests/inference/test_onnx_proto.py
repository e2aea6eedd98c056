"""ONNX, as the onnx package knows it; what is refused is in ``test_network``."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from impasto.inference import onnx_proto
from impasto.inference.onnx_proto import DTYPES, SINGLE, Port
from impasto.inference.protobuf import BYTES, FLOAT, NUMBER


def test_attributes_and_constants_are_read_as_onnx_reads_them(style):
    model = (style.folder / style.card.model.file).read_bytes()
    network, known = onnx_proto.read(model), onnx.load_from_string(model).graph
    for node, expected in zip(network.nodes, known.node, strict=True):
        values = {each.name: helper.get_attribute_value(each) for each in expected.attribute}
        values = {name: v.decode() if isinstance(v, bytes) else v for name, v in values.items()}
        ours = {n: list(v) if isinstance(v, tuple) else v for n, v in node.attributes.items()}
        assert (ours, node.name, node.op) == (values, expected.name, expected.op_type)
    for tensor in known.initializer:
        assert np.array_equal(network.constants[tensor.name], numpy_helper.to_array(tensor))


def test_constants_and_declarations_are_those_that_onnx_would_write():
    for kind, dtype in DTYPES.items():
        values = np.eye(3, 2).astype(dtype)
        made = TensorProto.FromString(onnx_proto.constant("weights", values))
        assert made.data_type == kind == helper.np_dtype_to_tensor_dtype(values.dtype)
        assert np.array_equal(numpy_helper.to_array(made), values)
    one = TensorProto.FromString(onnx_proto.constant("one", np.array(-1)))
    assert (numpy_helper.to_array(one), list(one.dims)) == (-1, [])
    info = onnx.ValueInfoProto.FromString(Port(SINGLE, (None, 3, None)).encoded("x"))
    assert info.name == "x"
    assert info.type.tensor_type.elem_type == TensorProto.FLOAT
    axes = info.type.tensor_type.shape.dim
    assert [axis.dim_param or axis.dim_value for axis in axes] == ["x.0", 3, "x.2"]


def test_attributes_are_those_that_onnx_would_write():
    values = {"a": -1, "b": 0.25, "c": "edge", "d": (1, -2, 3), "e": 2**40}
    node = onnx.NodeProto.FromString(onnx_proto.Node("Op", ("x", ""), ("y",), values).encoded())
    found = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    assert found == values | {"c": b"edge", "d": [1, -2, 3]}
    assert list(node.input) == ["x", ""]


MESSAGES = [
    (onnx_proto._MODEL, onnx.ModelProto),
    (onnx_proto._OPSET, onnx.OperatorSetIdProto),
    (onnx_proto._GRAPH, onnx.GraphProto),
    (onnx_proto._NODE, onnx.NodeProto),
    (onnx_proto._ATTRIBUTE, onnx.AttributeProto),
    (onnx_proto._TENSOR, TensorProto),
    (onnx_proto._PORT, onnx.ValueInfoProto),
    (onnx_proto._TYPE, onnx.TypeProto),
    (onnx_proto._TENSOR_TYPE, onnx.TypeProto.Tensor),
    (onnx_proto._SHAPE, onnx.TensorShapeProto),
    (onnx_proto._AXIS, onnx.TensorShapeProto.Dimension),
]
WIRE = {"TYPE_MESSAGE": BYTES, "TYPE_STRING": BYTES, "TYPE_BYTES": BYTES, "TYPE_FLOAT": FLOAT}


def wire(field):
    """How protobuf writes a field: numbers that are packed have a length."""
    packed = field.GetOptions().packed
    name = next(n for n in dir(field) if n.startswith("TYPE_") and getattr(field, n) == field.type)
    return BYTES if packed else WIRE.get(name, NUMBER)


def test_fields_are_onnxs_own():
    compared = {id(each) for each in vars(onnx_proto).values() if type(each).__name__ == "Message"}
    assert compared == {id(message) for message, _ in MESSAGES}
    for message, theirs in MESSAGES:
        for number, kind in {**message.many, **message.once}.items():
            field = theirs.DESCRIPTOR.fields_by_number[number]
            assert kind == wire(field), field.name
            repeated = field.is_repeated and not field.GetOptions().packed
            assert repeated == (number in message.many), field.name
        for number in message.refused:
            assert number in theirs.DESCRIPTOR.fields_by_number


def test_nothing_of_onnx_is_forgotten():
    """Each field is read, read over or refused by name; what is left is refused by number."""
    left = {
        f"{theirs.DESCRIPTOR.name}.{field.name}"
        for message, theirs in MESSAGES
        for number, field in theirs.DESCRIPTOR.fields_by_number.items()
        if number not in {*message.many, *message.once, *message.refused}
    }
    assert left == {
        "AttributeProto.floats",
        "AttributeProto.strings",
        "AttributeProto.tensors",
        "AttributeProto.tp",
        "AttributeProto.type_protos",
        "TensorProto.double_data",
        "TensorProto.string_data",
        "TensorProto.uint64_data",
        "TypeProto.map_type",
        "TypeProto.opaque_type",
        "TypeProto.optional_type",
        "TypeProto.sequence_type",
        "TypeProto.sparse_tensor_type",
    }

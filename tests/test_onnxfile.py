import onnx

from impasto import onnxfile


def test_a_network_that_is_read_and_written_is_the_same(style):
    model = style.model()
    before = onnx.load_from_string(model)
    after = onnx.load_from_string(onnxfile.read(model).encoded())
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
    network, known = onnxfile.read(model), onnx.load_from_string(model).graph
    for node, expected in zip(network.nodes, known.node, strict=True):
        for attribute in expected.attribute:
            if attribute.type == onnx.AttributeProto.INTS:
                assert node.numbers(attribute.name, []) == list(attribute.ints)
        assert node.numbers("no such thing", [7]) == [7]
    for tensor in known.initializer:
        assert onnxfile.shape(network.constants[tensor.name]) == list(tensor.dims)
    floats = onnx.helper.make_tensor("f", onnx.TensorProto.FLOAT, [3], [0.5, -2, 4])
    assert onnxfile.floats(floats.SerializeToString()) == [0.5, -2, 4]


def test_constants_and_declarations_are_those_that_onnx_would_write():
    made = onnx.TensorProto.FromString(onnxfile.constant("axes", [2, -1]))
    assert onnx.numpy_helper.to_array(made).tolist() == [2, -1]
    info = onnx.ValueInfoProto.FromString(onnxfile.tensor_info("x", onnxfile.FLOAT, 4))
    assert info.name == "x"
    assert info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert len(info.type.tensor_type.shape.dim) == 4

"""Shapes of single operators, as onnxruntime makes them."""

import itertools

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from impasto.inference import shapes
from impasto.inference.onnx_proto import Node
from impasto.inference.tensors import Tensor

PICTURE = np.zeros((1, 4, 10, 13), np.float32)
MATRIX = np.zeros((5, 7), np.float32)


def floats(*shape):
    return np.zeros(shape, np.float32)


def wholes(*values):
    return np.array(values, np.int64)


CASES = {
    "conv": ("Conv", [PICTURE, floats(6, 2, 3, 3)], {"group": 2, "strides": [2, 1]}),
    "conv dilated": (
        "Conv", [PICTURE, floats(6, 4, 3, 2)], {"dilations": [2, 3], "pads": [1, 0, 2, 3]}
    ),
    "transposed": (
        "ConvTranspose",
        [PICTURE, floats(4, 3, 3, 3)],
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    ),
    "transposed in groups": (
        "ConvTranspose",
        [PICTURE, floats(4, 3, 3, 2)],
        {"group": 2, "strides": [3, 2], "dilations": [2, 1], "pads": [0, 1, 1, 0]},
    ),
    "pool": ("MaxPool", [PICTURE], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "pool with pads": ("MaxPool", [PICTURE], {"kernel_shape": [3, 2], "pads": [1, 1, 1, 0]}),
    "depth": ("DepthToSpace", [PICTURE], {"blocksize": 2}),
    "gemm": ("Gemm", [MATRIX, floats(3, 5)], {"transA": 1, "transB": 1}),
    "matrices": ("MatMul", [MATRIX, floats(7, 2)], {}),
    "row": ("MatMul", [floats(7), floats(7, 2)], {}),
    "column": ("MatMul", [MATRIX, floats(7)], {}),
    "batches": ("MatMul", [floats(3, 1, 5, 7), floats(4, 7, 2)], {}),
    "sum": ("ReduceSum", [PICTURE, wholes(-1, 1)], {"keepdims": 0}),
    "mean": ("ReduceMean", [PICTURE, wholes(2, 3)], {}),
    "sum of all": ("ReduceSum", [PICTURE], {"keepdims": 0}),
    "no sum": ("ReduceSum", [PICTURE], {"noop_with_empty_axes": 1}),
    "squares": ("ReduceSumSquare", [PICTURE, wholes(2, 3)], {}),
    "size": ("Size", [PICTURE], {}),
    "padded": ("Pad", [PICTURE, wholes(0, 0, 1, 2, 0, 0, 3, 4)], {"mode": "edge"}),
    "reflected": ("Pad", [PICTURE, wholes(0, 0, 9, 0, 0, 0, 0, 12)], {"mode": "reflect"}),
    "larger": ("Resize", [PICTURE, floats(0), np.float32([1, 1, 1.7, 2.2])], {}),
    "smaller": ("Resize", [PICTURE, floats(0), np.float32([1, 1, 1 / 3, 0.5])], {"mode": "linear"}),
    "sized": ("Resize", [PICTURE, None, None, wholes(1, 4, 3, 50)], {}),
    "sliced": (
        "Slice", [PICTURE, wholes(1, -20), wholes(2**62, -2), wholes(2, 3), wholes(2, 3)], {}
    ),
    "sliced from behind": ("Slice", [PICTURE, wholes(-3), wholes(-1), wholes(-2)], {}),
    "joined": ("Concat", [PICTURE, PICTURE, PICTURE], {"axis": -3}),
    "taken": ("Gather", [PICTURE, np.array([[0, -1, 3]])], {"axis": 1}),
    "one taken": ("Gather", [PICTURE, np.array(2)], {"axis": -1}),
    "turned": ("Transpose", [PICTURE], {"perm": [0, 3, 1, 2]}),
    "turned round": ("Transpose", [PICTURE], {}),
    "reshaped": ("Reshape", [PICTURE, wholes(0, 2, -1)], {}),
    "reshaped whole": ("Reshape", [PICTURE, wholes(26, 20)], {"allowzero": 1}),
    "squeezed": ("Squeeze", [floats(1, 3, 1, 2)], {}),
    "squeezed there": ("Squeeze", [floats(1, 3, 1, 2), wholes(-2)], {}),
    "unsqueezed": ("Unsqueeze", [MATRIX, wholes(0, -1, 2)], {}),
    "expanded": ("Expand", [floats(3, 1), wholes(2, 1, 6)], {}),
    "tiled": ("Tile", [MATRIX, wholes(2, 3)], {}),
    "power": ("Pow", [MATRIX, floats(1, 7)], {}),
    "broadcast": ("Add", [PICTURE, floats(4, 1, 1)], {}),
    "cast": ("Cast", [PICTURE], {"to": TensorProto.UINT8}),
    "half": ("Cast", [PICTURE], {"to": TensorProto.FLOAT16}),
    "bytes": ("QuantizeLinear", [PICTURE, np.float32(1), np.uint8(3)], {}),
    "bytes with a sign": ("QuantizeLinear", [PICTURE, np.float32(1), np.int8(3)], {}),
    "floats": ("DequantizeLinear", [np.zeros((2, 3), np.int8), np.float32(1), np.int8(3)], {}),
    "normalised": ("InstanceNormalization", [PICTURE, floats(4), floats(4)], {}),
    "layer": ("LayerNormalization", [MATRIX, floats(7)], {}),
    "shape": ("Shape", [PICTURE], {"start": 1, "end": -1}),
    "quotient": ("Div", [wholes(7, -7, 7, -7, 0), wholes(2, 2, -2, -2, 5)], {}),
    "rest": ("Mod", [wholes(7, -7, 7, -7, 0), wholes(8, 8, -2, -2, 5)], {}),
    "product": ("Mul", [wholes(7, 2**31), wholes(-2**31)], {}),
    "difference": ("Sub", [wholes(7, 1), np.array(3)], {}),
    "numbers taken": ("Gather", [wholes(7, 1, 5), np.array(-1)], {"axis": 0}),
    "numbers sliced": ("Slice", [wholes(7, 1, 5), wholes(1), wholes(9), wholes(0)], {}),
    "numbers joined": ("Concat", [wholes(7, 1), wholes(5)], {"axis": 0}),
    "number": ("Squeeze", [wholes(7), wholes(0)], {}),
    "list": ("Unsqueeze", [np.array(7), wholes(0)], {}),
    "shorter": ("Cast", [wholes(7, -1)], {"to": TensorProto.INT32}),
    "from bytes": ("Cast", [np.uint8([200, 3])], {"to": TensorProto.INT64}),
    "reshaped numbers": ("Reshape", [np.array(7), wholes(-1)], {}),
}  # fmt: skip


def run(op, inputs, outputs, attributes):
    """What onnxruntime makes of constants that are inputs."""
    names = [f"i{number}" if each is not None else "" for number, each in enumerate(inputs)]
    given = {n: np.asarray(each) for n, each in zip(names, inputs, strict=True) if each is not None}
    ports = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in given.items()
    ]
    node = helper.make_node(op, names, outputs, **attributes)
    ends = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph([node], "g", ports, ends)
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, given)


@pytest.mark.parametrize("name", CASES)
def test_a_shape_is_what_a_runtime_makes(name):
    op, inputs, attributes = CASES[name]
    (expected,) = run(op, inputs, ["o"], attributes)
    ours = {key: tuple(v) if isinstance(v, list) else v for key, v in attributes.items()}
    tensors = [None if each is None else Tensor.of(np.asarray(each)) for each in inputs]
    (found,) = shapes.made(Node(op, ("",) * len(inputs), ("o",), ours), tensors)
    assert found.shape == np.shape(expected)
    assert numpy_helper.from_array(np.asarray(expected)).data_type == found.kind
    if found.values is not None:
        assert np.array_equal(found.values, expected)
    assert (found.values is not None) == (
        expected.dtype.kind == "i" and op != "Size" and name != "bytes with a sign"
    )


def test_parts_are_those_of_a_runtime():
    expected = run("Split", [PICTURE, wholes(3, 10)], ["a", "b"], {"axis": 3})
    node = Node("Split", ("x", "parts"), ("a", "b"), {"axis": 3})
    found = shapes.made(node, [Tensor.of(PICTURE), Tensor.of(wholes(3, 10))])
    assert [each.shape for each in found] == [each.shape for each in expected]


WRONG = {
    "channels": ("Conv", [PICTURE, floats(6, 3, 3, 3)], {}),
    "kernel": ("Conv", [PICTURE, floats(6, 4, 3, 3)], {"kernel_shape": (2, 2)}),
    "too small": ("Conv", [PICTURE, floats(6, 4, 20, 20)], {}),
    "matrices": ("MatMul", [MATRIX, MATRIX], {}),
    "gemm": ("Gemm", [MATRIX, MATRIX], {}),
    "axes": ("Transpose", [PICTURE], {"perm": (0, 1, 1, 2)}),
    "axis": ("Squeeze", [PICTURE, wholes(1)], {}),
    "no axis": ("ReduceSum", [np.float32(1), wholes(1)], {}),
    "joined": ("Concat", [PICTURE, MATRIX], {"axis": 0}),
    "joined beside": ("Concat", [PICTURE, floats(1, 4, 10, 12)], {"axis": 1}),
    "numbers": ("Reshape", [PICTURE, wholes(7)], {}),
    "two free": ("Reshape", [PICTURE, wholes(-1, -1)], {}),
    "free of none": ("Reshape", [PICTURE, wholes(-1, 0)], {"allowzero": 1}),
    "below 0": ("Reshape", [PICTURE, wholes(-520, -1)], {}),
    "parts": ("Split", [PICTURE, wholes(3, 3)], {"axis": 3}),
    "blocks": ("DepthToSpace", [PICTURE], {"blocksize": 3}),
    "no block": ("DepthToSpace", [PICTURE], {}),
    "kind": ("Cast", [PICTURE], {"to": 8}),
    "beyond": ("Gather", [PICTURE, np.array(4)], {"axis": 1}),
    "beyond numbers": ("Gather", [wholes(1, 2), np.array(2)], {"axis": 0}),
    "nothing left": ("Slice", [PICTURE, wholes(10), wholes(20), wholes(2)], {}),
    "back": ("Slice", [PICTURE, wholes(9), wholes(0), wholes(2), wholes(-1)], {}),
    "starts": ("Slice", [PICTURE, wholes(0, 1), wholes(2), wholes(2)], {}),
    "scales": ("Resize", [PICTURE, None, np.float32([1, 1])], {}),
    "enlarged for ever": ("Resize", [PICTURE, None, np.float32([1, 1, 1e38, 1])], {}),
    "repeated": ("Tile", [MATRIX, wholes(2)], {}),
    "not expanded": ("Expand", [MATRIX, wholes(2, 7)], {}),
    "together": ("Add", [PICTURE, MATRIX], {}),
    "numbers together": ("Add", [wholes(1, 2), wholes(1, 2, 3)], {}),
    "by zero": ("Div", [wholes(1), wholes(0)], {}),
    "large": ("Mul", [wholes(2**32), wholes(1)], {}),
    "largest": ("Div", [wholes(-(2**63)), wholes(-1)], {}),
    "missing": ("MatMul", [MATRIX], {}),
    "rank": ("Unsqueeze", [floats(*(1,) * 8), wholes(0)], {}),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_go_together_is_refused(name):
    op, inputs, attributes = WRONG[name]
    tensors = [None if each is None else Tensor.of(np.asarray(each)) for each in inputs]
    outputs = ("o", "p") if op == "Split" else ("o",)
    with pytest.raises(ValueError, match=f"the sizes at its {op} do not go together"):
        shapes.made(Node(op, ("",) * len(inputs), outputs, attributes), tensors)


def test_any_sizes_are_refused_or_made(rng):
    """No number that a file gives ends in another error."""
    for op, count in itertools.product((*shapes._SHAPES, "Split", "Shape", "Relu"), range(40)):
        inputs = [
            Tensor.of(rng.integers(-9, 9, rng.integers(0, 5)))
            if rng.random() < 0.5
            else Tensor.of(np.zeros(rng.integers(0, 6, rng.integers(0, 5)), np.float32))
            for _ in range(count % 5)
        ]
        numbers = ("axis", "blocksize", "group", "to", "start", "end", "allowzero", "keepdims")
        lists = ("perm", "pads", "strides", "kernel_shape", "dilations", "output_padding")
        attributes = {name: int(rng.integers(-3, 9)) for name in numbers if rng.random() < 0.5}
        attributes |= {
            name: tuple(map(int, rng.integers(-1, 4, rng.integers(0, 5))))
            for name in lists
            if rng.random() < 0.5
        }
        try:
            made = shapes.made(Node(op, ("",) * len(inputs), ("o",), attributes), inputs)
        except ValueError:
            continue
        assert all(0 <= side < 2**31 for each in made for side in each.shape)

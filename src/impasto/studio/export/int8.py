"""One file to another: a network with its large convolutions in 8 bits.

It is post-training static quantisation (Jacob et al. 2018, arXiv 1712.05877) of the large
convolutions alone, in the QDQ format, with onnxruntime's quantiser. Weights are quantised per
channel. Activations have the mean of their ranges on photographs, so that one odd photograph does
not coarsen all others. These convolutions take and give 8 bits, and their padding moves 8 bits.
Some parts have few channels: normalisation, enlargement, and the first and last convolution. They
stay in floats. In 8 bits they are no faster, and lose more.

Weights use 7 of their 8 bits. CPUs without VNNI add pairs of products in 16 bits. Unsigned
activations and full weights overflow those. With 7 bits a style paints the same picture on all
CPUs. The cost is less than a tenth of a level.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from impasto.errors import TrainingError
from impasto.inference import runtimes
from impasto.studio.export import onnx as onnx_graph
from impasto.studio.export.fp16 import halved, widened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.inference.onnx_proto import Array

quantization = runtimes.quantization()

LARGE = 256
"""Number of products in a convolution's sum from which 8 bits are faster."""

Input = tuple["NDArray[np.uint8]", list[float]]
"""A photograph, ``(H, W, 3)``, and the share of each style in its painting."""


def large(model: bytes) -> list[str]:
    """Return the names of the convolutions that are worth 8 bits, in their order.

    Raises:
        TrainingError: there is none.
    """
    graph = widened(model).graph
    shapes = {tensor.name: tensor.dims for tensor in graph.initializer}
    names = [
        str(node.name)
        for node in graph.node
        if node.op_type == "Conv" and math.prod(shapes[node.input[1]][1:]) >= LARGE
    ]
    if not names:
        raise TrainingError(
            "this network is too small to be faster in 8 bits", hint="keep the style as it is"
        )
    return names


def to_int8(model: bytes, inputs: Iterator[Input], names: Sequence[str]) -> bytes:
    """Bring the convolutions of these names to 8 bits.

    All other weights are stored in halves, like those of all styles, and computed in floats. The
    ranges are measured on ``inputs``.
    """
    parsed = widened(model)
    reader = _Reader([str(port.name) for port in parsed.graph.input], inputs)
    eight = {output for node in parsed.graph.node if node.name in names for output in node.output}
    # An activation behind a convolution of 8 bits is part of it: the measured range is its own.
    others = [
        node.name
        for node in parsed.graph.node
        if node.name not in names and not eight.intersection(node.input)
    ]
    with tempfile.TemporaryDirectory() as folder, onnx_graph.quiet("root"):
        path = Path(folder) / "style.onnx"
        quantization.quantize_static(
            parsed,
            path,
            reader,
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu"],
            nodes_to_exclude=others,
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )
        return halved(_padding_bytes(path.read_bytes()))


def _padding_bytes(model: bytes) -> bytes:
    """Move padding behind the conversion to 8 bits, so that it pads bytes.

    Repeating an edge and rounding may change places. Zeros would have to be the zero point, and are
    left as they are.
    """
    parsed = onnx.load_from_string(model)
    nodes = list(parsed.graph.node)
    maker = {name: node for node in nodes for name in node.output}
    readers = Counter(name for node in nodes for name in node.input)
    for rounding in [node for node in nodes if node.op_type == "QuantizeLinear"]:
        pad = maker.get(rounding.input[0])
        if pad is None or not _repeats(pad) or readers[pad.output[0]] > 1:
            continue
        rounded = f"{rounding.output[0]}.narrow"
        pad.output[0], rounding.output[0] = rounding.output[0], rounded
        pad.input[0], rounding.input[0] = rounded, pad.input[0]
        here = nodes.index(pad)
        nodes.remove(rounding)
        nodes.insert(here, rounding)
    del parsed.graph.node[:]
    parsed.graph.node.extend(nodes)
    return bytes(parsed.SerializeToString())


def _repeats(node: onnx.NodeProto) -> bool:
    modes = [each.s for each in node.attribute if each.name == "mode"]
    return node.op_type == "Pad" and len(node.input) == 2 and modes in ([b"edge"], [b"reflect"])


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
    """Feeds the quantiser, one input of the network after the other."""

    def __init__(self, names: Sequence[str], inputs: Iterator[Input]) -> None:
        self._names, self._inputs = names, inputs

    def get_next(self) -> dict[str, Array] | None:
        pair = next(self._inputs, None)
        if pair is None:
            return None
        tensors = (pair[0][None], np.asarray(pair[1], np.float32))
        return dict(zip(self._names, tensors, strict=False))

"""Weights of half precision on the disk, of single precision at work.

A style's file is almost all weights. Nobody sees the eleventh binary digit of one: the painting
changes by a few hundredths of a level. The runtime widens the weights once, when it makes a
session. Then it computes in floats as before.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import helper, numpy_helper

_FEWEST = 256
"""Fewest numbers of a weight that is halved; biases and scales have fewer, and stay as they are."""


def halved(data: bytes) -> bytes:
    """Write the file of a network with its larger weights in half precision, each followed by a
    Cast."""
    model = onnx.load_from_string(data)
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and math.prod(tensor.dims) >= _FEWEST:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            name = f"{tensor.name}.half"
            casts.append(helper.make_node("Cast", [name], [tensor.name], to=tensor.data_type))
            tensor.CopyFrom(numpy_helper.from_array(half, name))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def widened(data: bytes) -> onnx.ModelProto:
    """Read the network of a file, all weights in single precision, as tools want it."""
    model = onnx.load_from_string(data)
    graph = model.graph
    widths = {node.input[0]: node for node in graph.node if node.op_type == "Cast"}
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT16 and tensor.name in widths:
            cast = widths[tensor.name]
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, cast.output[0]))
            graph.node.remove(cast)
    return model

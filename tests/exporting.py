"""torch's exporter, called once for each shape of network.

It takes ten seconds for any network, nearly all of them to reason about heights and widths, which
have nothing to do with the weights. So a network of a shape that was exported before gets that
graph with its own weights; ``to_onnx`` compares it with the network as it compares any other.
"""

from types import SimpleNamespace

import numpy as np
import onnx
from onnx import numpy_helper


class Exporter:
    """Stands for ``torch.onnx.export``, which it calls as ``real``."""

    def __init__(self, real):
        self.real, self._known = real, {}

    def __call__(self, graph, args, **options):
        state = {name: weight.numpy() for name, weight in graph.state_dict().items()}
        shapes = [(name, value.shape) for name, value in state.items()]
        key = repr((type(graph), graph.network.options, shapes, [each.shape for each in args]))
        if key in self._known:
            return _filled(*self._known[key], state)
        program = self.real(graph, args, **options)
        model = program.model_proto
        sources = _sources(model, state)
        if sources is not None:
            self._known[key] = model, sources
        return program


def _sources(model, state):
    """Which weight each constant of the graph holds; None if that cannot be told, as where the
    exporter has multiplied weights, or where several of them are equal."""
    holds = {}
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if tensor.name in state:
            equal = [tensor.name] if np.array_equal(value, state[tensor.name]) else []
        else:
            equal = [n for n, each in state.items() if np.array_equal(each.ravel(), value.ravel())]
            if not equal and (value.size <= 4 or value.dtype != np.float32):
                continue  # a size or a step of the graph
        if len(equal) != 1:
            return None
        holds[tensor.name] = equal[0]
    return holds


def _filled(model, sources, state):
    """The graph with these weights, as much of torch's program as ``to_onnx`` looks at."""
    filled = onnx.ModelProto.FromString(model.SerializeToString())
    for node in filled.graph.node:
        node.ClearField("metadata_props")
    for tensor in filled.graph.initializer:
        if tensor.name in sources:
            tensor.raw_data = state[sources[tensor.name]].tobytes()
    return SimpleNamespace(model=SimpleNamespace(graph=()), model_proto=filled)

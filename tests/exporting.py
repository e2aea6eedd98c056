"""torch's exporter, called once for each shape of network.

It takes ten seconds for any network. It spends nearly all of them on heights and widths, which have
nothing to do with the weights. So it exports each shape of network once. Another network of that
shape gets the same graph with its own weights. ``to_onnx`` compares it with the network, as it
compares any other.

``exported/`` keeps the graphs, without weights, of the shapes that the tests use. The name of a
file is a hash of the shape and of the exporter's versions. The graph's ``doc_string`` says what
code of the networks it was made with, and the graph counts for that code alone. Docstrings and
comments are not part of it. After a change of either, ``KEEP_EXPORTS=1 make test`` keeps new ones.

The exporter multiplies the weights of batch normalisations. Nothing can tell them from each other
then. Such a network is kept with its weights, and counts for these weights alone.
"""

import copy
import hashlib
import importlib.metadata
import inspect
import os
import sys
from functools import cache
from io import StringIO
from pathlib import Path
from tokenize import COMMENT, DEDENT, INDENT, NEWLINE, NL, STRING, generate_tokens
from types import SimpleNamespace

import numpy as np
import onnx
import torch
from onnx import numpy_helper

FOLDER = Path(__file__).with_name("exported")
_KEEPS = bool(os.environ.get("KEEP_EXPORTS"))
_SOURCE = "source"


class Exporter:
    """Stands for ``torch.onnx.export``, which it calls as ``real``."""

    def __init__(self, real, folder=FOLDER):
        self.real, self.folder, self._known = real, folder, {}

    def __call__(self, graph, args, **options):
        if not hasattr(graph, "network"):
            return self.real(graph, args, **options)
        name = _name(graph, args, options)
        if _has_batch_norm(graph):
            return self._whole(graph, args, options, f"{name}-{_digest(graph)}")
        if name not in self._known:
            self._known[name] = self._template(graph, args, options, name)
        template = self._known[name]
        if template is None:
            return self.real(graph, args, **options)
        filled = _filled(template, _state(graph))
        return SimpleNamespace(model=SimpleNamespace(graph=()), model_proto=filled)

    def _whole(self, graph, args, options, name):
        """What the exporter makes of a network with exactly these weights."""
        path = self.folder / f"{name}.onnx"
        kept = _kept(path, graph)
        if kept is None:
            exported = self.real(graph, args, **options)
            if not _KEEPS:
                return exported
            kept = _keep(path, exported.model_proto, graph)
        return SimpleNamespace(model=SimpleNamespace(graph=()), model_proto=_plain(kept))

    def _template(self, graph, args, options, name):
        """The graph that tells which weight each of its constants holds.

        None where nothing can tell that, as where the exporter multiplies weights.
        """
        path = self.folder / f"{name}.onnx"
        kept = _kept(path, graph)
        if kept is not None:
            return kept
        probe = _probe(graph)
        template = _told(self.real(probe, args, **options).model_proto, _state(probe))
        if template and _KEEPS:
            _keep(path, template, graph)
        return template


def _kept(path, graph):
    """The graph of the file, if it was made with the code as it is."""
    model = onnx.load(path) if path.exists() else None
    if model is None or model.doc_string != code(graph):
        return None
    model.producer_version = torch.__version__  # of another build, such as one for CUDA
    return model


def _keep(path, model, graph):
    kept = _plain(model)
    kept.doc_string = code(graph)
    path.parent.mkdir(exist_ok=True)
    onnx.save(kept, path)
    return kept


def _plain(model):
    """A copy without what the exporter says of itself."""
    plain = onnx.ModelProto.FromString(model.SerializeToString())
    plain.ClearField("doc_string")
    for node in plain.graph.node:
        node.ClearField("metadata_props")
    return plain


def _digest(graph):
    weights = (np.ascontiguousarray(each).tobytes() for each in _state(graph).values())
    return hashlib.sha256(b"".join(weights)).hexdigest()[:16]


def _has_batch_norm(graph):
    """Whether the exporter multiplies weights, which then cannot be told from each other."""
    return any(isinstance(part, torch.nn.BatchNorm2d) for part in graph.modules())


def code(graph):
    """The modules of impasto that a network is written in, and what they are, as a hash."""
    kinds = (kind for part in graph.modules() for kind in type(part).__mro__)
    names = sorted({kind.__module__ for kind in kinds if kind.__module__.startswith("impasto.")})
    return f"{' '.join(names)} {hashed(tuple(names))}"


@cache
def hashed(names):
    sources = (statements(inspect.getsource(sys.modules[name])) for name in names)
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]


def statements(source):
    """What Python runs of a source: its lines without docstrings, comments and empty lines.

    Lines, because each version of Python has another tree for the same code.
    """
    lines = source.splitlines()
    tokens = [each for each in generate_tokens(StringIO(source).readline) if each.type != NL]
    for token in tokens:
        if token.type == COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    code = [each for each in tokens if each.type != COMMENT]
    for before, token, after in zip([None, *code], code, code[1:], strict=False):
        starts = before is None or before.type in {NEWLINE, INDENT, DEDENT}
        if starts and token.type == STRING and after.type == NEWLINE:
            rows = slice(token.start[0] - 1, token.end[0])
            lines[rows] = [""] * len(lines[rows])
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _name(graph, args, options):
    shapes = [(name, value.shape, str(value.dtype)) for name, value in _state(graph).items()]
    inputs = [each.shape for each in args], options["opset_version"], options["input_names"]
    versions = [importlib.metadata.version(each).split("+")[0] for each in _EXPORTERS]
    about = type(graph).__name__, graph.network.options, shapes, inputs, versions
    return hashlib.sha256(repr(about).encode()).hexdigest()[:16]


_EXPORTERS = "torch", "onnxscript"


def _state(graph):
    return {name: weight.numpy() for name, weight in graph.state_dict().items()}


def _probe(graph):
    """The same network with weights that can be told from each other."""
    probe, chance = copy.deepcopy(graph), torch.Generator().manual_seed(0)
    for weight in probe.state_dict().values():
        if weight.dtype.is_floating_point:
            weight.uniform_(0.5, 1.5, generator=chance)
    return probe


def _told(model, state):
    """The graph with the names of weights in place of them."""
    told = _plain(model)
    for tensor in told.graph.initializer:
        value = numpy_helper.to_array(tensor)
        equal = [n for n, each in state.items() if np.array_equal(each.ravel(), value.ravel())]
        if tensor.name in state:
            equal = [name for name in equal if name == tensor.name]
        elif not equal and (value.size <= 4 or value.dtype != np.float32):
            continue  # a size or a step of the graph
        if len(equal) != 1:
            return None
        tensor.ClearField("raw_data")
        tensor.metadata_props.add(key=_SOURCE, value=equal[0])
    return told


def _filled(template, state):
    filled = _plain(template)
    for tensor in filled.graph.initializer:
        if tensor.metadata_props:
            tensor.raw_data = state[tensor.metadata_props[0].value].tobytes()
            tensor.ClearField("metadata_props")
    return filled

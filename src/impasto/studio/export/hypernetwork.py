"""From a hypernetwork to the two files that make any painting a style, without torch.

``any.onnx`` is the loss network as far as it is needed, followed by the hypernetwork. It takes
bytes of a painting and gives weights. Its large constants are in 8 bits. ``style.onnx`` is the
*template*, an exported network whose weights are filled in later. They are zeros there, which take
no room in an archive.

Each output of the first file has the name of the network's parameter that it is. Some weights
differ in an exported network, with ranges and the last enlargement folded in
(:mod:`impasto.studio.export.folding`). Their names begin with ``export.``. The template's constants
have these names.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from impasto.catalog.hypernetwork import EXPORTED
from impasto.errors import OptionError, TrainingError
from impasto.options import HypernetworkOptions, NetworkOptions
from impasto.studio import networks
from impasto.studio.export import folding
from impasto.studio.export.fp16 import halved
from impasto.studio.export.onnx import OPSET, quiet, to_onnx
from impasto.studio.hypernetwork import LAYERS, Hypernetwork, key, scales
from impasto.studio.networks import Impasto
from impasto.studio.networks.grouped import Weights, one
from impasto.studio.perceptual.backbone import LossNetwork

_FEWEST = 1024
"""Fewest numbers of a constant that is brought to 8 bits."""
_HALF = ".half"
_INSIDE = "hypernetwork."
"""The beginning of the names of its own parameters in the file, beside those of the loss network.
"""


def any_onnx(hypernetwork: Hypernetwork, loss_network: LossNetwork) -> bytes:
    """Write the hypernetwork with its loss network as one ONNX file.

    It takes ``painting``, ``(1, H, W, 3)`` bytes; ``boldness``, ``(1,)``; ``share``, ``(1,)``; and
    ``others``, ``(1, embedding)``. It adds ``others`` to ``share`` times the painting's own
    embedding. It gives that sum as ``embedding``, and the weights for it. So a blend of several
    paintings takes a run for each.
    """
    graph = _Graph(hypernetwork, loss_network).eval()
    free = torch.export.Dim.DYNAMIC
    inputs = (
        torch.zeros(1, 96, 128, 3, dtype=torch.uint8),
        torch.ones(1),
        torch.ones(1),
        torch.zeros(1, hypernetwork.options.embedding),
    )
    with quiet("torch.onnx"):
        program = torch.onnx.export(
            graph,
            inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=["painting", "boldness", "share", "others"],
            output_names=["embedding", *graph.names()],
            dynamic_shapes={
                "painting": {1: free, 2: free},
                "boldness": None,
                "share": None,
                "others": None,
            },
            verbose=False,
        )
    assert program is not None
    for node in program.model.graph:
        node.metadata_props.clear()
    return in_8_bits(bytes(program.model_proto.SerializeToString()))


class _Graph(nn.Module):
    """Turns a painting's bytes into the weights of its network, as they are and as they are
    exported."""

    def __init__(self, hypernetwork: Hypernetwork, loss_network: LossNetwork) -> None:
        super().__init__()
        self.hypernetwork, self.loss_network = _scaled_down(hypernetwork), loss_network

    def forward(
        self, painting: Tensor, boldness: Tensor, share: Tensor, others: Tensor
    ) -> tuple[Tensor, ...]:
        features = self.loss_network(painting.permute(0, 3, 1, 2).float() / 255, LAYERS)
        own = self.hypernetwork.embedding(features, boldness)
        embedding = share * own + others
        weights = one(self.hypernetwork.decoder(embedding))
        return (embedding, *weights.values(), *exported(weights).values())

    def names(self) -> list[str]:
        """The names of the weights, in their order."""
        with torch.no_grad():
            embedding = torch.zeros(1, self.hypernetwork.options.embedding)
            weights = one(self.hypernetwork.decoder(embedding))
        return [*weights, *exported(weights)]


def _scaled_down(hypernetwork: Hypernetwork) -> Hypernetwork:
    """Fold the scales of the directions into the directions, one row for each direction."""
    copied = copy.deepcopy(hypernetwork).requires_grad_(False)
    for name, scale in zip(copied.decoder.large, copied.decoder.scales, strict=True):
        rows = copied.decoder.directions[key(name)].flatten(1) * scale
        copied.decoder.directions[key(name)] = nn.Parameter(rows, requires_grad=False)
    copied.decoder.scales.fill_(1)
    return copied


def exported(weights: Weights) -> Weights:
    """Return the weights of one network that have another value in an exported one."""
    stem = folding.from_bytes(weights["stem.weight"], weights["stem.bias"])
    out = folding.to_bytes(weights["out.conv.weight"], weights["out.conv.bias"])
    pairs = {"stem": stem, "out": folding.folded_weights(*out)}
    return {
        f"{EXPORTED}{name}.{part}": tensor
        for name, pair in pairs.items()
        for part, tensor in zip(("weight", "bias"), pair, strict=True)
    }


def template(options: NetworkOptions) -> bytes:
    """Export a network whose weights are zeros, named after the weights that go there.

    Raises:
        TrainingError: one of its weights is not to be found in the exported network.
    """
    torch.manual_seed(0)
    network = networks.build(options)
    if not isinstance(network, Impasto):
        raise TrainingError("only our own design is made by a hypernetwork")
    for parameter in network.parameters():  # its values shall identify each
        nn.init.uniform_(parameter, -0.1, 0.1)
    state = {name: each.detach() for name, each in network.state_dict().items()}
    model = onnx.load_from_string(halved(to_onnx(network)))
    names = dict(_renamed(model, state | exported(state)))
    missing = _wanted(state) - {name.removesuffix(_HALF) for name in names.values()}
    if missing:
        raise TrainingError(f"the exported network has no {', '.join(sorted(missing))}")
    for tensor in model.graph.initializer:
        if tensor.name in names:
            zeros = np.zeros_like(numpy_helper.to_array(tensor))
            tensor.CopyFrom(numpy_helper.from_array(zeros, names[tensor.name]))
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
    return bytes(model.SerializeToString())


def _wanted(state: Weights) -> set[str]:
    """Return the names of the weights that an exported network has."""
    others = {"stem.weight", "stem.bias", "out.conv.weight", "out.conv.bias"}
    return {*state, *exported(state)} - others


def _renamed(model: onnx.ModelProto, weights: Weights) -> Iterator[tuple[str, str]]:
    """Give the names of constants in an exported network, each with its new name."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        for name, weight in weights.items():
            own = np.asarray(weight).reshape(-1)
            close = values.size == own.size and np.allclose(values.reshape(-1), own, 1e-3, 1e-4)
            if close and values.dtype.kind == "f":
                yield tensor.name, name + (_HALF if values.dtype == np.float16 else "")


def restored(data: bytes, network: NetworkOptions) -> Hypernetwork:
    """Restore the hypernetwork from a file that :func:`any_onnx` made, to go on with its training.

    ``network`` is the shape of the networks that it makes.

    Raises:
        TrainingError: there is none in it, or one of another shape.
    """
    weights = {
        name.removeprefix(_INSIDE): torch.from_numpy(values.copy())
        for name, values in _constants(onnx.load_from_string(data)).items()
        if name.startswith(_INSIDE)
    }
    try:
        hypernetwork = Hypernetwork(_options(weights), network)
        names = hypernetwork.decoder.large
        starts = {name: weights[f"decoder.start.{key(name)}"] for name in names}
        weights["decoder.scales"] = scales(starts)
        for name, scale in zip(names, weights["decoder.scales"], strict=True):
            rows = weights[f"decoder.directions.{key(name)}"] / scale
            weights[f"decoder.directions.{key(name)}"] = rows.reshape(-1, *starts[name].shape)
        hypernetwork.load_state_dict(weights)
    except (KeyError, RuntimeError, StopIteration, OptionError) as error:
        raise TrainingError(f"there is no such hypernetwork in the file: {error}") from error
    return hypernetwork.eval()


def _options(weights: Weights) -> HypernetworkOptions:
    hidden, embedding = weights["encoder.reduce.bias"], weights["encoder.embed.bias"]
    components = weights[f"encoder.components_{next(iter(LAYERS))}"]
    directions = next(each for name, each in weights.items() if ".directions." in name)
    return HypernetworkOptions(
        components=components.shape[1],
        hidden=len(hidden),
        embedding=len(embedding),
        directions=len(directions),
    )


def _constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Return the constants of a network, those in 8 bits as floats."""
    held = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    constants = {}
    for name, values in held.items():
        whole, _, part = name.rpartition(".")
        if part == "codes":
            constants[whole] = held[f"{whole}.table"][values]
        elif part == "levels":
            constants[whole] = held[f"{whole}.scale"] * values
        elif part not in ("table", "scale"):
            constants[name] = values
    return constants


def in_8_bits(data: bytes) -> bytes:
    """Write a network's file with its large constants in 8 bits; nodes in front make floats of
    them.

    Constants of at most 256 values, such as weights from a codebook, stay exactly what they are. Of
    others, each row has a scale of its own.
    """
    model = onnx.load_from_string(data)
    graph, nodes = model.graph, []
    for tensor in list(graph.initializer):
        large = len(tensor.dims) > 1 and math.prod(tensor.dims) >= _FEWEST
        if large and tensor.data_type == onnx.TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor)
            graph.initializer.remove(tensor)
            constants, more = _coded(tensor.name, values) or _scaled(tensor.name, values)
            graph.initializer.extend(constants)
            nodes += more
    nodes += list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(model.SerializeToString())


_Packed = tuple[list[onnx.TensorProto], list[onnx.NodeProto]]


def _coded(name: str, values: np.ndarray) -> _Packed | None:
    """Pack values as places in a table, if there are few enough different values."""
    table, codes = np.unique(values, return_inverse=True)
    if len(table) > 256:
        return None
    codes = codes.reshape(values.shape).astype(np.uint8)
    constants = {f"{name}.table": table, f"{name}.codes": codes}
    nodes = [
        helper.make_node("Cast", [f"{name}.codes"], [f"{name}.places"], to=onnx.TensorProto.INT32),
        helper.make_node("Gather", [f"{name}.table", f"{name}.places"], [name]),
    ]
    return [numpy_helper.from_array(each, key) for key, each in constants.items()], nodes


def _scaled(name: str, values: np.ndarray) -> _Packed:
    """Pack values as whole numbers of -127..127, with the size of one for each row."""
    rows = tuple(range(1, values.ndim))
    scale = np.abs(values).max(rows, keepdims=True) / 127
    scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
    levels = np.round(values / scale).astype(np.int8)
    constants = {f"{name}.levels": levels, f"{name}.scale": scale}
    nodes = [
        helper.make_node("Cast", [f"{name}.levels"], [f"{name}.wide"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.wide", f"{name}.scale"], [name]),
    ]
    return [numpy_helper.from_array(each, key) for key, each in constants.items()], nodes

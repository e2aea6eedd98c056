"""ONNX files, read strictly and written: as much of the format as a style's network needs.

ONNX is protobuf (onnx/onnx.proto3). Of its many messages only a few fields matter here. To read
those takes less than to ship the onnx package, which weighs 40 MB. Nothing else ever runs: a
runtime gets a network as it is written here, and never the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from impasto.inference.protobuf import (
    BYTES,
    FLOAT,
    NUMBER,
    Fields,
    Message,
    encode,
    packed,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    """An array of any kind of number, as networks take and give them."""
    Weights = dict[str, Array]

Attribute: TypeAlias = int | float | str | tuple[int, ...]
"""A setting of an operator."""

OPSET = 18
"""Version of ONNX's operators; impasto has never written another."""

SINGLE, UINT8, INT8, INT32, INT64, HALF = 1, 2, 3, 6, 7, 10
DTYPES = {SINGLE: "<f4", UINT8: "u1", INT8: "i1", INT32: "<i4", INT64: "<i8", HALF: "<f2"}
"""Kinds of numbers, by ONNX's codes for them."""
_REALS = SINGLE, HALF

_IR_VERSIONS = range(3, 14)
_MOST_NODES, _MOST_CONSTANTS, _LONGEST_NAME = 4000, 4000, 1000
_MOST_PORTS, _MOST_AXES = 256, 8
_LARGEST_NOTES = 4 * 2**20
"""Most bytes to skip: notes of exporters, and shapes that impasto works out anew."""

_SPARSE, _OUTSIDE = "it has sparse weights", "its weights lie outside the file"
_FUNCTIONS, _BRANCHES = "it defines functions", "it has loops or branches"

_OPSET = Message("an operator set", once={1: BYTES, 2: NUMBER})
_MODEL = Message(
    "the model",
    many={8: BYTES, 14: BYTES},
    once={1: NUMBER, 2: BYTES, 3: BYTES, 4: BYTES, 5: NUMBER, 6: BYTES, 7: BYTES},
    refused={20: "it says how to train it", 25: _FUNCTIONS, 26: "it names devices"},
)
_GRAPH = Message(
    "the graph",
    many={1: BYTES, 5: BYTES, 11: BYTES, 12: BYTES, 13: BYTES, 14: BYTES, 16: BYTES},
    once={2: BYTES, 10: BYTES},
    refused={15: _SPARSE},
)
_NODE = Message(
    "a node",
    many={1: BYTES, 2: BYTES, 5: BYTES, 9: BYTES},
    once={3: BYTES, 4: BYTES, 6: BYTES, 7: BYTES},
    refused={8: _FUNCTIONS, 10: "it names devices"},
)
_ATTRIBUTE = Message(
    "an attribute",
    many={8: NUMBER},
    once={1: BYTES, 2: FLOAT, 3: NUMBER, 4: BYTES, 5: BYTES, 13: BYTES, 20: NUMBER},
    refused={6: _BRANCHES, 11: _BRANCHES, 21: _FUNCTIONS, 22: _SPARSE, 23: _SPARSE},
)
_TENSOR = Message(
    "a tensor",
    many={1: NUMBER, 16: BYTES},
    once={2: NUMBER, 4: BYTES, 5: BYTES, 7: BYTES, 8: BYTES, 9: BYTES, 12: BYTES, 14: NUMBER},
    refused={3: "its weights come in pieces", 13: _OUTSIDE},
)
_PORT = Message("a port", many={4: BYTES}, once={1: BYTES, 2: BYTES, 3: BYTES})
_TYPE = Message("a type", once={1: BYTES, 6: BYTES})
_TENSOR_TYPE = Message("a tensor's type", once={1: NUMBER, 2: BYTES})
_SHAPE = Message("a shape", many={1: BYTES})
_AXIS = Message("an axis", once={1: NUMBER, 2: BYTES, 3: BYTES})

_NOTES = (
    (_MODEL, (2, 3, 4, 6, 14)),
    (_GRAPH, (10, 13, 14, 16)),
    (_NODE, (6, 9)),
    (_TENSOR, (12, 16)),
    (_PORT, (3, 4)),
    (_ATTRIBUTE, (13,)),
)
"""Fields that are skipped."""

_FLOAT_DATA, _INT32_DATA, _INT64_DATA, _RAW_DATA = 4, 5, 7, 9
_PLACES = {
    SINGLE: _FLOAT_DATA,
    INT64: _INT64_DATA,
    **dict.fromkeys((HALF, UINT8, INT8, INT32), _INT32_DATA),
}
"""Kinds of numbers, each with the field that holds them where they are not raw."""

_REAL, _WHOLE, _TEXT, _CONSTANT, _WHOLES = 1, 2, 3, 4, 7
_KIND_OF_ATTRIBUTE = {_REAL: 2, _WHOLE: 3, _TEXT: 4, _CONSTANT: 5, _WHOLES: 8}
"""Kinds of attributes, each with the field of its value."""


@dataclass(frozen=True)
class Node:
    """One operation. Only tools ask for its ``name``."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    name: str = ""

    def wholes(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return the whole numbers of the attribute of this name."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, tuple) else default

    def whole(self, name: str, default: int) -> int:
        """Return the whole number of the attribute of this name."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, int) else default

    def text(self, name: str, default: str) -> str:
        """Return the text of the attribute of this name."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, str) else default

    def encoded(self) -> bytes:
        return b"".join(
            (
                *(encode(1, name) for name in self.inputs),
                *(encode(2, name) for name in self.outputs),
                *([encode(3, self.name)] if self.name else []),
                encode(4, self.op),
                *(encode(5, _attribute(*each)) for each in self.attributes.items()),
            )
        )


@dataclass(frozen=True)
class Port:
    """An input or output of a network: a kind of numbers, and a shape.

    A side that is None is free.
    """

    kind: int
    shape: tuple[int | None, ...]

    def encoded(self, name: str) -> bytes:
        axes = b"".join(
            encode(1, encode(2, f"{name}.{axis}") if side is None else encode(1, side))
            for axis, side in enumerate(self.shape)
        )
        tensor = encode(1, self.kind) + encode(2, axes)
        return encode(1, name) + encode(2, encode(1, tensor))


@dataclass(frozen=True)
class Network:
    """What a network computes, in an order in which each node finds its inputs ready.

    Constants are weights and whole numbers, by name. Inputs and outputs are by name, too.
    """

    nodes: tuple[Node, ...]
    constants: Weights = field(repr=False)
    inputs: dict[str, Port]
    outputs: dict[str, Port]

    def encoded(self) -> bytes:
        """Write the network as an ONNX file."""
        graph = b"".join(
            (
                *(encode(1, node.encoded()) for node in self.nodes),
                encode(2, "style"),
                *(encode(5, constant(*each)) for each in self.constants.items()),
                *(encode(11, port.encoded(name)) for name, port in self.inputs.items()),
                *(encode(12, port.encoded(name)) for name, port in self.outputs.items()),
            )
        )
        opset = encode(1, "") + encode(2, OPSET)
        return encode(1, 10) + encode(2, "impasto") + encode(7, graph) + encode(8, opset)


def kind_of(values: Array) -> int:
    """Return ONNX's code for their kind of numbers."""
    return next(kind for kind, dtype in DTYPES.items() if values.dtype == dtype)


def constant(name: str, values: Array) -> bytes:
    """Write numbers as a tensor of ONNX."""
    return b"".join(
        (
            *(encode(1, side) for side in values.shape),
            encode(2, kind_of(values)),
            encode(8, name),
            encode(_RAW_DATA, values.tobytes()),
        )
    )


def _attribute(name: str, value: Attribute) -> bytes:
    kinds = {float: _REAL, int: _WHOLE, str: _TEXT, tuple: _WHOLES}
    kind = kinds[type(value)]
    parts = value if isinstance(value, tuple) else (value,)
    values = b"".join(encode(_KIND_OF_ATTRIBUTE[kind], each) for each in parts)
    return encode(1, name) + values + encode(20, kind)


def read(data: bytes) -> Network:
    """Read the network of a file. Constants that nodes give are constants like all others.

    Raises:
        ValueError: it is not ONNX, or not written as ONNX has to be. Or it has what no style's
            network has: functions, branches, weights outside the file or that are not finite.
    """
    return _Reader().network(memoryview(data))


class _Reader:
    """A reader of one file. It counts the bytes that it skips."""

    def __init__(self) -> None:
        self._notes = 0

    def _read(self, message: Message, data: memoryview) -> Fields:
        fields = message.read(data)
        for noted in (numbers for each, numbers in _NOTES if each is message):
            for number in noted:
                self._notes += sum(map(len, fields.messages(number)))
        if self._notes > _LARGEST_NOTES:
            raise ValueError("it has more notes than a style's network")
        return fields

    def network(self, data: memoryview) -> Network:
        model = self._read(_MODEL, data)
        if not model.messages(7):
            raise ValueError("it is not an ONNX file")
        if model.number(1) not in _IR_VERSIONS:
            raise ValueError(f"it is of another version of ONNX ({model.number(1)})")
        self._check_opsets(model)
        graph = self._read(_GRAPH, model.message(7))
        _require_few(graph)
        constants = dict(_distinct(map(self._constant, graph.messages(5))))
        nodes = []
        for node in map(self._node, graph.messages(1)):
            if isinstance(node, Node):
                nodes.append(node)
            else:
                constants = dict(_distinct((*constants.items(), node)))
        inputs = dict(_distinct(map(self._port, graph.messages(11))))
        outputs = dict(_distinct(map(self._port, graph.messages(12))))
        network = Network(tuple(nodes), constants, inputs, outputs)
        _require_order(network)
        return network

    def _check_opsets(self, model: Fields) -> None:
        opsets = [self._read(_OPSET, each) for each in model.messages(8)]
        own = [each.number(2) for each in opsets if each.text(1) in ("", "ai.onnx")]
        if len(own) < len(opsets):
            raise ValueError("it has operators from elsewhere")
        if own != [OPSET]:
            raise ValueError(f"its operators are not those of version {OPSET}")

    def _node(self, data: memoryview) -> Node | tuple[str, Array]:
        """Read a node, or the constant that it gives."""
        node = self._read(_NODE, data)
        if node.text(7) not in ("", "ai.onnx"):
            raise ValueError(f"it uses {_shown(node.text(7))}.{_shown(node.text(4))}")
        op, outputs = node.text(4), tuple(map(_named, node.texts(2)))
        attributes = dict(_distinct(self._attribute(each) for each in node.messages(5)))
        if op == "Constant":
            return _only(outputs), _value(attributes)
        inputs = tuple(name and _named(name) for name in node.texts(1))
        values = {name: each for name, each in attributes.items() if _is_plain(each)}
        if len(values) < len(attributes):
            raise ValueError(f"{_shown(op)} has weights of its own")
        return Node(op, inputs, outputs, values, node.text(3)[:_LONGEST_NAME])

    def _attribute(self, data: memoryview) -> tuple[str, Attribute | Array]:
        attribute = self._read(_ATTRIBUTE, data)
        name, kind = _named(attribute.text(1)), attribute.number(20)
        place = _KIND_OF_ATTRIBUTE.get(kind)
        if place is None or {*attribute.found} & {*_KIND_OF_ATTRIBUTE.values()} - {place}:
            raise ValueError(f"its attribute {_shown(name)} is of a kind that no style has")
        if kind == _CONSTANT:
            return name, self._constant(attribute.message(place))[1]
        if kind == _WHOLES:
            return name, tuple(attribute.numbers(place))
        if kind == _WHOLE:
            return name, attribute.number(place)
        if kind == _TEXT:
            return name, attribute.text(place)
        return name, _finite(attribute.real(place))

    def _constant(self, data: memoryview) -> tuple[str, Array]:
        tensor = self._read(_TENSOR, data)
        if tensor.number(14):
            raise ValueError(_OUTSIDE)
        return tensor.text(8), _numbers(tensor)

    def _port(self, data: memoryview) -> tuple[str, Port]:
        port = self._read(_PORT, data)
        type_ = self._read(_TYPE, port.message(2))
        tensor = self._read(_TENSOR_TYPE, type_.message(1))
        axes = self._read(_SHAPE, tensor.message(2)).messages(1)
        sides = [self._read(_AXIS, each) for each in axes]
        shape = tuple(side.number(1) if side.numbers(1) else None for side in sides)
        if len(shape) > _MOST_AXES or any(side is not None and side < 1 for side in shape):
            raise ValueError("it takes or gives what is no picture")
        return _named(port.text(1)), Port(tensor.number(1), shape)


def _numbers(tensor: Fields) -> Array:
    """Return the values of a tensor, from any field that may hold numbers of their kind."""
    import numpy as np

    kind, shape = tensor.number(2), tensor.numbers(1)
    if kind not in DTYPES:
        raise ValueError("its weights are numbers of another kind than a style's")
    places = [place for place in {*_PLACES.values(), _RAW_DATA} if place in tensor.found]
    if len(places) > 1:
        raise ValueError("it gives a tensor twice")
    place = next(iter(places), _RAW_DATA)
    if place not in (_RAW_DATA, _PLACES[kind]):
        raise ValueError("its weights are not where numbers of their kind lie")
    data: memoryview | bytes = tensor.message(place)
    if place in (_INT32_DATA, _INT64_DATA):
        data = _as_raw(packed(tensor.message(place)), kind)
    if len(shape) > _MOST_AXES or any(side < 0 for side in shape):
        raise ValueError("its weights have no shape that there is")
    dtype = np.dtype(DTYPES[kind])
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError("its weights are more or fewer than their shape says")
    values = np.frombuffer(data, dtype).reshape(shape)
    if kind in _REALS and not np.isfinite(values).all():
        raise ValueError("its weights are not finite numbers")
    return values


def _as_raw(values: list[int], kind: int) -> bytes:
    """Turn a list of whole numbers into raw data; halves are given by their bits."""
    import numpy as np

    dtype = np.dtype("<u2" if kind == HALF else DTYPES[kind])
    limits = np.iinfo(dtype)
    if not all(limits.min <= value <= limits.max for value in values):
        raise ValueError("its weights are not numbers of their kind")
    return np.array(values, dtype).tobytes()


def _require_few(graph: Fields) -> None:
    nodes, tensors = len(graph.messages(1)), len(graph.messages(5))
    if nodes > _MOST_NODES or tensors > _MOST_CONSTANTS:
        raise ValueError(f"it has {nodes} nodes and {tensors} tensors, more than a style's network")
    if not (
        0 < len(graph.messages(11)) < _MOST_PORTS and 0 < len(graph.messages(12)) < _MOST_PORTS
    ):
        raise ValueError("it takes or gives nothing, or more than a style's network")


def _require_order(network: Network) -> None:
    """Check the order of the nodes.

    Raises:
        ValueError: a name has two meanings, or is used before it has one.
    """
    names = list(network.constants) + list(network.inputs)
    known = set(names)
    if len(known) < len(names):
        raise ValueError("it gives a name twice")
    for node in network.nodes:
        for name in node.inputs:
            if name and name not in known:
                raise ValueError(f"its {_shown(node.op)} needs what nothing makes before it")
        for name in node.outputs:
            if name in known:
                raise ValueError("it gives a name twice")
            known.add(name)
    if not known >= set(network.outputs):
        raise ValueError("it does not make what it shall give")


def _distinct(pairs: Any) -> Iterator[tuple[str, Any]]:
    """Give named things; refuse a name that comes twice."""
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen:
            raise ValueError("it gives a name twice")
        seen.add(name)
        yield _named(name), value


def _named(name: str) -> str:
    """Return ``name`` itself, if it is a name."""
    if not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError("it has names that are empty or too long")
    return name


def _only(outputs: tuple[str, ...]) -> str:
    if len(outputs) != 1:
        raise ValueError("it has a constant with several names")
    return outputs[0]


def _value(attributes: Mapping[str, Attribute | Array]) -> Array:
    """Return the value of a constant; only a tensor may give it."""
    value = attributes.get("value")
    if len(attributes) != 1 or value is None or _is_plain(value):
        raise ValueError("it has a constant that is no tensor")
    return value  # type: ignore[return-value]


def _is_plain(value: Attribute | Array) -> bool:
    return isinstance(value, (int, float, str, tuple))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("its weights are not finite numbers")
    return value


def _shown(text: str) -> str:
    """Return the beginning of a name that a file gives."""
    return text[:40] if text[:40].isprintable() else repr(text[:40])

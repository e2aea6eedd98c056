"""ONNX files, read and written: as much of the format as checking, cutting and blending needs.

ONNX is protobuf (onnx/onnx.proto3). Of its many messages only a few fields matter here, and
reading those takes less than shipping the onnx package, which weighs 40 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[Any]
    """Of any kind of number, as networks take and give them."""
    Weights = dict[str, Array]

Value = int | bytes | memoryview
"""Of a field: a whole number, a float of fixed width, or what has a length."""

GRAPH, FUNCTIONS = 7, 25
NODE, INITIALIZER, SPARSE_INITIALIZER, INPUT, OUTPUT = 1, 5, 15, 11, 12
OP_TYPE, ATTRIBUTE, DOMAIN = 4, 5, 7
FLOAT, INT64, HALF = 1, 7, 10
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 3, 8
_TENSOR_SHAPE, _TENSOR_KIND, _FLOAT_DATA, _TENSOR_NAME, _RAW_DATA, _VALUE_NAME = 1, 2, 4, 8, 9, 1
_TYPES = {FLOAT: "<f4", INT64: "<i8", HALF: "<f2"}
_FLOATS = {FLOAT, HALF}
_LARGEST_KEY = 2**32 - 1

_RELATED = 0.55
"""Mean cosine between the convolutions of two networks from which on they are relatives.

The bundled ones, learnt from one start, have 0.55 to 0.90, what was learnt further from it
0.5 to 0.7, and tiny ones, which go further still, 0.4 to 0.8. Of two that shared their first
random numbers only, with 0.5, the mean paints blotches; strangers have 0.
"""


@dataclass(frozen=True)
class Node:
    """One operation; ``attributes`` are messages as they lie in the file."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[bytes, ...] = ()

    def numbers(self, name: str, default: list[int]) -> list[int]:
        """The whole numbers of the attribute of this name."""
        for each in self.attributes:
            if _text(each, _ATTRIBUTE_NAME) == name:
                return numbers(each, _ATTRIBUTE_INT) + numbers(each, _ATTRIBUTE_INTS)
        return default

    def encoded(self) -> bytes:
        return b"".join(
            (
                *(encode(_NODE_INPUT, name) for name in self.inputs),
                *(encode(_NODE_OUTPUT, name) for name in self.outputs),
                encode(OP_TYPE, self.op),
                *(encode(ATTRIBUTE, each) for each in self.attributes),
            )
        )


@dataclass(frozen=True)
class Network:
    """A model whose graph may be changed; what is not named here stays as it was."""

    nodes: tuple[Node, ...]
    constants: dict[str, bytes]
    """Weights and other constants, as messages, by name."""
    inputs: dict[str, bytes]
    outputs: dict[str, bytes]
    head: bytes = field(repr=False)
    """All of the model but its graph."""

    def encoded(self) -> bytes:
        graph = b"".join(
            (
                *(encode(NODE, node.encoded()) for node in self.nodes),
                encode(2, "cut"),
                *(encode(INITIALIZER, each) for each in self.constants.values()),
                *(encode(INPUT, each) for each in self.inputs.values()),
                *(encode(OUTPUT, each) for each in self.outputs.values()),
            )
        )
        return self.head + encode(GRAPH, graph)


def read(data: bytes) -> Network:
    """The network of a file that :func:`impasto.catalog.verify.check` has passed."""
    head, graph = b"", memoryview(b"")
    for number, value in fields(memoryview(data)):
        if number == GRAPH and isinstance(value, memoryview):
            graph = value
        else:
            head += encode(number, value)
    messages: dict[int, list[bytes]] = {NODE: [], INITIALIZER: [], INPUT: [], OUTPUT: []}
    for number, value in fields(graph):
        if number in messages and isinstance(value, memoryview):
            messages[number].append(bytes(value))
    return Network(
        nodes=tuple(_node(each) for each in messages[NODE]),
        constants={_text(each, _TENSOR_NAME): each for each in messages[INITIALIZER]},
        inputs={_text(each, _VALUE_NAME): each for each in messages[INPUT]},
        outputs={_text(each, _VALUE_NAME): each for each in messages[OUTPUT]},
        head=head,
    )


def between(models: Sequence[bytes], shares: Sequence[float]) -> bytes:
    """The network whose every weight is the mean of theirs, by shares that add up to 1.

    Networks that were learnt on from one start have a way between them on which all paint
    well; they paint what lies between the styles (deep network interpolation: Wang et al.,
    CVPR 2019). Between others lies nothing: their channels mean different things.

    Raises:
        ValueError: they do not compute the same, or are no relatives.
    """
    networks = [read(model) for model in models]
    (plan, first), *others = [_plan(network) for network in networks]
    if any(other != plan for other, _ in others):
        raise ValueError("their networks are not of one kind")
    weights = [first, *(theirs for _, theirs in others)]
    if not _related(weights):
        raise ValueError("their networks were not learnt from one start")
    rows = zip(*(each.values() for each in weights), strict=True)
    means = {
        name: constant(name, _mean(row, shares)) for name, row in zip(first, rows, strict=True)
    }
    return replace(networks[0], constants=networks[0].constants | means).encoded()


def _plan(network: Network) -> tuple[list[object], Weights]:
    """What a network computes, whatever its tensors are called, but for the weights; and those.

    Tensors have the numbers in which they come up, and so have the weights their order:
    exporters of different days give them different names.
    """
    numbers: dict[str, int] = {}

    def numbered(names: Iterable[str]) -> list[int]:
        return [numbers.setdefault(name, len(numbers)) for name in names]

    plan: list[object] = [numbered(network.inputs)]
    for node in network.nodes:
        plan.append((node.op, node.attributes, numbered(node.inputs), numbered(node.outputs)))
    plan.append(numbered(network.outputs))
    used = {name: network.constants[name] for name in numbers if name in network.constants}
    weights = {name: values for name, each in used.items() if (values := floats(each)).size}
    for name, each in used.items():
        if name in weights:
            plan.append((weights[name].dtype, weights[name].shape))
        else:
            plan += (part for part in fields(memoryview(each)) if part[0] != _TENSOR_NAME)
    return plan, weights


def _related(networks: Sequence[Weights]) -> bool:
    """Whether the convolutions of any two are alike, each compared with its own."""
    import numpy as np

    def unit(values: Array) -> Array:
        flat = values.ravel().astype(np.float64)
        return flat / (np.linalg.norm(flat) or 1)

    kernels = [[unit(each) for each in weights.values() if each.ndim > 1] for weights in networks]
    return all(
        sum(float(kernel @ another) for kernel, another in zip(one, other, strict=True))
        >= _RELATED * len(one)
        for one, other in combinations(kernels, 2)
    )


def _mean(values: Sequence[Array], shares: Sequence[float]) -> Array:
    """In the precision of the values."""
    import numpy as np

    mean = sum(share * each.astype(np.float64) for each, share in zip(values, shares, strict=True))
    return np.asarray(mean, values[0].dtype)


def tensor_info(name: str, kind: int, rank: int) -> bytes:
    """The declaration of a graph's input or output of any size."""
    dimensions = b"".join(encode(1, encode(2, f"{name}.{axis}")) for axis in range(rank))
    tensor = encode(1, kind) + encode(2, dimensions)
    return encode(_VALUE_NAME, name) + encode(2, encode(1, tensor))


def constant(name: str, values: ArrayLike) -> bytes:
    """Whole numbers, or floats of full or half precision, as a constant."""
    import numpy as np

    array = np.asarray(values)
    kind = next(kind for kind, dtype in _TYPES.items() if array.dtype == dtype)
    return b"".join(
        (
            *(encode(_TENSOR_SHAPE, side) for side in array.shape),
            encode(_TENSOR_KIND, kind),
            encode(_TENSOR_NAME, name),
            encode(_RAW_DATA, array.tobytes()),
        )
    )


def shape(constant: bytes) -> list[int]:
    """The shape of a constant."""
    return numbers(constant, _TENSOR_SHAPE)


def floats(constant: bytes) -> Array:
    """The values of a constant of floats, of full or half precision; nothing of another."""
    import numpy as np

    kind, data = 0, b""
    for number, value in fields(memoryview(constant)):
        if number == _TENSOR_KIND and isinstance(value, int):
            kind = value
        elif number in (_FLOAT_DATA, _RAW_DATA) and not isinstance(value, int):
            data += value
    if kind not in _FLOATS or not data:
        return np.zeros(0)
    return np.frombuffer(data, _TYPES[kind]).reshape(shape(constant))


def numbers(message: bytes | memoryview, wanted: int) -> list[int]:
    """All whole numbers of a field, which may stand one by one or packed into one."""
    values: list[int] = []
    for number, value in fields(memoryview(message)):
        if number == wanted and isinstance(value, int):
            values.append(value)
        elif number == wanted and isinstance(value, memoryview):
            position = 0
            while position < len(value):
                each, position = _varint(value, position)
                values.append(each)
    return values


def _node(data: bytes) -> Node:
    texts: dict[int, list[str]] = {_NODE_INPUT: [], _NODE_OUTPUT: [], OP_TYPE: []}
    attributes = []
    for number, value in fields(memoryview(data)):
        if isinstance(value, memoryview):
            if number in texts:
                texts[number].append(str(value, "utf-8"))
            elif number == ATTRIBUTE:
                attributes.append(bytes(value))
    return Node(
        "".join(texts[OP_TYPE]),
        tuple(texts[_NODE_INPUT]),
        tuple(texts[_NODE_OUTPUT]),
        tuple(attributes),
    )


def _text(data: bytes, wanted: int) -> str:
    return next(
        str(value, "utf-8")
        for number, value in fields(memoryview(data))
        if number == wanted and isinstance(value, memoryview)
    )


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of each field of a protobuf message.

    Parsers pass over a field whose value is of another kind than they know, so kinds are told
    apart by their types.

    Raises:
        ValueError, IndexError: it is none.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        if key > _LARGEST_KEY:  # of which parsers read the lower half, as another field
            raise ValueError("it is not an ONNX file")
        wire = key & 7
        if wire == 0:
            number, position = _varint(message, position)
            yield key >> 3, number
            continue
        if wire not in (1, 2, 5):
            raise ValueError("it is not an ONNX file")
        length = {1: 8, 5: 4}.get(wire, 0)
        if wire == 2:
            length, position = _varint(message, position)
        if position + length > len(message):
            raise ValueError("it is cut short")
        value = message[position : position + length]
        yield key >> 3, value if wire == 2 else bytes(value)
        position += length


def encode(number: int, value: int | str | bytes | memoryview) -> bytes:
    """One field of a protobuf message."""
    if isinstance(value, int):
        return _varint_of(number << 3) + _varint_of(value)
    data = value.encode() if isinstance(value, str) else bytes(value)
    return _varint_of(number << 3 | 2) + _varint_of(len(data)) + data


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while shift < 64:
        byte = message[position]
        position += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result, position
        shift += 7
    raise ValueError("it is not an ONNX file")


def _varint_of(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes((*parts, value))

"""ONNX files, read and written: as much of the format as checking and cutting networks needs.

ONNX is protobuf (onnx/onnx.proto3). Of its many messages only a few fields matter here, and
reading those takes less than shipping the onnx package, which weighs 40 MB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

GRAPH, FUNCTIONS = 7, 25
NODE, INITIALIZER, SPARSE_INITIALIZER, INPUT, OUTPUT = 1, 5, 15, 11, 12
OP_TYPE, ATTRIBUTE, DOMAIN = 4, 5, 7
FLOAT, INT64 = 1, 7
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 3, 8
_TENSOR_SHAPE, _FLOAT_DATA, _TENSOR_NAME, _RAW_DATA, _VALUE_NAME = 1, 4, 8, 9, 1


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
                return _numbers(each, _ATTRIBUTE_INT) + _numbers(each, _ATTRIBUTE_INTS)
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
    """The network of a file that :func:`impasto.store.check` has passed."""
    head, graph = b"", memoryview(b"")
    for number, value in fields(memoryview(data)):
        if number == GRAPH and isinstance(value, memoryview):
            graph = value
        else:
            head += encode(number, value)
    found: dict[int, list[bytes]] = {NODE: [], INITIALIZER: [], INPUT: [], OUTPUT: []}
    for number, value in fields(graph):
        if number in found and isinstance(value, memoryview):
            found[number].append(bytes(value))
    return Network(
        nodes=tuple(_node(each) for each in found[NODE]),
        constants={_text(each, _TENSOR_NAME): each for each in found[INITIALIZER]},
        inputs={_text(each, _VALUE_NAME): each for each in found[INPUT]},
        outputs={_text(each, _VALUE_NAME): each for each in found[OUTPUT]},
        head=head,
    )


def tensor_info(name: str, kind: int, rank: int) -> bytes:
    """The declaration of a graph's input or output of any size."""
    dimensions = b"".join(encode(1, encode(2, f"{name}.{axis}")) for axis in range(rank))
    tensor = encode(1, kind) + encode(2, dimensions)
    return encode(_VALUE_NAME, name) + encode(2, encode(1, tensor))


def constant(name: str, values: Sequence[int]) -> bytes:
    """A list of whole numbers as a constant."""
    raw = b"".join(value.to_bytes(8, "little", signed=True) for value in values)
    return b"".join(
        (encode(1, len(values)), encode(2, INT64), encode(_TENSOR_NAME, name), encode(9, raw))
    )


def shape(constant: bytes) -> list[int]:
    """The shape of a constant."""
    return _numbers(constant, _TENSOR_SHAPE)


def floats(constant: bytes) -> list[float]:
    """The values of a constant of floats."""
    for number, value in fields(memoryview(constant)):
        if number in (_FLOAT_DATA, _RAW_DATA) and isinstance(value, memoryview):
            return [each for (each,) in struct.iter_unpack("<f", value)]
    return []


def _numbers(message: bytes, wanted: int) -> list[int]:
    """All whole numbers of a field, which may stand one by one or packed into one."""
    found: list[int] = []
    for number, value in fields(memoryview(message)):
        if number == wanted and isinstance(value, int):
            found.append(value)
        elif number == wanted and isinstance(value, memoryview):
            position = 0
            while position < len(value):
                each, position = _varint(value, position)
                found.append(each)
    return found


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


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a protobuf message.

    Raises:
        ValueError, IndexError: it is none.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
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
        yield key >> 3, message[position : position + length]
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

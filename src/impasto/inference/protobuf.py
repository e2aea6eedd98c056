"""Protobuf messages, read strictly: only expected fields, each written in the one right way.

Readers of protobuf differ where a field is unknown or there twice. They also differ where a number
is longer than it needs to be. So a message with such a choice is refused
(https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Value = int | float | memoryview
"""Value of a field: a whole number as stored, a float of 32 bits, or anything that has a length."""

NUMBER, BYTES, FLOAT = 0, 2, 5
"""Kinds of fields, by protobuf's wire types."""

_BITS = 64
_FIELDS = 2**29


@dataclass(frozen=True)
class Message:
    """What a message may hold: kinds of fields, by number.

    Fields in ``once`` may be there once at most. ``refused`` gives reasons against others.
    """

    name: str
    many: Mapping[int, int] = field(default_factory=dict)
    once: Mapping[int, int] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)

    def read(self, data: memoryview) -> Fields:
        """Read the fields of such a message.

        Raises:
            ValueError: it has others, or is not written as it has to be.
        """
        found: dict[int, list[Value]] = {}
        for number, kind, value in _fields(data):
            if number in self.refused:
                raise ValueError(self.refused[number])
            if kind != self.once.get(number, self.many.get(number)):
                raise ValueError(f"{self.name} has a field that no style has ({number})")
            if number in self.once and number in found:
                raise ValueError(f"{self.name} gives one thing twice ({number})")
            found.setdefault(number, []).append(value)
        return Fields(found)


@dataclass(frozen=True)
class Fields:
    """The fields of a message, by number, with their values."""

    found: Mapping[int, Sequence[Value]]

    def messages(self, number: int) -> list[memoryview]:
        return [value for value in self.found.get(number, ()) if isinstance(value, memoryview)]

    def message(self, number: int) -> memoryview:
        """Return the only message of this number, empty where there is none."""
        return next(iter(self.messages(number)), memoryview(b""))

    def texts(self, number: int) -> list[str]:
        """Return the texts of this number.

        Raises:
            ValueError: they are not UTF-8.
        """
        return [str(value, "utf-8") for value in self.messages(number)]

    def text(self, number: int) -> str:
        return next(iter(self.texts(number)), "")

    def numbers(self, number: int) -> list[int]:
        """Return the whole numbers with a sign, of 64 bits."""
        return [signed(value) for value in self.found.get(number, ()) if isinstance(value, int)]

    def number(self, number: int) -> int:
        return next(iter(self.numbers(number)), 0)

    def real(self, number: int) -> float:
        values = (value for value in self.found.get(number, ()) if isinstance(value, float))
        return next(values, 0.0)


def signed(value: int) -> int:
    return value - (1 << _BITS) if value >> (_BITS - 1) else value


def packed(data: memoryview) -> list[int]:
    """Read whole numbers with a sign, one after the other."""
    values, position = [], 0
    while position < len(data):
        value, position = _varint(data, position)
        values.append(signed(value))
    return values


def encode(number: int, value: int | float | str | bytes | memoryview) -> bytes:
    """Write one field of a message; a float has 32 bits."""
    if isinstance(value, int):
        return _varint_of(number << 3 | NUMBER) + _varint_of(value % (1 << _BITS))
    if isinstance(value, float):
        return _varint_of(number << 3 | FLOAT) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else bytes(value)
    return _varint_of(number << 3 | BYTES) + _varint_of(len(data)) + data


def _fields(data: memoryview) -> Iterator[tuple[int, int, Value]]:
    """Give number, kind and value of each field."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if not 0 < number < _FIELDS or kind not in (NUMBER, BYTES, FLOAT):
            raise ValueError("it is not an ONNX file")
        if kind == NUMBER:
            value, position = _varint(data, position)
            yield number, kind, value
            continue
        length = 4
        if kind == BYTES:
            length, position = _varint(data, position)
        if position + length > len(data):
            raise ValueError("it is cut short")
        piece = data[position : position + length]
        yield number, kind, piece if kind == BYTES else float(struct.unpack("<f", piece)[0])
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """Read a whole number without a sign, in as few bytes as it takes, and where it ends."""
    result = 0
    for shift in range(0, _BITS + 6, 7):
        if position >= len(data):
            raise ValueError("it is cut short")
        byte = data[position]
        position += 1
        result |= (byte & 127) << shift
        if byte < 128:
            if (byte == 0 and shift) or result >> _BITS:
                break
            return result, position
    raise ValueError("it is not an ONNX file: a number of it is longer than it needs to be")


def _varint_of(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes((*parts, value))

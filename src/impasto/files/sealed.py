"""Tensors in a checked file: safetensors with a checksum inside.

The header is checked first, so that no more is read than fits. The checksum is a SHA-256 in the
header's metadata. It covers the rest of the header and all data. Tensors in memory may be torch's
or arrays.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from safetensors import SafetensorError

from impasto import untrusted
from impasto.errors import reason
from impasto.untrusted import Json

_MOST_HEADER = 1 << 24
"""Most bytes of a header: thousands of styles with their titles."""
_METADATA, _CHECKSUM = "__metadata__", "sha256"
_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1}
"""Bytes of a number, for each kind that is written."""


class _Shaped(Protocol):
    @property
    def shape(self) -> Sequence[int]: ...


Shaped = TypeVar("Shaped", bound=_Shaped)


class BrokenError(ValueError):
    """A file that does not hold what it should; the text follows the file's name."""


@dataclass(frozen=True)
class Kind:
    """What a tensor is, without its values."""

    shape: tuple[int, ...]
    dtype: str = "F32"
    """The name that safetensors uses."""

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * _BYTES[self.dtype]


@dataclass(frozen=True)
class Header:
    """The header of a file."""

    metadata: Mapping[str, str]
    kinds: Mapping[str, Kind]
    checksum: str | None


def sealed(plain: bytes) -> bytes:
    """Add a checksum to the metadata of a safetensors file."""
    length = int.from_bytes(plain[:8], "little")
    record, data = json.loads(plain[8 : 8 + length]), memoryview(plain)[8 + length :]
    said = {**record[_METADATA], _CHECKSUM: _checksum(record, data)}
    record[_METADATA] = dict(sorted(said.items()))  # the library's order changes each time
    text = json.dumps(record).encode()
    text += b" " * (-len(text) % 8)  # data begin at a multiple of 8 bytes
    return b"".join((len(text).to_bytes(8, "little"), text, data))


def read(
    path: Path,
    check: Callable[[Header], None],
    load: Callable[[bytes], dict[str, Shaped]],
    *,
    follow: bool = False,
) -> tuple[Header, dict[str, Shaped]]:
    """Header and tensors of a file.

    Args:
        path: the file; no link, unless ``follow`` is on.
        check: raises ValueError where the header is not that of a file that is wanted. It is
            called before any data are read.
        load: makes tensors of a whole safetensors file.
        follow: take what a link leads to.

    Raises:
        BrokenError: it cannot be read, is cut, damaged, or not what ``check`` takes.
    """
    try:
        with untrusted.opened(path, follow=follow) as file:
            start, record = _start(file)
            header = _header(record)
            check(header)
            size = sum(kind.bytes for kind in header.kinds.values())
            if untrusted.size_of(file) != len(start) + size:
                raise ValueError(f"it has not the {size:,} bytes of data that it should have")
            data = file.read(size)
        if header.checksum not in (None, _checksum(record, data)):
            raise ValueError("its checksum is another one: something in it has changed")
        tensors = load(start + data)
        shapes = {name: kind.shape for name, kind in header.kinds.items()}
        if {name: tuple(each.shape) for name, each in tensors.items()} != shapes:
            raise ValueError("it describes a tensor twice")
        return header, tensors
    except OSError as error:
        raise BrokenError(reason(error)) from error
    except (ValueError, SafetensorError) as error:
        raise BrokenError(str(error)) from error


def metadata(path: Path) -> Mapping[str, str]:
    """Return the metadata of a file; nothing where it is no such file."""
    try:
        with untrusted.opened(path, follow=True) as file:
            return _header(_start(file)[1]).metadata
    except (OSError, ValueError):
        return {}


def _start(file: BinaryIO) -> tuple[bytes, dict[str, Json]]:
    """Return all bytes before the data, and the JSON in them."""
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not 2 <= length <= _MOST_HEADER:
        raise ValueError("it is no safetensors file")
    text = file.read(length)
    record = untrusted.parse_json(text)
    if len(text) < length or not isinstance(record, dict):
        raise ValueError("it is no safetensors file")
    return start + text, record


def _header(record: Mapping[str, Json]) -> Header:
    metadata = record.get(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("its metadata are no texts")
    texts = {name: str(value) for name, value in metadata.items()}
    kinds = {name: _kind(name, entry) for name, entry in record.items() if name != _METADATA}
    return Header(texts, kinds, texts.get(_CHECKSUM))


def _kind(name: str, entry: Json) -> Kind:
    shape = entry.get("shape") if isinstance(entry, dict) else None
    dtype = entry.get("dtype") if isinstance(entry, dict) else None
    if not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"{name} has no shape")
    if not isinstance(dtype, str) or dtype not in _BYTES:
        raise ValueError(f"{name} has numbers of another type, {dtype}")
    return Kind(tuple(side for side in shape if isinstance(side, int)), dtype)


def _checksum(record: Mapping[str, Json], data: bytes | memoryview) -> str:
    """Compute the checksum of the header without the checksum itself, and of all data."""
    metadata = record.get(_METADATA, {})
    assert isinstance(metadata, dict)
    own = {key: value for key, value in metadata.items() if key != _CHECKSUM}
    digest = hashlib.sha256(json.dumps({**record, _METADATA: own}, sort_keys=True).encode())
    digest.update(data)
    return digest.hexdigest()

"""The weights of a style: read whole, checked, never executed.

A style's network is an ONNX file whose SHA-256 stands on its card. Before a runtime sees
a byte of it, this module makes sure that it is the file that the card means, and that it
is nothing but arithmetic: known operators, weights inside the file, all of them finite.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from impasto.catalog.content import content
from impasto.errors import StyleError
from impasto.inference import onnx_proto

MAX_BYTES = 64 * 2**20
"""Largest network file that is read; the bundled ones are below 2 MiB."""

OPERATORS = frozenset(
    [
        *("Add", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "Conv"),
        *("ConvTranspose", "DepthToSpace", "DequantizeLinear", "Div", "Gather", "Gemm"),
        *("InstanceNormalization", "MatMul", "Mod", "Mul", "Pad", "QuantizeLinear"),
        *("ReduceSum", "Relu", "Reshape", "Resize", "Round", "Selu", "Shape", "Sigmoid"),
        *("Slice", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze"),
    ]
)
"""Operators that impasto's own export writes; anything else is not a style."""

_SIGNATURES = {
    b"PK\x03\x04": "a zip or PyTorch file",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
}


_NETWORKS = {".onnx", ".json", ".safetensors", ".pt", ".pth", ".ckpt", ".h5", ".t7"}
"""Ends of the names of files that hold networks, or tell of them."""


def load(path: Path, sha256: str, operators: Set[str] = OPERATORS) -> bytes:
    """The verified content of a network file that has no other ``operators``.

    Raises:
        StyleError: missing, too large, not the file of the card, or not a style network.
    """
    data = content(path, MAX_BYTES)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StyleError(
            f"{path} is damaged: it is not the file that its card describes",
            hint="install the style again",
        )
    check(data, str(path), operators)
    return data


def refuse_foreign(path: Path) -> None:
    """Say why a lone file is no style: it is a pickle, or a network without a card."""
    with path.open("rb") as file:
        head = file.read(4)
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            raise StyleError(
                f"{path} is {kind}, which can run code when it is opened; it was not",
                hint="train the style with impasto train",
            )
    if path.suffix.lower() in _NETWORKS:
        raise StyleError(
            f"{path} is not a style",
            hint="a style is a folder with card.json and its .onnx file, as impasto writes it",
        )


def check(data: bytes, name: str, allowed: Set[str] = OPERATORS) -> None:
    """Refuse an ONNX file that could do more, or other, than paint with ``allowed`` operators.

    Raises:
        StyleError: not ONNX, foreign operators, weights outside the file, weights that
            are not finite.
    """
    try:
        operators = set(_check_model(memoryview(data)))
    except (IndexError, ValueError) as error:
        raise StyleError(f"{name} is not a style network: {error}") from error
    if foreign := operators - allowed:
        raise StyleError(
            f"{name} is not a style network: it uses {', '.join(sorted(foreign))}",
            hint="only networks that impasto exported are run",
        )
    if "Conv" not in operators:
        raise StyleError(f"{name} is not a style network: it has no convolution")


_FLOAT, _TENSOR, _SUBGRAPH, _FLOATS, _TENSORS, _SUBGRAPHS, _SPARSE = 2, 5, 6, 7, 10, 11, (22, 23)
_DATA_TYPE, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 2, 9, 13, 14
_FLOAT_DATA, _INT32_DATA, _STRING_DATA, _INT64_DATA, _DOUBLE_DATA, _UINT64_DATA = 4, 5, 6, 7, 10, 11
_DOUBLE, _BFLOAT16 = 11, 16
_NUMPY_TYPES = {onnx_proto.FLOAT: "<f4", onnx_proto.HALF: "<f2", _DOUBLE: "<f8", _BFLOAT16: "<u2"}
_PLACES = {
    onnx_proto.FLOAT: _FLOAT_DATA,
    _DOUBLE: _DOUBLE_DATA,
    **dict.fromkeys((onnx_proto.HALF, _BFLOAT16), _INT32_DATA),
    **dict.fromkeys((2, 3, 4, 5, 6, 9), _INT32_DATA),
    onnx_proto.INT64: _INT64_DATA,
    **dict.fromkeys((12, 13), _UINT64_DATA),
}
"""Kinds of numbers, each with the field that runtimes read them from where they are not raw."""
_VALUES = {_RAW_DATA, _STRING_DATA, *_PLACES.values()}


def _check_model(model: memoryview) -> Iterator[str]:
    graphs = 0
    for field, value in onnx_proto.fields(model):
        if field == onnx_proto.FUNCTIONS:
            raise ValueError("it defines functions")
        if field == onnx_proto.GRAPH:
            graphs += 1
            if isinstance(value, memoryview):
                yield from _check_graph(value)
    if graphs != 1:
        raise ValueError("it is not an ONNX file")


def _check_graph(graph: memoryview) -> Iterator[str]:
    for field, value in onnx_proto.fields(graph):
        if field == onnx_proto.SPARSE_INITIALIZER:
            raise ValueError("it has sparse weights")
        if not isinstance(value, memoryview):
            continue
        if field == onnx_proto.INITIALIZER:
            _check_tensor(value)
        elif field == onnx_proto.NODE:
            yield _check_node(value)


def _check_node(node: memoryview) -> str:
    operator = domain = ""
    for field, value in onnx_proto.fields(node):
        if not isinstance(value, memoryview):
            continue
        if field == onnx_proto.OP_TYPE:
            operator = str(value, "utf-8")
        elif field == onnx_proto.DOMAIN:
            domain = str(value, "utf-8")
        elif field == onnx_proto.ATTRIBUTE:
            _check_attribute(value)
    return operator if domain in ("", "ai.onnx") else f"{domain}.{operator}"


def _check_attribute(attribute: memoryview) -> None:
    fields = list(onnx_proto.fields(attribute))
    if [field for field, _ in fields].count(_TENSOR) > 1:  # they would be merged into one
        raise ValueError("it gives a tensor twice")
    for field, value in fields:
        if field in (_SUBGRAPH, _SUBGRAPHS):
            raise ValueError("it has loops or branches")
        if field in _SPARSE:
            raise ValueError("it has sparse weights")
        if field in (_TENSOR, _TENSORS) and isinstance(value, memoryview):
            _check_tensor(value)
        elif field in (_FLOAT, _FLOATS):
            _require_finite(value, onnx_proto.FLOAT)


def _check_tensor(tensor: memoryview) -> None:
    fields = list(onnx_proto.fields(tensor))
    if any(f == _EXTERNAL_DATA or (f == _DATA_LOCATION and value) for f, value in fields):
        raise ValueError("its weights lie outside the file")
    kind, values = _kind(fields), [each for each in fields if each[0] in _VALUES]
    places = {field for field, _ in values}
    if len(places) > 1 or (_RAW_DATA in places and len(values) > 1):
        raise ValueError("it gives a tensor twice")
    if not places <= {_RAW_DATA, _PLACES[kind]}:
        raise ValueError("its weights are not where numbers of their kind lie")
    if kind in _NUMPY_TYPES:
        for value in [_patterns(tensor)] if _INT32_DATA in places else [v for _, v in values]:
            _require_finite(value, kind)


def _kind(tensor: Sequence[tuple[int, onnx_proto.Value]]) -> int:
    kinds = [value for field, value in tensor if field == _DATA_TYPE]
    if len(kinds) != 1 or not isinstance(kinds[0], int) or kinds[0] not in _PLACES:
        raise ValueError("its weights are numbers of another kind than a style's")
    return kinds[0]


def _patterns(tensor: memoryview) -> bytes:
    """Floats of 16 bits that are given as whole numbers, as they would lie in raw data."""
    numbers = onnx_proto.numbers(tensor, _INT32_DATA)
    return b"".join((number & 0xFFFF).to_bytes(2, "little") for number in numbers)


def _require_finite(data: onnx_proto.Value, kind: int) -> None:
    import numpy as np

    if isinstance(data, int):
        raise ValueError("it is not an ONNX file")
    values = np.frombuffer(data, _NUMPY_TYPES[kind])
    if kind == _BFLOAT16:  # the upper half of a float
        values = (values.astype("<u4") << 16).view("<f4")
    if not np.isfinite(values).all():
        raise ValueError("its weights are not finite numbers")

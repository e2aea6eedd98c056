"""The weights of a style: read whole, checked, never executed.

A style's network is an ONNX file whose SHA-256 stands on its card. Before a runtime sees
a byte of it, this module makes sure that it is the file that the card means, and that it
is nothing but arithmetic: known operators, weights inside the file, all of them finite.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from impasto.errors import StyleError, reason
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


def load(path: Path, sha256: str) -> bytes:
    """The verified content of a network file.

    Raises:
        StyleError: missing, too large, not the file of the card, or not a style network.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe would wait, a device may never end
            raise StyleError(f"{path} is not a regular file")
        if about.st_size > MAX_BYTES:
            raise StyleError(f"{path} is {about.st_size / 2**20:.0f} MiB, too large for a style")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise StyleError(f"{path} cannot be read: {reason(error)}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StyleError(
            f"{path} is damaged: it is not the file that its card describes",
            hint="install the style again",
        )
    check(data, str(path))
    return data


def refuse_foreign(path: Path) -> None:
    """Say why a lone file is not a style: a pickle, or an ONNX file without a card."""
    head = b""
    if os.path.isfile(path):
        with path.open("rb") as file:
            head = file.read(4)
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            raise StyleError(
                f"{path} is {kind}, which can run code when it is opened; it was not",
                hint="train the style with impasto train",
            )
    raise StyleError(
        f"{path} is not a style",
        hint="a style is a folder with card.json and its .onnx file, as impasto train writes it",
    )


def check(data: bytes, name: str) -> None:
    """Refuse an ONNX file that could do more, or other, than paint.

    Raises:
        StyleError: not ONNX, foreign operators, weights outside the file, weights that
            are not finite.
    """
    try:
        operators = set(_check_model(memoryview(data)))
    except (IndexError, ValueError) as error:
        raise StyleError(f"{name} is not a style network: {error}") from error
    if foreign := operators - OPERATORS:
        raise StyleError(
            f"{name} is not a style network: it uses {', '.join(sorted(foreign))}",
            hint="only networks that impasto exported are run",
        )
    if "Conv" not in operators:
        raise StyleError(f"{name} is not a style network: it has no convolution")


_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS = 5, 6, 10, 11
_DATA_TYPE, _FLOAT_DATA, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 2, 4, 9, 13, 14
_NUMPY_TYPES = {1: "<f4", 10: "<f2", 11: "<f8"}


def _check_model(model: memoryview) -> Iterator[str]:
    graphs = 0
    for field, value in onnx_proto.fields(model):
        if field == onnx_proto.FUNCTIONS:
            raise ValueError("it defines functions")
        if field == onnx_proto.GRAPH and isinstance(value, memoryview):
            graphs += 1
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
    for field, value in onnx_proto.fields(attribute):
        if field in (_SUBGRAPH, _SUBGRAPHS):
            raise ValueError("it has loops or branches")
        if field in (_TENSOR, _TENSORS) and isinstance(value, memoryview):
            _check_tensor(value)


def _check_tensor(tensor: memoryview) -> None:
    kind, raw = 0, memoryview(b"")
    for field, value in onnx_proto.fields(tensor):
        if field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value):
            raise ValueError("its weights lie outside the file")
        if field == _DATA_TYPE and isinstance(value, int):
            kind = value
        elif field in (_RAW_DATA, _FLOAT_DATA) and isinstance(value, memoryview):
            raw = value
    if kind in _NUMPY_TYPES:
        import numpy as np

        if not np.isfinite(np.frombuffer(raw, _NUMPY_TYPES[kind])).all():
            raise ValueError("its weights are not finite numbers")

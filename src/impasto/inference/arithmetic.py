"""The whole numbers that make sizes in a network, computed as a runtime would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from impasto.inference.onnx_proto import DTYPES, INT8, UINT8, Node
from impasto.inference.tensors import FEW, LARGEST, WHOLE, Inputs, given, slices

if TYPE_CHECKING:
    from impasto.inference.onnx_proto import Array

CALCULATED = "Add", "Sub", "Mul", "Div", "Mod"
"""Operators that compute."""
_INTEGERS = *WHOLE, UINT8, INT8


def computed(node: Node, inputs: Inputs, kind: int) -> Array | None:
    """Compute a node of few and known whole numbers; None, if it has others.

    Raises:
        ValueError: it cannot be computed.
    """
    if node.op == "Shape":
        axes = given(inputs, 0).shape
        start, end = node.whole("start", 0), node.whole("end", len(axes))
        return np.array(axes[start:end], np.int64)
    known = [each.values for each in inputs if each is not None and each.kind in WHOLE]
    if node.op == "Cast" and kind in WHOLE and given(inputs, 0).kind in _INTEGERS:
        before = given(inputs, 0).values
        return None if before is None else before.astype(DTYPES[kind])
    if node.op in ("Div", "Mod") and kind in _INTEGERS:
        _require_divisible(inputs)
    rule = _ARITHMETIC.get(node.op)
    if rule is None or kind not in WHOLE or len(known) < len(inputs):
        return None
    arrays = [each for each in known if each is not None]
    if len(arrays) < len(known) or any(each.size > FEW for each in arrays):
        return None
    if node.op in CALCULATED and any(map(_is_large, arrays)):
        raise ValueError("a size is too large")
    values = np.asarray(rule(node, arrays))
    return values.astype(DTYPES[kind]) if values.size <= FEW else None


def _require_divisible(inputs: Inputs) -> None:
    """Refuse to divide by 0, which would make a processor stop the program."""
    divisor = given(inputs, 1).values
    if divisor is None or not divisor.all():
        raise ValueError("it divides by what may be 0")


def _is_large(numbers: Array) -> bool:
    return bool(((numbers < -LARGEST) | (numbers > LARGEST)).any())


def _divided(_: Node, numbers: Sequence[Array]) -> Array:
    """Divide towards 0, as processors do."""
    one, other = numbers
    return np.sign(one) * np.sign(other) * (np.abs(one) // np.abs(other))


def _gathered(node: Node, numbers: Sequence[Array]) -> Array:
    data, indices = numbers
    return np.take(data, indices, node.whole("axis", 0))


def _reshaped(_: Node, numbers: Sequence[Array]) -> Array:
    return numbers[0].reshape([int(side) for side in numbers[1].reshape(-1)])


def _squeezed(_: Node, numbers: Sequence[Array]) -> Array:
    axes = tuple(map(int, numbers[1].reshape(-1))) if len(numbers) > 1 else None
    return np.squeeze(numbers[0], axes)


def _concatenated(node: Node, numbers: Sequence[Array]) -> Array:
    return np.concatenate(numbers, node.whole("axis", 0))


def _sliced(_: Node, numbers: Sequence[Array]) -> Array:
    data, *bounds = numbers
    found = slices(data.shape, [[int(each) for each in part.reshape(-1)] for part in bounds])
    return data[tuple(found)]


_ARITHMETIC: dict[str, Callable[[Node, Sequence[Array]], Array]] = {
    "Add": lambda _, numbers: np.add(*numbers),
    "Sub": lambda _, numbers: np.subtract(*numbers),
    "Mul": lambda _, numbers: np.multiply(*numbers),
    "Div": _divided,
    "Mod": lambda _, numbers: np.mod(*numbers),
    "Concat": _concatenated,
    "Gather": _gathered,
    "Reshape": _reshaped,
    "Slice": _sliced,
    "Squeeze": _squeezed,
    "Unsqueeze": lambda _, numbers: np.expand_dims(
        numbers[0], tuple(map(int, numbers[1].reshape(-1)))
    ),
}

"""Tensors before they are computed: kinds, shapes, and the numbers that make sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from impasto.inference.onnx_proto import DTYPES, INT8, INT32, INT64, UINT8, kind_of

if TYPE_CHECKING:
    from impasto.inference.onnx_proto import Array

Shape = tuple[int, ...]

WHOLE = INT64, INT32
"""Kinds of numbers that make sizes."""
LARGEST = 2**31
"""Largest believable size, and largest believable side of a tensor."""
FEW = 64
"""Most numbers of a tensor that are computed."""


class Tensor(NamedTuple):
    """Kind and shape of a tensor.

    It has ``values`` where they may make sizes. It is ``fixed`` if it is the same for all
    photographs.
    """

    kind: int
    shape: Shape
    values: Array | None = None
    fixed: bool = False

    @classmethod
    def of(cls, values: Array) -> Tensor:
        """Make the tensor of a constant."""
        kind = kind_of(values)
        known = kind in (*WHOLE, INT8, UINT8) or values.size <= FEW
        return cls(kind, values.shape, values if known else None, fixed=True)

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(DTYPES[self.kind]).itemsize


Inputs = Sequence["Tensor | None"]
"""The inputs of a node; None is not given."""


def given(inputs: Inputs, index: int) -> Tensor:
    """Return an input.

    Raises:
        ValueError: it is not given.
    """
    tensor = inputs[index] if index < len(inputs) else None
    if tensor is None:
        raise ValueError("an input is not given")
    return tensor


def wholes(inputs: Inputs, index: int) -> list[int]:
    """Return the known whole numbers of an input: one, or a list.

    Raises:
        ValueError: they are not known.
    """
    tensor = given(inputs, index)
    if tensor.values is None or tensor.kind not in WHOLE or tensor.values.ndim > 1:
        raise ValueError("a size is not known")
    return [int(each) for each in tensor.values.reshape(-1)]


def slices(shape: Shape, bounds: Sequence[Sequence[int]]) -> list[slice]:
    """Make a slice for each axis from starts, ends and, where they are given, axes and steps."""
    starts, ends, *more = bounds
    axes = more[0] if more else range(len(starts))
    steps = more[1] if len(more) > 1 else [1] * len(starts)
    found = [slice(None)] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise ValueError("it goes back")
        found[axis] = slice(start, end, step)
    return found

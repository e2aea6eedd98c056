"""Kinds and shapes of a network's tensors, worked out as a runtime does it.

A network is refused if they cannot be worked out beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from impasto.inference.arithmetic import CALCULATED, computed
from impasto.inference.onnx_proto import DTYPES, INT64, SINGLE, Node
from impasto.inference.tensors import LARGEST, Inputs, Shape, Tensor, given, slices, wholes

_Kind = Callable[[Node, Inputs], int]
_Shape = Callable[[Node, Inputs], Shape]


def made(node: Node, inputs: Inputs) -> list[Tensor]:
    """Return what a node makes of its inputs.

    Raises:
        ValueError: they do not go together.
    """
    try:
        kind = _KINDS.get(node.op, _first_kind)(node, inputs)
        fixed = node.op != "Shape" and all(each is None or each.fixed for each in inputs)
        values = computed(node, inputs, kind)
        if values is not None:
            return [Tensor(kind, values.shape, values, fixed)]
        if node.op == "Split":
            shapes = _split(node, inputs)
        else:
            shapes = [_SHAPES.get(node.op, _first_shape)(node, inputs)]
    except (ValueError, IndexError, TypeError, ArithmeticError) as error:
        raise ValueError(f"the sizes at its {node.op} do not go together") from error
    if not all(len(shape) <= 8 and all(0 < side < LARGEST for side in shape) for shape in shapes):
        raise ValueError(f"the sizes at its {node.op} do not go together")
    return [Tensor(kind, tuple(map(int, shape)), None, fixed) for shape in shapes]


def _first_kind(_: Node, inputs: Inputs) -> int:
    return given(inputs, 0).kind


def _first_shape(_: Node, inputs: Inputs) -> Shape:
    return given(inputs, 0).shape


def _quantized_kind(_: Node, inputs: Inputs) -> int:
    return given(inputs, 2).kind


def _scaled_kind(_: Node, inputs: Inputs) -> int:
    return given(inputs, 1).kind


def _cast_kind(node: Node, _: Inputs) -> int:
    kind = node.whole("to", 0)
    if kind not in DTYPES:
        raise ValueError("it does not say to what kind")
    return kind


_KINDS: dict[str, _Kind] = {
    "Cast": _cast_kind,
    **dict.fromkeys(("Shape", "Size"), lambda *_: INT64),
    "QuantizeLinear": _quantized_kind,
    "DequantizeLinear": _scaled_kind,
}


def _slice(_: Node, inputs: Inputs) -> Shape:
    shape = given(inputs, 0).shape
    bounds = [wholes(inputs, index) for index in range(1, len(inputs))]
    parts = zip(shape, slices(shape, bounds), strict=True)
    return tuple(len(range(side)[each]) for side, each in parts)


def _broadcast(_: Node, inputs: Inputs) -> Shape:
    return np.broadcast_shapes(*(each.shape for each in inputs if each is not None))


def _concat(node: Node, inputs: Inputs) -> Shape:
    shapes = [given(inputs, index).shape for index in range(len(inputs))]
    axis = node.whole("axis", 0) % len(shapes[0])
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rest) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise ValueError("they are of several shapes")
    total = sum(shape[axis] for shape in shapes)
    return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])


def _reshape(node: Node, inputs: Inputs) -> Shape:
    before, sides = given(inputs, 0).shape, wholes(inputs, 1)
    if not node.whole("allowzero", 0):
        sides = [before[axis] if side == 0 else side for axis, side in enumerate(sides)]
    if sides.count(-1) == 1:
        rest = -math.prod(sides)
        sides = [math.prod(before) // rest if side == -1 else side for side in sides]
    if math.prod(sides) != math.prod(before):
        raise ValueError("it has another number of numbers")
    return tuple(sides)


def _squeeze(_: Node, inputs: Inputs) -> Shape:
    shape = given(inputs, 0).shape
    axes = [axis % len(shape) for axis in wholes(inputs, 1)] if len(inputs) > 1 else None
    if axes is None:
        return tuple(side for side in shape if side != 1)
    if any(shape[axis] != 1 for axis in axes):
        raise ValueError("it is no axis of 1")
    return tuple(side for axis, side in enumerate(shape) if axis not in axes)


def _unsqueeze(_: Node, inputs: Inputs) -> Shape:
    sides, axes = list(given(inputs, 0).shape), wholes(inputs, 1)
    rank = len(sides) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        sides.insert(axis, 1)
    return tuple(sides)


def _gather(node: Node, inputs: Inputs) -> Shape:
    shape, indices = given(inputs, 0).shape, given(inputs, 1)
    axis = node.whole("axis", 0) % len(shape)
    values = indices.values
    if values is None or not ((-shape[axis] <= values) & (values < shape[axis])).all():
        raise ValueError("it takes what is not there")
    return (*shape[:axis], *indices.shape, *shape[axis + 1 :])


def _transpose(node: Node, inputs: Inputs) -> Shape:
    shape = given(inputs, 0).shape
    axes = node.wholes("perm", tuple(reversed(range(len(shape)))))
    if sorted(axes) != list(range(len(shape))):
        raise ValueError("it is no order of the axes")
    return tuple(shape[axis] for axis in axes)


def _reduce(node: Node, inputs: Inputs) -> Shape:
    shape = given(inputs, 0).shape
    axes = {axis % len(shape) for axis in wholes(inputs, 1)} if len(inputs) > 1 else set()
    if not axes and not node.whole("noop_with_empty_axes", 0):
        axes = set(range(len(shape)))
    if node.whole("keepdims", 1):
        return tuple(1 if axis in axes else side for axis, side in enumerate(shape))
    return tuple(side for axis, side in enumerate(shape) if axis not in axes)


def _matmul(_: Node, inputs: Inputs) -> Shape:
    one, other = given(inputs, 0).shape, given(inputs, 1).shape
    rows, columns = one[-2:-1], other[-1:] if len(other) > 1 else ()
    if one[-1] != other[-2 if len(other) > 1 else 0]:
        raise ValueError("they are no matrices that can be multiplied")
    return (*np.broadcast_shapes(one[:-2], other[:-2]), *rows, *columns)


def _gemm(node: Node, inputs: Inputs) -> Shape:
    one, other = given(inputs, 0).shape, given(inputs, 1).shape
    one = one[::-1] if node.whole("transA", 0) else one
    other = other[::-1] if node.whole("transB", 0) else other
    if (len(one), len(other)) != (2, 2) or one[1] != other[0]:
        raise ValueError("they are no matrices that can be multiplied")
    return one[0], other[1]


class _Kernel(NamedTuple):
    """What a convolution sees, along height and width."""

    sides: Shape
    strides: Shape
    reach: Shape
    """Pixels that it sees, minus one."""
    pads: Shape

    @classmethod
    def of(cls, node: Node, sides: Shape) -> _Kernel:
        strides, dilations = node.wholes("strides", (1, 1)), node.wholes("dilations", (1, 1))
        pads = node.wholes("pads", (0, 0, 0, 0))
        if not len(sides) == len(strides) == len(dilations) == 2 or len(pads) != 4:
            raise ValueError("it has no two dimensions")
        if node.wholes("kernel_shape", sides) != sides:
            raise ValueError("it is of another size than its weights")
        reach = tuple(
            (side - 1) * dilation for side, dilation in zip(sides, dilations, strict=True)
        )
        return cls(sides, strides, reach, (pads[0] + pads[2], pads[1] + pads[3]))

    def places(self, size: Sequence[int]) -> Iterator[int]:
        """Give how many places it has, along height and width."""
        for side, pads, reach, stride in zip(
            size, self.pads, self.reach, self.strides, strict=True
        ):
            yield (side + pads - reach - 1) // stride + 1


def _conv(node: Node, inputs: Inputs) -> Shape:
    batch, channels, *size = given(inputs, 0).shape
    weights, groups = given(inputs, 1), node.whole("group", 1)
    kernel = _Kernel.of(node, weights.shape[2:])
    if weights.shape[1] * groups != channels or weights.shape[0] % groups:
        raise ValueError("it has weights for other channels")
    return batch, weights.shape[0], *kernel.places(size)


def _pool(node: Node, inputs: Inputs) -> Shape:
    batch, channels, *size = given(inputs, 0).shape
    return batch, channels, *_Kernel.of(node, node.wholes("kernel_shape", ())).places(size)


def _conv_transpose(node: Node, inputs: Inputs) -> Shape:
    batch, channels, *size = given(inputs, 0).shape
    weights, groups = given(inputs, 1), node.whole("group", 1)
    kernel, more = _Kernel.of(node, weights.shape[2:]), node.wholes("output_padding", (0, 0))
    if weights.shape[0] != channels or channels % groups:
        raise ValueError("it has weights for other channels")
    sides = (
        (side - 1) * stride + reach + 1 + extra - pads
        for side, stride, reach, extra, pads in zip(
            size, kernel.strides, kernel.reach, more, kernel.pads, strict=True
        )
    )
    return batch, weights.shape[1] * groups, *sides


def _depth_to_space(node: Node, inputs: Inputs) -> Shape:
    batch, channels, height, width = given(inputs, 0).shape
    block = node.whole("blocksize", 0)
    if not block or channels % block**2:
        raise ValueError("its channels make no blocks")
    return batch, channels // block**2, height * block, width * block


def _split(node: Node, inputs: Inputs) -> list[Shape]:
    shape, sides = given(inputs, 0).shape, wholes(inputs, 1)
    axis = node.whole("axis", 0) % len(shape)
    if sum(sides) != shape[axis] or len(sides) != len(node.outputs):
        raise ValueError("the parts are not the whole")
    return [(*shape[:axis], side, *shape[axis + 1 :]) for side in sides]


def _expand(_: Node, inputs: Inputs) -> Shape:
    return np.broadcast_shapes(given(inputs, 0).shape, tuple(wholes(inputs, 1)))


def _tile(_: Node, inputs: Inputs) -> Shape:
    parts = zip(given(inputs, 0).shape, wholes(inputs, 1), strict=True)
    return tuple(side * times for side, times in parts)


def _pad(node: Node, inputs: Inputs) -> Shape:
    shape, pads = given(inputs, 0).shape, wholes(inputs, 1)
    if len(pads) != 2 * len(shape) or min(pads) < 0:
        raise ValueError("it pads other axes, or cuts")
    before, behind = pads[: len(shape)], pads[len(shape) :]
    if node.text("mode", "constant") == "reflect" and any(
        max(pair) >= side for *pair, side in zip(before, behind, shape, strict=True)
    ):
        raise ValueError("it reflects more than there is")
    return tuple(map(sum, zip(before, shape, behind, strict=True)))


def _resize(_: Node, inputs: Inputs) -> Shape:
    shape = given(inputs, 0).shape
    if len(inputs) > 3 and inputs[3] is not None:
        sides = wholes(inputs, 3)
        if inputs[2] is not None or len(sides) != len(shape):
            raise ValueError("it has scales and sizes")
        return tuple(sides)
    scales = given(inputs, 2)
    if scales.kind != SINGLE or scales.values is None or scales.shape != (len(shape),):
        raise ValueError("its scales are not known")
    return tuple(
        math.floor(side * float(scale)) for side, scale in zip(shape, scales.values, strict=True)
    )


_SHAPES: dict[str, _Shape] = {
    **dict.fromkeys((*CALCULATED, "Pow"), _broadcast),
    "Concat": _concat,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Gather": _gather,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MaxPool": _pool,
    "Pad": _pad,
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceSumSquare"), _reduce),
    "Reshape": _reshape,
    "Resize": _resize,
    "Size": lambda *_: (),
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""Functions for operators that change shapes; all others keep the shape of their first input."""

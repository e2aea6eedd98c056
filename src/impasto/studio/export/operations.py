"""Differentiable operations: each writes itself on a tape, with its way back.

Values are names on a :class:`~impasto.studio.export.tape.Tape`. Features are ``(1, C, H, W)``.
``g`` is the gradient of the loss by an operation's result, and has the result's shape.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from impasto.inference.onnx_proto import SINGLE
from impasto.studio.export.tape import Tape
from impasto.studio.perceptual import winograd

_PLACES = 2, 3
"""Axes of height and width."""
_EPSILON = 1e-5
"""Epsilon of instance normalisation, as torch has it."""
_LEAST = 1e-8
"""Size of a target below which a relative distance does not grow any more."""
_TINY = 1e-12
_LUMA = 0.299, 0.587, 0.114
_LIGHT = 16
"""Side, in pixels, of the squares over which light and shade are compared."""
_DARK = 1e-3
"""Below this contrast there is no light and shade to keep."""


def add(t: Tape, x: str, y: str) -> str:
    return t.record(t("Add", x, y), (x, _same), (y, _same))


def subtract(t: Tape, x: str, y: str) -> str:
    return t.record(t("Sub", x, y), (x, _same), (y, lambda g: t("Mul", g, t.constant(-1))))


def scale(t: Tape, x: str, factor: str) -> str:
    """Multiply ``x`` by a factor that is not learnt."""
    return t.record(t("Mul", x, factor), (x, lambda g: t("Mul", g, factor)))


def relu(t: Tape, x: str) -> str:
    y = t("Relu", x)
    return t.record(y, (x, lambda g: t("Mul", g, t("Sign", y))))


def convolution(t: Tape, x: str, weight: str, bias: str = "", *, stride: int = 1) -> str:
    """Write a convolution of features that were padded before.

    ``weight``, ``(O, C, K, K)``, is an input of the tape.
    """
    outputs, inputs, side, _ = t.shape(weight)
    given = (x, weight, bias) if bias else (x, weight)
    y = t("Conv", *given, strides=(stride, stride))

    def by_weight(g: str) -> str:
        """Write nine shifted matrix products, or as many as there are taps, in one."""
        taps = t("Concat", *(_tap(t, x, at, side, stride) for at in _taps(side)), axis=1)
        rows = t("Reshape", g, t.wholes(outputs, -1))
        columns = t("Reshape", taps, t.wholes(side * side * inputs, -1))
        summed = t(
            "Reshape", t("Gemm", rows, columns, transB=1), t.wholes(outputs, side, side, inputs)
        )
        return t("Transpose", summed, perm=(0, 3, 1, 2))

    def by_bias(g: str) -> str:
        return t("ReduceSum", g, t.wholes(0, *_PLACES), keepdims=0)

    def by_features(g: str) -> str:
        if stride == 1:
            return t("Conv", g, turned(t, weight, side), pads=(side - 1,) * 4)
        return t("ConvTranspose", g, weight, strides=(stride, stride))

    return t.record(y, (x, by_features), (weight, by_weight), (bias, by_bias))


def frozen_convolution(t: Tape, x: str, weight: str, bias: str, padding: int) -> str:
    """Write a 3x3 convolution with fixed weights, with a border of zeros or without.

    With a border and many channels it takes Winograd's way, which is faster on processors.
    """
    outputs, inputs, _, _ = t.shape(weight)
    if padding and min(outputs, inputs) >= winograd.FEWEST:
        y = t("Add", _winograd(t, x, weight), t("Reshape", bias, t.wholes(-1, 1, 1)))
        return t.record(y, (x, lambda g: _winograd(t, g, weight, back=True)))
    y = t("Conv", x, weight, bias, pads=(padding,) * 4)
    return t.record(y, (x, lambda g: t("Conv", g, turned(t, weight), pads=(2 - padding,) * 4)))


def _winograd(t: Tape, x: str, weight: str, *, back: bool = False) -> str:
    """Write a 3x3 convolution with a border of zeros, without its bias; or its way ``back``.

    See :mod:`impasto.studio.perceptual.winograd`. A map of squares, there or back, is itself a
    convolution, of each channel alone and with large steps. Kernels of the way back are turned, so
    their nine numbers are in reverse order.
    """
    outputs, inputs, _, _ = t.shape(weight)
    if back:
        outputs, inputs = inputs, outputs
    side, step = winograd.SQUARE, winograd.STEP
    places, steps = side**2, (step, step)
    taken, kernel, given = (
        np.kron(matrix, matrix) for matrix in (winograd.TAKEN, winograd.KERNEL, winograd.GIVEN)
    )
    taps = t.constant(taken.reshape(places, 1, side, side))
    alone = t("Transpose", x, perm=(1, 0, 2, 3))
    squares = t("Conv", alone, taps, strides=steps, pads=(1, 1, step, step))
    mapped = t("Transpose", t("Reshape", squares, t.wholes(inputs, places, -1)), perm=(1, 0, 2))
    columns = t("Transpose", weight, perm=(2, 3, 1, 0) if back else (2, 3, 0, 1))
    columns = t("Reshape", columns, t.wholes(9, -1))
    kernels = t("MatMul", t.constant(kernel[:, ::-1] if back else kernel), columns)
    kernels = t("Reshape", kernels, t.wholes(places, outputs, inputs))
    products = t("Transpose", t("MatMul", kernels, mapped), perm=(1, 0, 2))
    sides = t("Concat", t.wholes(outputs, places), t("Shape", squares, start=2), axis=0)
    results = t.constant(given.T.reshape(places, 1, step, step))
    whole = t("ConvTranspose", t("Reshape", products, sides), results, strides=steps)
    whole = t("Transpose", whole, perm=(1, 0, 2, 3))
    return t("Slice", whole, t.wholes(0, 0), t("Shape", x, start=2), t.wholes(*_PLACES))


def turned(t: Tape, weight: str, side: int = 3) -> str:
    """Write the kernels of the way back: turned by half a circle, inputs and outputs exchanged."""
    back = t.wholes(*reversed(range(side)))
    for axis in _PLACES:
        weight = t("Gather", weight, back, axis=axis)
    return t("Transpose", weight, perm=(1, 0, 2, 3))


def instance_norm(t: Tape, x: str, scale: str, shift: str) -> str:
    """Normalise over the places, then scale and shift; both are ``(1, C)``."""
    centred = t("Sub", x, _mean(t, x))
    variance = _mean(t, t("Mul", centred, centred))
    deviation = t("Sqrt", t("Add", variance, t.constant(_EPSILON)))
    standard = t("Div", centred, deviation)
    factor, offset = (t("Reshape", each, t.wholes(1, -1, 1, 1)) for each in (scale, shift))
    y = t("Add", t("Mul", standard, factor), offset)

    def by_features(g: str) -> str:
        along = t("Mul", standard, _mean(t, t("Mul", g, standard)))
        across = t("Sub", t("Sub", g, _mean(t, g)), along)
        return t("Mul", across, t("Div", factor, deviation))

    def summed(g: str) -> str:
        return t("Reshape", t("ReduceSum", g, t.wholes(*_PLACES), keepdims=0), t.wholes(1, -1))

    return t.record(
        y, (x, by_features), (scale, lambda g: summed(t("Mul", g, standard))), (shift, summed)
    )


def padded(t: Tape, x: str, width: int) -> str:
    """Repeat the edge ``width`` times; the way back adds up what was repeated."""
    y = t("Pad", x, t.wholes(0, 0, width, width, 0, 0, width, width), mode="edge")

    def by_features(g: str) -> str:
        for axis in _PLACES:
            first = t("ReduceSum", _part(t, g, axis, 0, width + 1), t.wholes(axis), keepdims=1)
            last = t("ReduceSum", _part(t, g, axis, -width - 1), t.wholes(axis), keepdims=1)
            g = t("Concat", first, _part(t, g, axis, width + 1, -width - 1), last, axis=axis)
        return g

    return t.record(y, (x, by_features))


def doubled(t: Tape, x: str, channels: int) -> str:
    """Enlarge to twice the height and width, bilinear.

    Each pixel gives 3/4 of itself to the two nearest of the result and 1/4 to the next ones. At an
    edge the next one is the edge itself. So the way back repeats the edge of the gradient.
    """
    factors = t.constant((1, 1, 2, 2))
    y = t("Resize", x, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    taps = np.outer((0.25, 0.75, 0.75, 0.25), (0.25, 0.75, 0.75, 0.25))
    kernels = t.constant(np.tile(taps, (channels, 1, 1, 1)))

    def by_features(g: str) -> str:
        edged = t("Pad", g, t.wholes(0, 0, 1, 1, 0, 0, 1, 1), mode="edge")
        return t("Conv", edged, kernels, group=channels, strides=(2, 2))

    return t.record(y, (x, by_features))


def max_pool(t: Tape, x: str) -> str:
    """Take the largest of each 2x2; sides are even.

    The gradient goes to the first of equal ones, as torch's does.
    """
    y = t("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))

    def by_features(g: str) -> str:
        parts, free = [], t.constant(1)
        for at in _taps(2):
            is_less = t("Sign", t("Sub", y, _tap(t, x, at, 2, 2)))
            taken = t("Mul", free, t("Sub", t.constant(1), is_less))
            free = t("Sub", free, taken)
            parts.append(t("Mul", g, taken))
        return t("DepthToSpace", t("Concat", *parts, axis=1), blocksize=2, mode="DCR")

    return t.record(y, (x, by_features))


def gram(t: Tape, x: str, channels: int) -> str:
    """Write the mean over the places of ``f f^T``, ``(C, C)``."""
    flat, places = t("Reshape", x, t.wholes(channels, -1)), _places(t, x)
    y = t("Div", t("Gemm", flat, flat, transB=1), places)

    def by_features(g: str) -> str:
        both = t("Div", t("Add", g, t("Transpose", g, perm=(1, 0))), places)
        return t("Reshape", t("MatMul", both, flat), t("Shape", x))

    return t.record(y, (x, by_features))


def mean(t: Tape, x: str) -> str:
    """Write the mean over the places, ``(C,)``."""
    y = t("ReduceMean", x, t.wholes(0, *_PLACES), keepdims=0)

    def by_features(g: str) -> str:
        share = t("Reshape", t("Div", g, _places(t, x)), t.wholes(1, -1, 1, 1))
        return t("Expand", share, t("Shape", x))

    return t.record(y, (x, by_features))


def square_of(t: Tape, x: str) -> str:
    """Write ``x x^T`` of ``(C,)``."""
    column = t("Reshape", x, t.wholes(-1, 1))
    y = t("MatMul", column, t("Transpose", column, perm=(1, 0)))

    def backward(g: str) -> str:
        both = t("Add", g, t("Transpose", g, perm=(1, 0)))
        return t("Reshape", t("MatMul", both, column), t.wholes(-1))

    return t.record(y, (x, backward))


def relative_distance(t: Tape, x: str, target: str) -> str:
    """Write the squared distance over the squared size of the target, a scalar."""
    off = t("Sub", x, target)
    size = t("Clip", _sum(t, t("Mul", target, target)), t.constant(_LEAST))
    y = t("Div", _sum(t, t("Mul", off, off)), size)
    return t.record(y, (x, lambda g: t("Mul", off, t("Div", t("Mul", g, t.constant(2)), size))))


def variation(t: Tape, x: str, axis: int, channels: int = 3) -> str:
    """Write the mean absolute difference of neighbours along an axis, a scalar."""
    steps = t("Sub", _part(t, x, axis, 1), _part(t, x, axis, 0, -1))
    count = t("Mul", _places(t, steps), t.constant(channels))
    y = t("Div", _sum(t, t("Abs", steps)), count)

    def backward(g: str) -> str:
        share = t("Div", g, count)
        each, front = t("Mul", t("Sign", steps), share), [axis == each for each in range(4)]
        later = t("Pad", each, t.wholes(*front, 0, 0, 0, 0))
        return t("Sub", later, t("Pad", each, t.wholes(0, 0, 0, 0, *front)))

    return t.record(y, (x, backward))


def light(t: Tape, x: str) -> str:
    """Write luminance at a sixteenth of the size; a remainder at right and below is ignored."""
    side = _LIGHT
    kernel = np.array(_LUMA)[None, :, None, None] * np.ones((1, 3, side, side)) / side**2
    weights = t.constant(kernel)
    y = t("Conv", x, weights, strides=(side, side))

    def backward(g: str) -> str:
        rest = t("Mod", t("Shape", x, start=2), t.wholes(side))
        seen = t("ConvTranspose", g, weights, strides=(side, side))
        return t("Pad", seen, t("Concat", t.wholes(*[0] * 6), rest, axis=0))

    return t.record(y, (x, backward))


def tone(t: Tape, x: str, target: str) -> str:
    """Write 1 minus the correlation with a target, a scalar."""
    one, other = (t("Sub", each, t("ReduceMean", each, keepdims=1)) for each in (x, target))
    along = _sum(t, t("Mul", one, other))
    length, wanted = (t("Sqrt", _sum(t, t("Mul", each, each))) for each in (one, other))
    size = t("Add", t("Mul", length, wanted), t.constant(_DARK))
    share = t("Div", along, size)
    y = t("Sub", t.constant(1), share)

    def backward(g: str) -> str:
        unit = t("Div", one, t("Clip", length, t.constant(_TINY)))
        shrunk = t("Mul", unit, t("Mul", share, wanted))
        return t("Mul", t("Sub", shrunk, other), t("Div", g, size))

    return t.record(y, (x, backward))


def _same(g: str) -> str:
    return g


def _taps(side: int) -> list[tuple[int, ...]]:
    """Give the places in a kernel, row after row."""
    return list(product(range(side), repeat=2))


def _tap(t: Tape, x: str, at: tuple[int, ...], side: int, stride: int) -> str:
    """Write what one place of a kernel sees of ``x``."""
    starts, ends = t.wholes(*at), t.wholes(*(each - side + 1 or _END for each in at))
    return t("Slice", x, starts, ends, t.wholes(*_PLACES), t.wholes(stride, stride))


_END = 2**31 - 1


def _part(t: Tape, x: str, axis: int, start: int, end: int = _END) -> str:
    return t("Slice", x, t.wholes(start), t.wholes(end), t.wholes(axis))


def _mean(t: Tape, x: str) -> str:
    """Write the mean over the places, ``(1, C, 1, 1)``."""
    return t("ReduceMean", x, t.wholes(*_PLACES), keepdims=1)


def _sum(t: Tape, x: str) -> str:
    """Write the sum of all numbers, along the last axis first.

    So a million small numbers are not added to one that is large by then.
    """
    return t("ReduceSum", t("ReduceSum", x, t.wholes(-1), keepdims=1), keepdims=0)


def _places(t: Tape, x: str) -> str:
    """Write how many places ``x`` has."""
    shape = t("Shape", x)
    sides = (t("Gather", shape, t.constant(axis, "<i8"), axis=0) for axis in _PLACES)
    return t("Cast", t("Mul", *sides), to=SINGLE)

"""The operators that networks may use, with their inputs and attributes.

impasto's own export writes them: for styles, for hypernetworks, and for the steps of a training.
Other operators are refused. They could read files, loop, or do what this program does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from impasto.inference.onnx_proto import DTYPES, Attribute, Network, Node

Allowed = Callable[[Attribute], bool]


@dataclass(frozen=True)
class Operator:
    """An operator: its number of inputs, values of its attributes, and most results."""

    fewest: int
    most: int
    attributes: Mapping[str, Allowed] = field(default_factory=dict)
    results: int = 1


def _whole(low: int, high: int) -> Allowed:
    return lambda value: isinstance(value, int) and low <= value <= high


def _real(low: float, high: float) -> Allowed:
    return lambda value: isinstance(value, float) and low <= value <= high


def _wholes(low: int, high: int, most: int) -> Allowed:
    return lambda value: (
        isinstance(value, tuple)
        and len(value) <= most
        and all(low <= each <= high for each in value)
    )


def _one_of(*words: str) -> Allowed:
    return lambda value: value in words


_AXIS, _SWITCH, _FACTOR = _whole(-8, 8), _whole(0, 1), _real(-1000, 1000)
_EPSILON = {"epsilon": _real(1e-12, 1)}
_PAIR: dict[str, Allowed] = {
    "auto_pad": _one_of("NOTSET"),
    "dilations": _wholes(1, 16, 2),
    "group": _whole(1, 4096),
    "kernel_shape": _wholes(1, 32, 2),
    "pads": _wholes(0, 64, 4),
    "strides": _wholes(1, 8, 2),
}
_REDUCE: dict[str, Allowed] = {"keepdims": _SWITCH, "noop_with_empty_axes": _SWITCH}
_RESIZE: dict[str, Allowed] = {
    "antialias": _whole(0, 0),
    "coordinate_transformation_mode": _one_of("half_pixel", "pytorch_half_pixel", "asymmetric"),
    "cubic_coeff_a": _FACTOR,
    "exclude_outside": _whole(0, 0),
    "extrapolation_value": _FACTOR,
    "keep_aspect_ratio_policy": _one_of("stretch"),
    "mode": _one_of("linear", "nearest"),
    "nearest_mode": _one_of("floor", "round_prefer_floor"),
}

OPERATORS: dict[str, Operator] = {
    **dict.fromkeys(("Relu", "Round", "Sigmoid", "Tanh"), Operator(1, 1)),
    **dict.fromkeys(("Add", "Div", "MatMul", "Mul", "Sub"), Operator(2, 2)),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), Operator(3, 3, {"axis": _AXIS})),
    "BatchNormalization": Operator(
        5, 5, {**_EPSILON, "momentum": _real(0, 1), "training_mode": _whole(0, 0)}
    ),
    "Cast": Operator(1, 1, {"to": lambda value: value in DTYPES}),
    "Clip": Operator(1, 3),
    "Concat": Operator(1, 64, {"axis": _AXIS}),
    "Conv": Operator(2, 3, _PAIR),
    "ConvTranspose": Operator(2, 3, {**_PAIR, "output_padding": _wholes(0, 8, 2)}),
    "DepthToSpace": Operator(1, 1, {"blocksize": _whole(1, 8), "mode": _one_of("DCR", "CRD")}),
    "Gather": Operator(2, 2, {"axis": _AXIS}),
    "Gemm": Operator(
        2, 3, {"alpha": _FACTOR, "beta": _FACTOR, "transA": _SWITCH, "transB": _SWITCH}
    ),
    "InstanceNormalization": Operator(3, 3, _EPSILON),
    "Mod": Operator(2, 2, {"fmod": _whole(0, 0)}),
    "Pad": Operator(2, 3, {"mode": _one_of("constant", "edge", "reflect")}),
    "ReduceSum": Operator(1, 2, _REDUCE),
    "Reshape": Operator(2, 2, {"allowzero": _SWITCH}),
    "Resize": Operator(3, 4, _RESIZE),
    "Selu": Operator(1, 1, {"alpha": _FACTOR, "gamma": _FACTOR}),
    "Shape": Operator(1, 1, {"start": _AXIS, "end": _AXIS}),
    "Slice": Operator(3, 5),
    "Squeeze": Operator(1, 2),
    "Transpose": Operator(1, 1, {"perm": _wholes(0, 7, 8)}),
    "Unsqueeze": Operator(2, 2),
}
"""Operators of a style, by name, as in version 18 of ONNX's operators."""

OF_HYPERNETWORKS = OPERATORS | {
    **dict.fromkeys(("Abs", "Erf", "Log", "Sign", "Sqrt"), Operator(1, 1)),
    **dict.fromkeys(("Expand", "Pow", "Tile"), Operator(2, 2)),
    "LayerNormalization": Operator(
        2, 3, {**_EPSILON, "axis": _whole(-1, -1), "stash_type": _whole(1, 1)}
    ),
    "MaxPool": Operator(
        1,
        1,
        {
            **{name: allowed for name, allowed in _PAIR.items() if name != "group"},
            "ceil_mode": _whole(0, 0),
            "storage_order": _whole(0, 0),
        },
    ),
    "ReduceMean": Operator(1, 2, _REDUCE),
    "Split": Operator(2, 2, {"axis": _AXIS}, results=256),
}
"""Operators of a network that makes the weights of others."""

_COARSE = _PAIR | {"strides": _wholes(1, 16, 2)}
OF_STEPS = OF_HYPERNETWORKS | {
    "Conv": Operator(2, 3, _COARSE),
    "ConvTranspose": Operator(2, 3, {**_COARSE, "output_padding": _wholes(0, 8, 2)}),
}
"""Operators of a training's step, which looks at light and shade at a sixteenth of the size."""


def require_known(network: Network, known: Mapping[str, Operator]) -> None:
    """Check the operators of a network.

    Raises:
        ValueError: the network uses other operators, or these in other ways.
    """
    if foreign := {node.op for node in network.nodes} - known.keys():
        names = (name[:40] if name[:40].isprintable() else repr(name[:40]) for name in foreign)
        raise ValueError(f"it uses {', '.join(sorted(names)[:5])}")
    for node in network.nodes:
        _require_allowed(node, known[node.op])


def _require_allowed(node: Node, operator: Operator) -> None:
    if not operator.fewest <= len(node.inputs) <= operator.most or not (
        1 <= len(node.outputs) <= operator.results
    ):
        raise ValueError(f"its {node.op} takes or gives more or less than there is")
    for name, value in node.attributes.items():
        allowed = operator.attributes.get(name)
        if allowed is None or not allowed(value):
            raise ValueError(f"its {node.op} is set in a way that no style's is")

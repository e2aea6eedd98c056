"""The network between others: each of its weights is the mean of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from impasto.inference.onnx_proto import Network

if TYPE_CHECKING:
    from impasto.inference.onnx_proto import Array, Weights

RELATED = 0.53
"""Mean cosine between the convolutions of networks from which they count as related.

All bundled ones have as much. Tiny ones go further from their start, to 0.4. Two that
shared only their first random numbers have 0.5, and their mean paints blotches. Strangers have 0.
"""


def between(networks: Sequence[Network], shares: Sequence[float]) -> Network:
    """Return the network whose weights are the means of theirs, with shares that add up to 1.

    Networks trained from one start can be mixed. All networks between them paint well, and their
    paintings lie between the styles. This is deep network interpolation (Wang et al., CVPR 2019).
    Other networks cannot be mixed, because their channels mean different things.

    Raises:
        ValueError: they do not compute the same, or are not related.
    """
    (plan, first), *others = [_plan(network) for network in networks]
    if any(other != plan for other, _ in others):
        raise ValueError("their networks are not of one kind")
    weights = [first, *(theirs for _, theirs in others)]
    if any(each < RELATED for each in _cosines(weights)):
        raise ValueError("their networks were not learnt from one start")
    rows = zip(*(each.values() for each in weights), strict=True)
    means = {name: _mean(row, shares) for name, row in zip(first, rows, strict=True)}
    return replace(networks[0], constants=networks[0].constants | means)


def _plan(network: Network) -> tuple[list[object], Weights]:
    """Return what a network computes, without its weights, and these weights.

    The names of tensors do not count. Tensors get the numbers in which they appear, and weights get
    that order. Exporters of different days give them different names.
    """
    numbers: dict[str, int] = {}

    def numbered(names: Iterable[str]) -> list[int]:
        return [numbers.setdefault(name, len(numbers)) for name in names]

    plan: list[object] = [numbered(network.inputs)]
    for node in network.nodes:
        plan.append((node.op, node.attributes, numbered(node.inputs), numbered(node.outputs)))
    plan.append(numbered(network.outputs))
    used = {name: network.constants[name] for name in numbers if name in network.constants}
    weights = {name: values for name, values in used.items() if values.dtype.kind == "f"}
    for name, values in used.items():
        plan.append((values.dtype, values.shape))
        if name not in weights:
            plan.append(values.tobytes())
    return plan, weights


def likeness(networks: Sequence[Network]) -> float:
    """Give the mean cosine between the convolutions of the two that are least alike.

    The networks must be of one kind.
    """
    return min(likenesses(networks))


def likenesses(networks: Sequence[Network]) -> list[float]:
    """Give the same of each two, in the order of :func:`itertools.combinations`."""
    return _cosines([_plan(network)[1] for network in networks])


def _cosines(networks: Sequence[Weights]) -> list[float]:
    """Compare each convolution with its counterpart, of each two networks."""
    import numpy as np

    def unit(values: Array) -> Array:
        flat = values.ravel().astype(np.float64)
        return flat / (np.linalg.norm(flat) or 1)

    kernels = [[unit(each) for each in weights.values() if each.ndim > 1] for weights in networks]
    return [
        sum(float(kernel @ another) for kernel, another in zip(one, other, strict=True)) / len(one)
        for one, other in combinations(kernels, 2)
    ]


def _mean(values: Sequence[Array], shares: Sequence[float]) -> Array:
    """Return the mean in the precision of the values."""
    import numpy as np

    mean = sum(share * each.astype(np.float64) for each, share in zip(values, shares, strict=True))
    return np.asarray(mean, values[0].dtype)

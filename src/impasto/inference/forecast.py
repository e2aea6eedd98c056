"""What a network takes before it runs: the size of every tensor, for a picture of a size.

Sizes are worked out node by node, as a runtime does it. The whole numbers that make sizes are
computed. So no runtime meets a surprise in a network: a tensor of gigabytes, or a division by zero.
Nor does a painting get another size than its photograph.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from impasto.inference.onnx_proto import UINT8, Network, Node, Port
from impasto.inference.shapes import made
from impasto.inference.tensors import Inputs, Tensor, given

_BYTES_PER_PIXEL = 8000
"""Most bytes, for each pixel of the photograph, of all tensors that are needed at once.

Networks that impasto can train take 3,000 at most, bundled ones a hundredth of that.
"""
_SUMS_PER_PIXEL = 15_000_000
"""Most products that are added up for each pixel.

The largest network that impasto can train takes 11 million, bundled ones 20,000.
"""
_MORE_THAN_WEIGHTS = 12
"""Most bytes that are made of the weights alone, as a multiple of the weights' bytes.

Some weights have 8 bits, and become floats. Kernels are mapped to four times their size, for the
way there and for the way back.
"""
_SMALL = 2**20
_LOOKING = {"Conv", "ConvTranspose", "Resize", "MaxPool", "AveragePool"}
"""Nodes that look at other places of a tensor than the one that they make."""


@dataclass(frozen=True)
class Forecast:
    """What a network takes for one picture, in bytes."""

    largest: int
    """Bytes of its largest tensor."""
    peak: int
    """Bytes of all tensors that are needed at once."""


def photograph(network: Network, height: int, width: int) -> dict[str, Tensor]:
    """Return the inputs of the network for a photograph of this size."""
    first = next(iter(network.inputs))
    given = {
        name: Tensor(port.kind, tuple(side or 1 for side in port.shape))
        for name, port in network.inputs.items()
    }
    return given | {first: Tensor(UINT8, (1, height, width, 3))}


def forecast(network: Network, inputs: Mapping[str, Tensor]) -> Forecast:
    """Forecast the memory for these inputs; the first is the photograph.

    Raises:
        ValueError: more than any style takes, sizes that do not go together, or a painting of
            another size.
    """
    return _Forecaster(network, inputs).forecast()


def reach(network: Network, inputs: Mapping[str, Tensor]) -> tuple[int, int]:
    """Return the stride of the coarsest tensor, and how far the network looks, both in pixels.

    A pixel of the painting depends on no pixel of the photograph further away than that. Statistics
    of the whole picture do not count.
    """
    forecaster = _Forecaster(network, inputs)
    forecaster.forecast()
    height, tensors = inputs[next(iter(network.inputs))].shape[1], forecaster.tensors
    coarsest = far = 1
    for node in network.nodes:
        first = tensors.get(node.inputs[0]) if node.inputs else None
        if node.op not in _LOOKING or first is None or first.fixed:
            continue
        step = max(1, round(height / first.shape[2]))
        made = max(1, round(height / tensors[node.outputs[0]].shape[2]))
        coarsest = max(coarsest, step, made)
        far += step * _looks(node, tensors)
    return coarsest, far


def _looks(node: Node, tensors: Mapping[str, Tensor]) -> int:
    """Return how many places away from its own a node looks at most."""
    if node.op == "Resize":
        return 1
    kernel = tensors[node.inputs[1]].shape[2:] if "Conv" in node.op else (0,)
    kernel = node.wholes("kernel_shape", kernel)
    return max(kernel) // 2 * max(node.wholes("dilations", (1,)))


class _Forecaster:
    """Follows one picture through the network."""

    def __init__(self, network: Network, inputs: Mapping[str, Tensor]) -> None:
        self._network, self._photo = network, inputs[next(iter(network.inputs))]
        self.tensors = {name: Tensor.of(each) for name, each in network.constants.items()}
        self.tensors |= inputs
        weights = sum(values.nbytes for values in network.constants.values())
        self._most_kept = _MORE_THAN_WEIGHTS * weights + _SMALL
        self._last = {
            name: number for number, node in enumerate(network.nodes) for name in node.inputs
        } | dict.fromkeys(network.outputs, len(network.nodes))
        self._live, self._kept, self._sums = sum(each.bytes for each in inputs.values()), 0, 0
        self._largest = self._peak = self._live

    def forecast(self) -> Forecast:
        for number, node in enumerate(self._network.nodes):
            inputs = [self.tensors.get(name) for name in node.inputs]
            for name, tensor in zip(node.outputs, made(node, inputs), strict=True):
                self.tensors[name] = tensor
                self._count(node, tensor)
                self._sums += _sums(node, tensor, inputs)
                self._require_little(node, tensor)
            for name in {*node.inputs, *node.outputs}:
                if self._last.get(name, number) == number and name:
                    self._live -= 0 if self.tensors[name].fixed else self.tensors[name].bytes
        for name, port in self._network.outputs.items():
            self._require_output(self.tensors[name], port)
        return Forecast(self._largest, self._peak)

    def _require_output(self, tensor: Tensor, port: Port) -> None:
        """Check that a network that gives a picture gives the photograph's size."""
        if port.kind == UINT8 and tensor[:2] != self._photo[:2]:
            raise ValueError("it gives a picture of another size")
        sides = zip(tensor.shape, port.shape, strict=False)
        if len(tensor.shape) != len(port.shape) or any(
            said not in (None, is_) for is_, said in sides
        ):
            raise ValueError("it gives what it does not say")

    def _count(self, node: Node, tensor: Tensor) -> None:
        """Count a tensor. One that is the same for all photographs is made once and kept; in
        another shape it takes no more."""
        if tensor.fixed:
            self._kept += tensor.bytes if node.op != "Reshape" else 0
            return
        self._live += tensor.bytes
        self._largest = max(self._largest, tensor.bytes)
        self._peak = max(self._peak, self._live)

    def _require_little(self, node: Node, tensor: Tensor) -> None:
        _, height, width, _ = self._photo.shape
        area, picture = height * width, f"a picture of {width}x{height}"
        most = _BYTES_PER_PIXEL * area + self._most_kept
        if self._live > most or self._kept > self._most_kept:
            size = (
                f"{tensor.bytes / 1e6:,.0f} MB" if tensor.bytes > 1e6 else f"{tensor.bytes} bytes"
            )
            raise ValueError(f"its {node.op} makes {size} of {picture}")
        if self._sums > _SUMS_PER_PIXEL * area + self._most_kept:
            raise ValueError(f"it computes for hours at {picture}")


def _sums(node: Node, tensor: Tensor, inputs: Inputs) -> int:
    """Return how many products or numbers a node computes."""
    numbers = math.prod(tensor.shape)
    if node.op == "Conv":
        return numbers * math.prod(given(inputs, 1).shape[1:])
    if node.op == "ConvTranspose":
        return math.prod(given(inputs, 0).shape) * math.prod(given(inputs, 1).shape[1:])
    if node.op in ("MatMul", "Gemm"):
        return numbers * given(inputs, 0).shape[-2 if node.attributes.get("transA") else -1]
    return numbers

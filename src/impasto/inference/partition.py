"""A network cut at its normalisations, so that it can be run piece by piece.

Instance normalisation needs the mean and the variance of the whole picture before it can
give its first pixel. So a *stage* is all that can be computed once the statistics of the
stages before it are known; what later stages need of its tensors is kept, and of those
that will be normalised the statistics are taken on the way. Each stage is made of
convolutions and the like, which look no further than a few pixels, and may be run on one
part of the picture after the other. Nothing is computed twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from impasto.errors import StyleError
from impasto.inference import onnx_proto
from impasto.inference.onnx_proto import Network, Node

_NORM = "InstanceNormalization"
_CONVOLUTIONS = {"Conv", "ConvTranspose"}
_AXES = {"stage.h": [2], "stage.hw": [2, 3]}


@dataclass(frozen=True)
class Stage:
    """One piece, a network of its own.

    Takes the photograph and, if the network has them, the style weights; each of ``reads``;
    ``NAME.mean`` and ``NAME.var`` of what it normalises; and the rows ``NAME.top`` to
    ``NAME.end`` for each of ``keeps``. Gives these rows of each as ``NAME.kept`` and, for
    each of ``measures``, their mean as ``NAME.found``, the sum of squared distances to it as
    ``NAME.squares``, and ``NAME.size``, how many numbers they are. The last stage gives the
    painting instead.
    """

    model: bytes
    reads: tuple[str, ...]
    keeps: tuple[str, ...]
    measures: tuple[str, ...]
    drops: tuple[str, ...]
    """What no stage after it reads."""
    reach: int
    """Convolutions in it: each looks at most one place, of the coarsest grid, further."""


def cut(model: bytes) -> list[Stage]:
    """The stages of a network, in order; one, if it normalises nothing by the picture."""
    return list(_Cut(onnx_proto.read(model)).stages())


def whole(model: bytes, *, given: bool, measured: bool) -> bytes:
    """The network in one piece that takes the statistics to normalise by, or gives those that it
    finds, as stages do; it gives the painting beside them."""
    network = onnx_proto.read(model)
    piece = _Piece(network)
    for node in network.nodes:
        piece.add(node, given=given)
        if node.op == _NORM and measured:
            piece.measure(node.inputs[0], node.inputs[0])
    return piece.encoded(network.outputs)


def widest(model: bytes) -> float:
    """Numbers in a network's largest tensor for each pixel of the photograph."""
    network = onnx_proto.read(model)
    maker = {name: node for node in network.nodes for name in node.outputs}
    sizes = {next(iter(network.inputs)): 3.0}
    for node in network.nodes:
        before = [sizes[name] for name in node.inputs if name in sizes]
        if before and node.op != "Shape":
            factor = _growth(node, network, maker)
            sizes |= dict.fromkeys(node.outputs, max(before) * factor)
    return max(sizes.values())


def _growth(node: Node, network: Network, maker: Mapping[str, Node]) -> float:
    """How many times as many numbers a node gives as it takes."""
    if node.op == "Resize":
        scales = network.constants.get(node.inputs[2])
        return math.prod(onnx_proto.floats(scales)) if scales else 4
    if node.op not in _CONVOLUTIONS:
        return 1
    name = node.inputs[1]
    while name not in network.constants:  # weights of half precision, or quantised
        if name not in maker or not maker[name].inputs:
            raise StyleError("the weights of a convolution are not in the network")
        name = maker[name].inputs[0]
    one, other = onnx_proto.shape(network.constants[name])[:2]
    (groups,) = node.numbers("group", [1])
    area = math.prod(node.numbers("strides", [1, 1]))
    if node.op == "Conv":  # (out, in / groups, ...)
        return one / (other * groups) / area
    return other * groups / one * area


class _Cut:
    """Which stage computes what."""

    def __init__(self, network: Network) -> None:
        self.network = network
        # Sizes and weights belong to no stage; those that need them compute them anew.
        self.stage_of = {next(iter(network.inputs)): 0}
        for node in network.nodes:
            before = [self.stage_of[name] for name in node.inputs if name in self.stage_of]
            if before and node.op != "Shape":
                after = max(before) + (node.op == _NORM)
                self.stage_of |= dict.fromkeys(node.outputs, after)
        self.maker = {name: node for node in network.nodes for name in node.outputs}
        self.normalised = {node.inputs[0] for node in network.nodes if node.op == _NORM}
        self.read_last: dict[str, int] = {}
        """The last stage that reads a tensor of an earlier one; in the order of making."""
        for node in network.nodes:
            stage = self.stage_of.get(node.outputs[0], 0)
            for name in node.inputs:
                if name in self.maker and self._before(name, stage):
                    self.read_last[name] = max(stage, self.read_last.get(name, 0))

    def stages(self) -> Iterator[Stage]:
        last = max(self.stage_of.values())
        for number in range(last + 1):
            keeps = [name for name in self.read_last if self.stage_of[name] == number]
            yield self._stage(number, keeps, self.network.outputs if number == last else {})

    def _before(self, name: str, number: int) -> bool:
        return self.stage_of.get(name, number) < number

    def _stage(self, number: int, keeps: Sequence[str], outputs: dict[str, bytes]) -> Stage:
        needed, reads = self._needed(number, [*keeps, *outputs])
        nodes = [node for node in self.network.nodes if needed & set(node.outputs)]
        measures = [name for name in keeps if name in self.normalised]
        piece = _Piece(self.network)
        for name in reads:
            piece.read(name)
        for node in nodes:
            piece.add(node)
        for name in keeps:
            piece.keep(name, measured=name in measures)
        return Stage(
            piece.encoded(outputs),
            reads=tuple(reads),
            keeps=tuple(keeps),
            measures=tuple(measures),
            drops=tuple(name for name, stage in self.read_last.items() if stage == number),
            reach=sum(node.op in _CONVOLUTIONS for node in nodes),
        )

    def _needed(self, number: int, ends: Sequence[str]) -> tuple[set[str], list[str]]:
        """What a stage computes to get at ``ends``, and what it reads of earlier ones."""
        needed: set[str] = set()
        reads: dict[str, None] = {}
        waiting = list(ends)
        while waiting:
            name = waiting.pop()
            if name in needed or name not in self.maker:
                continue
            if self._before(name, number):
                reads[name] = None
                continue
            needed.add(name)
            waiting += self.maker[name].inputs
        return needed, list(reads)


class _Piece:
    """The network of a stage in the making."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._nodes: list[Node] = []
        self._inputs = dict(network.inputs)
        self._outputs: dict[str, bytes] = {}

    def read(self, name: str) -> None:
        self._input(name, onnx_proto.FLOAT, 4)

    def add(self, node: Node, *, given: bool = True) -> None:
        """With statistics that are ``given``, batch normalisation takes the instance's place."""
        if node.op == _NORM and given:
            statistics = tuple(f"{node.inputs[0]}.{part}" for part in ("mean", "var"))
            for name in statistics:
                self._input(name, onnx_proto.FLOAT, 1)
            node = replace(node, op="BatchNormalization", inputs=node.inputs + statistics)
        self._nodes.append(node)

    def keep(self, name: str, *, measured: bool) -> None:
        rows = f"{name}.kept"
        for part in ("top", "end"):
            self._input(f"{name}.{part}", onnx_proto.INT64, 1)
        self._nodes.append(Node("Slice", (name, f"{name}.top", f"{name}.end", "stage.h"), (rows,)))
        self._output(rows, onnx_proto.FLOAT, 4)
        if measured:
            self.measure(rows, name)

    def measure(self, rows: str, name: str) -> None:
        """Squares are of distances to the mean: the sum of squares itself, less that of the
        mean, would lose what it is after."""
        mean, apart, squares, size = (
            f"{name}.{part}" for part in ("found", "apart", "squares", "size")
        )
        self._nodes += [
            Node("ReduceMean", (rows, "stage.hw"), (mean,)),
            Node("Sub", (rows, mean), (apart,)),
            Node("ReduceSumSquare", (apart, "stage.hw"), (squares,)),
            Node("Size", (rows,), (size,)),
        ]
        for result in (mean, squares):
            self._output(result, onnx_proto.FLOAT, 4)
        self._output(size, onnx_proto.INT64, 0)

    def _input(self, name: str, kind: int, rank: int) -> None:
        self._inputs[name] = onnx_proto.tensor_info(name, kind, rank)

    def _output(self, name: str, kind: int, rank: int) -> None:
        self._outputs[name] = onnx_proto.tensor_info(name, kind, rank)

    def encoded(self, outputs: dict[str, bytes]) -> bytes:
        used = {name for node in self._nodes for name in node.inputs}
        constants = dict(self._network.constants)
        constants |= {name: onnx_proto.constant(name, values) for name, values in _AXES.items()}
        return replace(
            self._network,
            nodes=tuple(self._nodes),
            constants={name: each for name, each in constants.items() if name in used},
            inputs=self._inputs,
            outputs=self._outputs | outputs,
        ).encoded()

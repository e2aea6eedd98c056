"""A network cut at its normalisations, so that it can run piece by piece.

Instance normalisation needs the mean and the variance of the whole picture before it can give its
first pixel. So a *stage* is all that can be computed once the statistics of the stages before it
are known. A stage keeps the tensors that later stages need. It also takes the statistics of those
that will be normalised.

Each stage is made of convolutions and the like. They look no further than a few pixels. So a stage
may run on one part of the picture after the other. Nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from impasto.inference.onnx_proto import INT64, SINGLE, Network, Node, Port

_NORM = "InstanceNormalization"
_CONVOLUTIONS = {"Conv", "ConvTranspose"}
_AXES = {"stage.h": np.array([2]), "stage.hw": np.array([2, 3])}


@dataclass(frozen=True)
class Stage:
    """One piece, a network of its own.

    It takes:

    * the photograph, and the style weights if the network has them;
    * each of ``reads``;
    * ``NAME.mean`` and ``NAME.var`` of what it normalises;
    * the rows ``NAME.top`` to ``NAME.end`` for each of ``keeps``.

    It gives:

    * these rows of each of ``keeps`` as ``NAME.kept``;
    * for each of ``measures``, the mean of these rows as ``NAME.found``;
    * the sum of squared distances to that mean as ``NAME.squares``;
    * the count of numbers in these rows as ``NAME.size``.

    The last stage gives the painting instead.
    """

    network: Network
    reads: tuple[str, ...]
    keeps: tuple[str, ...]
    measures: tuple[str, ...]
    drops: tuple[str, ...]
    """Tensors that no stage after it reads."""
    reach: int
    """Number of its convolutions; each looks at most one place of the coarsest grid further."""


def cut(network: Network) -> list[Stage]:
    """Cut a network into its stages, in order; one, if it normalises nothing by the picture."""
    return list(_Cut(network).stages())


def whole(network: Network, *, given: bool, measured: bool) -> Network:
    """Return the network in one piece, with statistics as inputs or outputs beside the painting.

    With ``given`` it normalises by the statistics that it takes. With ``measured`` it gives the
    statistics that it finds, as stages do.
    """
    piece = _Piece(network)
    for node in network.nodes:
        piece.add(node, given=given)
        if node.op == _NORM and measured:
            piece.measure(node.inputs[0], node.inputs[0])
    return piece.done(network.outputs)


class _Cut:
    """The stage of each tensor."""

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
        """The last stage that reads a tensor of an earlier one, in the order in which they are
        made."""
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

    def _stage(self, number: int, keeps: Sequence[str], outputs: dict[str, Port]) -> Stage:
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
            piece.done(outputs),
            reads=tuple(reads),
            keeps=tuple(keeps),
            measures=tuple(measures),
            drops=tuple(name for name, stage in self.read_last.items() if stage == number),
            reach=sum(node.op in _CONVOLUTIONS for node in nodes),
        )

    def _needed(self, number: int, ends: Sequence[str]) -> tuple[set[str], list[str]]:
        """Return what a stage computes to get at ``ends``, and what it reads of earlier stages."""
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
    """The network of a stage, while it is built."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._nodes: list[Node] = []
        self._inputs = dict(network.inputs)
        self._outputs: dict[str, Port] = {}

    def read(self, name: str) -> None:
        self._input(name, SINGLE, 4)

    def add(self, node: Node, *, given: bool = True) -> None:
        """Add a node. With ``given`` statistics, batch normalisation replaces instance
        normalisation."""
        if node.op == _NORM and given:
            statistics = tuple(f"{node.inputs[0]}.{part}" for part in ("mean", "var"))
            for name in statistics:
                self._input(name, SINGLE, 1)
            node = replace(node, op="BatchNormalization", inputs=node.inputs + statistics)
        self._nodes.append(node)

    def keep(self, name: str, *, measured: bool) -> None:
        rows = f"{name}.kept"
        for part in ("top", "end"):
            self._input(f"{name}.{part}", INT64, 1)
        self._nodes.append(Node("Slice", (name, f"{name}.top", f"{name}.end", "stage.h"), (rows,)))
        self._output(rows, SINGLE, 4)
        if measured:
            self.measure(rows, name)

    def measure(self, rows: str, name: str) -> None:
        """Add outputs for mean, squares and size of rows.

        Squares are of distances to the mean. The sum of plain squares, less that of the mean, would
        lose precision.
        """
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
            self._output(result, SINGLE, 4)
        self._output(size, INT64, 0)

    def _input(self, name: str, kind: int, rank: int) -> None:
        self._inputs[name] = Port(kind, (None,) * rank)

    def _output(self, name: str, kind: int, rank: int) -> None:
        self._outputs[name] = Port(kind, (None,) * rank)

    def done(self, outputs: dict[str, Port]) -> Network:
        used = {name for node in self._nodes for name in node.inputs}
        constants = self._network.constants | _AXES
        return Network(
            tuple(self._nodes),
            {name: values for name, values in constants.items() if name in used},
            self._inputs,
            self._outputs | outputs,
        )

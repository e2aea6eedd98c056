"""Reverse-mode differentiation over ONNX's operators.

A :class:`Tape` is a graph that is written forward, node after node. A differentiable operation
(:mod:`impasto.studio.export.operations`) also records its backward step. That step turns the
gradient of its result into the gradients of its operands. :meth:`Tape.gradients` then writes the
graph's second half, from the loss back to everything that is learnt.

The result is a network like any other. It has standard operators, and a runtime needs to know
nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from impasto.inference.onnx_proto import SINGLE, Attribute, Network, Node, Port

if TYPE_CHECKING:
    from impasto.inference.onnx_proto import Array

Backward = Callable[[str], str]
"""A function that writes the gradient of an operand, given the name of the result's gradient."""
Outputs = dict[str, tuple[str, Iterable[int | None]]]
"""Values and their shapes, by the names of the outputs."""


class Tape:
    """A graph that is being written. Values are known by their names."""

    def __init__(self) -> None:
        self.inputs: dict[str, Port] = {}
        self._nodes: list[Node] = []
        self._constants: dict[str, Array] = {}
        self._written: dict[object, str] = {}
        self._learnt: list[str] = []
        self._leading: set[str] = set()
        """Values that depend on something that is learnt."""
        self._records: list[tuple[str, list[tuple[str, Backward]]]] = []

    def given(self, name: str, kind: int, *shape: int | None) -> str:
        """Add an input of the graph; None is a side of any length."""
        self.inputs[name] = Port(kind, shape)
        return name

    def learnt(self, name: str, *shape: int) -> str:
        """Add an input whose gradient is wanted."""
        self._learnt.append(name)
        self._leading.add(name)
        return self.given(name, SINGLE, *shape)

    def constant(self, values: ArrayLike, dtype: str = "<f4") -> str:
        """Add a constant; equal numbers are stored once."""
        array = np.array(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._written:
            name = f"constant.{len(self._constants)}"
            self._constants[name], self._written[key] = array, name
        return self._written[key]

    def wholes(self, *values: int) -> str:
        """Add whole numbers, as operators take sizes and axes."""
        return self.constant(values, "<i8")

    def shape(self, name: str) -> list[int]:
        """Return the shape of a constant, or of an input whose sides are all known."""
        if name in self._constants:
            return list(self._constants[name].shape)
        return [side or 0 for side in self.inputs[name].shape]

    def __call__(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        """Write a node, and return its result.

        A node that exists already is not written twice. So gradients find what was computed on the
        way forward.
        """
        key = (op, inputs, tuple(sorted(attributes.items())))
        if key not in self._written:
            name = f"{op}.{len(self._nodes)}"
            self._nodes.append(Node(op, inputs, (name,), attributes))
            self._written[key] = name
        return self._written[key]

    def record(self, result: str, *operands: tuple[str, Backward]) -> str:
        """Record how gradients go back through an operation, to each operand; return ``result``
        itself."""
        kept = [each for each in operands if each[0] in self._leading]
        if kept:
            self._leading.add(result)
            self._records.append((result, kept))
        return result

    def gradients(self, loss: str) -> dict[str, str]:
        """Write the way back from a scalar; return the gradient of each input that is learnt."""
        found = {loss: self.constant(1.0)}
        for result, operands in reversed(self._records):
            if result not in found:
                continue
            for operand, backward in operands:
                part = backward(found[result])
                known = found.get(operand)
                found[operand] = part if known is None else self("Add", known, part)
        return {name: found[name] for name in self._learnt}

    def network(self, outputs: Outputs) -> Network:
        """Return the network that was written, as far as an output needs it; each output is its own
        value."""
        renamed = {value: name for name, (value, _) in outputs.items()}
        nodes = [
            Node(
                node.op,
                tuple(renamed.get(each, each) for each in node.inputs),
                tuple(renamed.get(each, each) for each in node.outputs),
                node.attributes,
            )
            for node in self._needed(set(renamed))
        ]
        used = {name for node in nodes for name in node.inputs}
        return Network(
            tuple(nodes),
            {name: values for name, values in self._constants.items() if name in used},
            self.inputs,
            {name: Port(SINGLE, tuple(shape)) for name, (_, shape) in outputs.items()},
        )

    def _needed(self, wanted: set[str]) -> list[Node]:
        """Return the nodes that lead to these values, in their order."""
        nodes = []
        for node in reversed(self._nodes):
            if wanted & {*node.outputs}:
                wanted |= {*node.inputs}
                nodes.append(node)
        return nodes[::-1]

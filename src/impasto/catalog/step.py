"""The step of a training that comes with impasto: two graphs, which need no torch.

Their folder has ``card.json``. ``step.onnx`` paints a photograph, compares it, and gives the
gradient of every weight. ``statistics.onnx`` gives the statistics that describe the style of a
painting. Only the file of the hypernetwork holds the loss network. This module fills in its
constants by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from impasto import assets, untrusted
from impasto.catalog import hypernetwork, verify
from impasto.catalog.card import Model, NetworkShape
from impasto.catalog.content import content
from impasto.catalog.layout import CARD
from impasto.catalog.part import Part
from impasto.errors import StyleError
from impasto.inference import network
from impasto.inference.engine import Running
from impasto.inference.onnx_proto import INT32, Network, Node

if TYPE_CHECKING:
    from impasto.inference.onnx_proto import Array, Weights

_MOST = 100_000
"""Bytes of the card."""

_CODES, _TABLE = ".codes", ".table"
"""The ends of two names: of places in a table, and of the table."""


@dataclass(frozen=True, kw_only=True)
class StepCard(Part):
    """The card of the graphs."""

    name: str
    licence: str
    model: Model
    statistics: Model
    network: NetworkShape
    """The shape of the networks that learn."""


class Graphs(NamedTuple):
    """Both graphs, ready to run."""

    step: Running
    """Takes a photograph and weights; gives losses, gradients and the painting."""
    statistics: Running
    """Takes a painting; gives the statistics of its style."""


class Parts(NamedTuple):
    """Both graphs in three files, so that only one of them holds the loss network.

    ``shared`` with ``step`` or ``statistics`` appended is a whole ONNX file. A protobuf message may
    be split like this: https://protobuf.dev/programming-guides/encoding/#last-one-wins.
    """

    shared: bytes
    step: bytes
    statistics: bytes


def read() -> StepCard:
    """The card.

    Raises:
        StyleError: it is missing or damaged.
    """
    path = assets.STEP / CARD
    try:
        return StepCard.of(untrusted.parse_json(content(path, _MOST)))
    except (KeyError, ValueError, TypeError) as error:
        raise StyleError(f"{path} is damaged: {error}", hint="install impasto again") from error


def graphs(threads: int | None = None) -> Graphs:
    """Load both graphs, ready to run.

    Raises:
        StyleError: a file is missing or damaged, or is of another loss network.
    """
    return Graphs(*(Running(each, "cpu", threads) for each in _networks(_meant(_held()))))


def parts() -> Parts:
    """Write both graphs as files that the receiver puts together.

    Raises:
        StyleError: as :func:`graphs`.
    """
    held = _held()
    meant = _meant(held)
    networks = [*_networks(meant)]
    names = [name for name in networks[0].constants if name in meant]
    written = [_written(name, held) for name in names]
    shared = Network(
        tuple(node for nodes, _ in written for node in nodes),
        {name: values for _, constants in written for name, values in constants.items()},
        {},
        {},
    )
    return Parts(
        *(each.encoded() for each in (shared, *(_without(each, names) for each in networks)))
    )


def _networks(shared: Mapping[str, Array]) -> Iterator[Network]:
    card, reader = read(), partial(network.read_step, shared=shared)
    for model in (card.model, card.statistics):
        yield verify.load(assets.STEP / model.file, model.sha256, reader)


def _held() -> Mapping[str, Array]:
    """Return the constants of the hypernetwork's file."""
    card = hypernetwork.bundled().card
    path = assets.ANY / card.model.file
    return verify.load(path, card.model.sha256, network.read_hypernetwork).constants


def _meant(held: Mapping[str, Array]) -> Mapping[str, Array]:
    """Add the values of constants that are stored as places in a table."""
    coded = [name.removesuffix(_CODES) for name in held if name.endswith(_CODES)]
    return {**held, **{name: held[f"{name}{_TABLE}"][held[f"{name}{_CODES}"]] for name in coded}}


def _written(name: str, held: Mapping[str, Array]) -> tuple[tuple[Node, ...], Weights]:
    """Write a constant as the hypernetwork's file holds it: its nodes and their weights."""
    if name in held:
        return (), {name: held[name]}
    codes, table, places = f"{name}{_CODES}", f"{name}{_TABLE}", f"{name}.places"
    nodes = (
        Node("Cast", (codes,), (places,), {"to": INT32}),
        Node("Gather", (table, places), (name,)),
    )
    return nodes, {codes: held[codes], table: held[table]}


def _without(network: Network, names: Sequence[str]) -> Network:
    """The network without some of its constants."""
    rest = {name: values for name, values in network.constants.items() if name not in names}
    return replace(network, constants=rest)

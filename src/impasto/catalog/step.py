"""The step of a training as it came with impasto: two graphs, which need no torch.

Their folder has ``card.json``. ``step.onnx`` paints a photograph, compares, and gives the gradient
of every weight; ``statistics.onnx`` gives what the style of a painting is. The loss network lies
only in the hypernetwork's file: its constants are filled in here, by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

if TYPE_CHECKING:
    from impasto.inference.onnx_proto import Array

_MOST = 100_000
"""Bytes of the card."""

_CODES = ".codes"
"""Ends the name of places in a table."""


@dataclass(frozen=True, kw_only=True)
class StepCard(Part):
    """What the graphs say of themselves."""

    name: str
    licence: str
    model: Model
    statistics: Model
    network: NetworkShape
    """Of the networks that learn."""


class Graphs(NamedTuple):
    """What runs."""

    step: Running
    """A photograph and weights in; losses, gradients and the painting out."""
    statistics: Running
    """A painting in, what its style is out."""


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
    """Both graphs, which run.

    Raises:
        StyleError: a file is missing or damaged, or is of another loss network.
    """
    card, reader = read(), partial(network.read_step, shared=_shared())
    found = (
        verify.load(assets.STEP / model.file, model.sha256, reader)
        for model in (card.model, card.statistics)
    )
    return Graphs(*(Running(each, "cpu", threads) for each in found))


def _shared() -> Mapping[str, Array]:
    """The constants of the hypernetwork's file; of those that lie there as places in a table, what
    they mean."""
    card = hypernetwork.bundled().card
    path = assets.ANY / card.model.file
    held = verify.load(path, card.model.sha256, network.read_hypernetwork).constants
    coded = [name.removesuffix(_CODES) for name in held if name.endswith(_CODES)]
    return held | {name: held[f"{name}.table"][held[f"{name}{_CODES}"]] for name in coded}

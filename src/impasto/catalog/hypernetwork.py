"""The hypernetwork at hand: embeddings of paintings, and the networks that paint in their style.

It is a folder with ``card.json`` and two ONNX files. One file takes a painting and gives the
weights of a style's network. The other is such a network, the *template*. It gets those weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from impasto import assets, untrusted
from impasto.catalog import verify
from impasto.catalog.card import Model, NetworkShape
from impasto.catalog.content import content
from impasto.catalog.layout import CARD, FORMAT, Layout
from impasto.catalog.part import Part
from impasto.errors import StyleError
from impasto.inference import network
from impasto.inference.engine import Running
from impasto.inference.onnx_proto import SINGLE, Network, Port

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weights: TypeAlias = "Mapping[str, NDArray[np.float32]]"
"""The weights of a network, by the names of its parameters."""

_MOST = 1_000_000
"""Bytes of a card; one has a few thousand."""

HALF = ".half"
"""The end of the name of a constant of half precision."""

EXPORTED = "export."
"""The beginning of the name of a weight whose value differs in an exported network."""
_EMBEDDING = "embedding"

_NOTHING = np.zeros((1, 16, 16, 3), np.uint8)
"""A painting for runs that do not use one."""


@dataclass(frozen=True)
class Learnt(Part):
    """How a hypernetwork was learnt."""

    steps: int | None = None
    pairs: int | None = None
    """How many pairs of a painting and a photograph there were."""
    seconds: int | None = None
    paintings: int | None = None
    photographs: int | None = None
    sources: str | None = None
    """Where the pictures are from."""


@dataclass(frozen=True, kw_only=True)
class HypernetworkCard(Part):
    """What a hypernetwork says of itself."""

    name: str
    licence: str
    loss_network: str
    """The network whose features it sees, and the licence of that network's weights."""
    embedding: int
    """Numbers of an embedding."""
    style_size: int
    """Long side of a painting as it is best seen, in pixels."""
    model: Model
    template: Model
    network: NetworkShape
    training: Learnt | None = None


@dataclass(frozen=True)
class Hypernetwork:
    """A hypernetwork in a folder; its files are read when they are first needed."""

    card: HypernetworkCard
    folder: Path

    def embedding(self, painting: NDArray[np.uint8], boldness: float) -> NDArray[np.float32]:
        """Return the embedding of a painting: its place among all styles.

        The painting is ``(H, W, 3)`` sRGB, the result ``(embedding,)``. A blend of styles is a mean
        of their embeddings.

        Raises:
            StyleError: a file of the hypernetwork is missing or damaged.
        """
        return self._run(painting[None], boldness, 1, np.zeros(self.card.embedding))[_EMBEDDING][0]

    def weights(self, embedding: Sequence[float]) -> Weights:
        """Return the weights of the network that paints in the style of an embedding.

        Some weights have another value in an exported network. The result holds both values of
        these.

        Raises:
            StyleError: as :meth:`embedding`, or the embedding is of another hypernetwork.
        """
        if len(embedding) != self.card.embedding:
            raise StyleError(
                f"an embedding of {len(embedding)} numbers is not one of {self.card.name}, "
                f"which has {self.card.embedding}"
            )
        return self._run(_NOTHING, 1, 0, np.asarray(embedding))

    def model(self, embedding: Sequence[float]) -> bytes:
        """The network that paints in the style of an embedding, as ONNX.

        Raises:
            StyleError: as :meth:`weights`.
        """
        weights = self.weights(embedding)
        return filled(self.template(), weights).encoded()

    def network(self) -> Network:
        """The network that gives weights.

        Raises:
            StyleError: its file is missing, damaged, or not that of the card.
        """
        card, path = self.card, self.folder / self.card.model.file
        found = verify.load(path, card.model.sha256, network.read_hypernetwork)
        _, *others = found.inputs.items()
        if dict(others) != {
            "boldness": Port(SINGLE, (1,)),
            "share": Port(SINGLE, (1,)),
            "others": Port(SINGLE, (1, card.embedding)),
        } or found.outputs.get(_EMBEDDING) != Port(SINGLE, (1, card.embedding)):
            raise StyleError(f"{path} is not the hypernetwork of its card")
        return found

    def template(self) -> Network:
        """The network that weights are put into.

        Raises:
            StyleError: its file is missing or damaged.
        """
        return _template(self)

    def _run(
        self,
        painting: NDArray[np.uint8],
        boldness: float,
        share: float,
        others: NDArray[np.float64],
    ) -> Weights:
        inputs = {
            "boldness": np.array([boldness], np.float32),
            "share": np.array([share], np.float32),
            "others": others.astype(np.float32)[None],
        }
        return _running(self)(painting, inputs)


def parameters(weights: Weights) -> Weights:
    """Take the weights as they are learnt from the result of :meth:`Hypernetwork.weights`.

    Values that only an exported network has are left out.
    """
    return {
        name: values
        for name, values in weights.items()
        if name != _EMBEDDING and not name.startswith(EXPORTED)
    }


def filled(template: Network, weights: Weights) -> Network:
    """Put weights into a template.

    Raises:
        StyleError: the template has other weights.
    """
    constants = dict(template.constants)
    for name, zeros in template.constants.items():
        values = weights.get(name.removesuffix(HALF))
        if zeros.dtype.kind != "f" or (values is None and zeros.ndim < 2):
            continue  # a size, or a limit
        if values is None or values.size != zeros.size:
            raise StyleError("the hypernetwork is of another template: their weights differ")
        constants[name] = values.reshape(zeros.shape).astype(zeros.dtype)
    return replace(template, constants=constants)


def in_floats(template: Network) -> Network:
    """Return the template with all weights in single precision.

    The nodes that convert them stay in it.
    """
    constants = {
        name: values.astype(np.float32) if values.dtype == np.float16 else values
        for name, values in template.constants.items()
    }
    return replace(template, constants=constants)


def bundled() -> Hypernetwork:
    """The hypernetwork that came with impasto.

    Raises:
        StyleError: it is missing or damaged.
    """
    return read(assets.ANY)


@lru_cache(maxsize=2)
def read(folder: Path) -> Hypernetwork:
    """The hypernetwork in ``folder``.

    Raises:
        StyleError: there is none, its card is damaged, or from a newer version.
    """
    path = folder / CARD
    data = content(path, _MOST)
    try:
        source = untrusted.parse_json(data)
        if Layout.of(source).format > FORMAT:
            raise ValueError("it was made by a newer impasto; update with pip install -U impasto")
        return Hypernetwork(HypernetworkCard.of(source), folder)
    except KeyError as error:
        raise StyleError(f"{path} is not a hypernetwork's card: it lacks {error}") from error
    except (ValueError, TypeError) as error:
        raise StyleError(f"{path} is not a hypernetwork's card: {error}") from error


@lru_cache(maxsize=1)
def _template(hypernetwork: Hypernetwork) -> Network:
    template = hypernetwork.card.template
    return verify.load(hypernetwork.folder / template.file, template.sha256)


@lru_cache(maxsize=1)
def _running(hypernetwork: Hypernetwork) -> Running:
    return Running(hypernetwork.network(), "cpu", arena=False)

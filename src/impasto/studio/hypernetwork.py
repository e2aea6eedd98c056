"""The hypernetwork: a painting in, all weights of a transform network out, in one forward pass.

The idea is from Shen, Yan & Zeng 2018 ("Neural Style Transfer via Meta Networks", CVPR, arXiv
1709.04111). The way to make the weights here is smaller:

* The *encoder* sees what the style loss compares: mean, deviation and Gram matrix of a loss
  network's features. The matrix is in the principal components of each layer. From these and the
  boldness it makes an embedding.
* The *decoder* makes the weights. Each large convolution is a learnt start plus a linear
  combination of learnt directions. All smaller tensors follow from the embedding linearly.

Both work on ``S`` paintings at once. :func:`encoded` writes the file of a hypernetwork, and
:func:`read` reads it. It is safetensors with a checksum. Its header has the format and the options.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from impasto.errors import OptionError, TrainingError
from impasto.files.sealed import BrokenError, Header, Kind
from impasto.options import HypernetworkOptions, NetworkOptions
from impasto.options.fields import restored
from impasto.studio import networks, sealed
from impasto.studio.networks.grouped import Weights
from impasto.studio.statistics import gram_matrix
from impasto.untrusted import parse_json

LAYERS = {"conv1_1": 64, "conv2_1": 128, "conv3_1": 256, "conv4_1": 512}
"""Layers of VGG19 whose statistics the encoder sees, with their channels."""

FORMAT = 1
"""Version of the file; a newer one is refused."""

_LARGE = 1024
"""Fewest weights of a tensor that is made of directions."""
_FARTHEST = 6.0
"""Deviations at which a statistic is cut off: a painting may be unlike all others."""
_SMALL = 1e-6
_LEAST_SCALE = 0.05

Features = Mapping[str, Tensor]


class Encoder(nn.Module):
    """Turns statistics of paintings, and the boldness of their style, into embeddings."""

    mean: Tensor
    deviation: Tensor
    upper: Tensor
    """Places of the upper triangle of a matrix of components; the lower triangle is the same."""

    def __init__(self, options: HypernetworkOptions) -> None:
        super().__init__()
        kept = options.components
        for layer, channels in LAYERS.items():
            self.register_buffer(f"components_{layer}", torch.eye(channels, kept))
        row, column = torch.triu_indices(kept, kept)
        self.register_buffer("upper", row * kept + column, persistent=False)
        count = 2 * sum(LAYERS.values()) + len(LAYERS) * len(row)
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("deviation", torch.ones(count))
        self.reduce = nn.Linear(count, options.hidden)
        self.drop = nn.Dropout(options.dropout)
        self.mix = nn.Linear(options.hidden + 1, options.hidden)
        self.embed = nn.Linear(options.hidden, options.embedding)
        self.norm = nn.LayerNorm(options.embedding)
        self.activate = nn.GELU()

    def statistics(self, features: Features) -> Tensor:
        """Return the statistics of features, ``(S, C, H, W)`` by layer: ``(S, count)``.

        Entries of Gram matrices are squares of features. Square roots that keep the sign bring them
        to the scale of the means.
        """
        seen = []
        for layer in LAYERS:
            mean = features[layer].mean((2, 3))
            variance = features[layer].square().mean((2, 3)) - mean.square()
            # The Gram matrix of few components is cheaper than a few components of one.
            reduced = gram_matrix(_projected(features[layer], getattr(self, f"components_{layer}")))
            upper = reduced.flatten(1).index_select(1, self.upper)
            seen += [mean, variance.clamp_min(0).sqrt(), upper]
        values = torch.cat(seen, 1)
        return values.sign() * (values.abs() + _SMALL).sqrt()

    def forward(self, statistics: Tensor, boldness: Tensor) -> Tensor:
        """Map ``(S, count)`` and ``(S,)`` to ``(S, embedding)``; the usual boldness is 1."""
        standard = ((statistics - self.mean) / self.deviation).clamp(-_FARTHEST, _FARTHEST)
        hidden = self.drop(self.activate(self.reduce(standard)))
        hidden = torch.cat([hidden, boldness.log()[:, None]], 1)
        embedding: Tensor = self.norm(self.embed(self.activate(self.mix(hidden))))
        return embedding


class Decoder(nn.Module):
    """Turns embeddings into the weights of networks that all begin with the same weights."""

    scales: Tensor

    def __init__(self, options: HypernetworkOptions, start: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.shapes = {name: tuple(start[name].shape) for name in sorted(start)}
        self.large = [name for name in self.shapes if start[name].numel() >= _LARGE]
        self.small = [name for name in self.shapes if name not in self.large]
        self._count = options.directions
        self.start = _parameters({name: weight.clone() for name, weight in start.items()})
        self.directions = _parameters(
            {
                name: torch.randn(self._count, *start[name].shape) * (0.05 / self._count**0.5)
                for name in self.large
            }
        )
        self.register_buffer("scales", scales({name: start[name] for name in self.large}))
        few = sum(start[name].numel() for name in self.small)
        self.offsets = nn.Linear(options.embedding, few)
        self.coefficients = nn.Linear(options.embedding, self._count * len(self.large))
        for layer, size in ((self.offsets, 0.02), (self.coefficients, 0.3)):
            nn.init.normal_(layer.weight, std=size / options.embedding**0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, embedding: Tensor) -> Weights:
        """Map ``(S, embedding)`` to the weights of ``S`` networks."""
        return {**self._large(embedding), **self._small(embedding)}

    def _large(self, embedding: Tensor) -> Weights:
        parts = self.coefficients(embedding).unflatten(1, (len(self.large), self._count))
        return {
            name: self._begun(name, scale * part @ self.directions[key(name)].flatten(1))
            for name, part, scale in zip(self.large, parts.unbind(1), self.scales, strict=True)
        }

    def _small(self, embedding: Tensor) -> Weights:
        sizes = [math.prod(self.shapes[name]) for name in self.small]
        offsets = self.offsets(embedding).split(sizes, 1)
        return {name: self._begun(name, o) for name, o in zip(self.small, offsets, strict=True)}

    def _begun(self, name: str, offset: Tensor) -> Tensor:
        return self.start[key(name)] + offset.reshape(-1, *self.shapes[name])


class Hypernetwork(nn.Module):
    """Turns paintings, as features of VGG19, into the weights of a transform network for each.

    Args:
        options: its own shape.
        network: the shape of the networks whose weights it makes.
        start: the weights that all of them begin with; of a network that paints.
    """

    def __init__(
        self,
        options: HypernetworkOptions,
        network: NetworkOptions,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.options, self.network = options, network
        self.encoder = Encoder(options)
        self.decoder = Decoder(options, start or networks.build(network).state_dict())

    def forward(self, statistics: Tensor, boldness: Tensor) -> Weights:
        """Map :meth:`Encoder.statistics` of ``S`` paintings to the weights of ``S`` networks."""
        weights: Weights = self.decoder(self.encoder(statistics, boldness))
        return weights

    def embedding(self, features: Features, boldness: Tensor) -> Tensor:
        """Return ``(S, embedding)`` of ``S`` paintings; a blend of styles is a mean of these."""
        embedding: Tensor = self.encoder(self.encoder.statistics(features), boldness)
        return embedding


def encoded(hypernetwork: Hypernetwork) -> bytes:
    """Write a hypernetwork as a safetensors file, in half precision."""
    header = {
        "format": str(FORMAT),
        "options": json.dumps(asdict(hypernetwork.options)),
        "network": json.dumps(asdict(hypernetwork.network)),
    }
    tensors = {name: each.half() for name, each in hypernetwork.state_dict().items()}
    return sealed.encode(tensors, header)


def read(path: Path) -> Hypernetwork:
    """Read the hypernetwork in a file that :func:`encoded` wrote.

    Raises:
        TrainingError: it is none, is damaged, or was written by a newer version.
    """
    try:
        header, tensors = sealed.read(path, _require_own, follow=True)
    except BrokenError as error:
        raise TrainingError(f"{path} is not a hypernetwork: {error}") from error
    if not all(each.isfinite().all() for each in tensors.values()):
        raise TrainingError(f"{path} is not a hypernetwork: it has weights that are no numbers")
    hypernetwork = _described(header)
    hypernetwork.load_state_dict({name: each.float() for name, each in tensors.items()})
    return hypernetwork.eval()


def _require_own(header: Header) -> None:
    """Check a header.

    Raises:
        ValueError: it is not the header of a hypernetwork, or not of the one that it describes.
        TrainingError: a newer version has written it.
    """
    format = header.metadata.get("format", "")
    if not (format.isascii() and format.isdecimal() and len(format) < 10):
        raise ValueError(f"its format is {format[:40]!r}")
    if int(format) > FORMAT:
        raise TrainingError(
            f"the hypernetwork was written by a newer impasto (its format is {format})",
            hint="update with pip install -U impasto",
        )
    if header.checksum is None:
        raise ValueError("it has no checksum")
    with torch.device("meta"):  # the header may claim far more than the file holds
        state = _described(header).state_dict()
    wanted = {name: Kind(tuple(each.shape), "F16") for name, each in state.items()}
    for name in [*wanted, *header.kinds]:
        if wanted.get(name) != header.kinds.get(name):
            raise ValueError(f"{name} is missing, unknown, or has another shape or type")


def _described(header: Header) -> Hypernetwork:
    """Build the hypernetwork that a header describes.

    Raises:
        ValueError: it describes none.
    """
    try:
        options, network = (parse_json(header.metadata[each]) for each in ("options", "network"))
        own, shape = restored(HypernetworkOptions, options), restored(NetworkOptions, network)
    except (KeyError, OptionError) as error:
        raise ValueError(f"its header is damaged: {error}") from error
    return Hypernetwork(own, shape)


def _projected(features: Tensor, components: Tensor) -> Tensor:
    """Project ``(S, C, H, W)`` onto a basis ``(C, components)``."""
    return (features.permute(0, 2, 3, 1) @ components).permute(0, 3, 1, 2)


def _parameters(tensors: Mapping[str, Tensor]) -> nn.ParameterDict:
    return nn.ParameterDict({key(name): nn.Parameter(each) for name, each in tensors.items()})


def scales(start: Mapping[str, Tensor]) -> Tensor:
    """Return the sizes of the directions of convolutions, ``(convolutions,)``: those of their
    weights."""
    sizes = torch.stack([weight.square().mean().sqrt() for weight in start.values()])
    return sizes.clamp_min(_LEAST_SCALE)


def key(name: str) -> str:
    """Return a parameter's name as a part of another name, where dots separate modules."""
    return name.replace(".", "/")

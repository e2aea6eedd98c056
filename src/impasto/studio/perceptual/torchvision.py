"""Networks of torchvision as loss networks; their layers are named like their graph's nodes.

Any classifier works if its layers are maps of a picture of any size. ResNet, Inception, DenseNet,
SqueezeNet and MobileNet are examples. Networks that cut pictures into patches do not work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from types import ModuleType
from typing import Self

import torch
from torch import Tensor, fx, nn

from impasto.distribution import need
from impasto.errors import MissingExtraError, OptionError, did_you_mean
from impasto.studio.perceptual import fx_surgery, vgg
from impasto.studio.perceptual import weights as store
from impasto.studio.perceptual.backbone import LossNetwork, unknown_network

_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_OWN_RANGES = {"inception_v3": _HALF, "googlenet": _HALF}
"""Ranges of two networks that were trained on ``2 x - 1``; torchvision undoes its usual range."""
_PLAIN = {"transform_input": False, "init_weights": False, "aux_logits": False}
_OWN_LAYERS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "squeezenet1_1": (
        ("features.3.cat",),
        ("features.1", "features.4.cat", "features.6.cat", "features.7.cat"),
    ),
    "resnet18": (
        ("layer1.1.relu_1",),
        ("relu", "layer1.1.relu_1", "layer2.1.relu_1"),
    ),
    "resnet34": (
        ("layer1.2.relu_1",),
        ("relu", "layer1.2.relu_1", "layer2.3.relu_1"),
    ),
    "resnet50": (
        ("layer1.2.relu_2",),
        ("relu", "layer1.2.relu_2", "layer2.3.relu_2"),
    ),
    "inception_v3": (
        ("Mixed_5b.cat",),
        ("Conv2d_1a_3x3.relu", "Conv2d_2b_3x3.relu", "Conv2d_4a_3x3.relu", "Mixed_5d.cat"),
    ),
    "googlenet": (
        ("inception3b.cat",),
        ("conv1.relu", "conv3.relu", "inception3b.cat", "inception4e.cat"),
    ),
}
"""Content and style layers: ends of blocks, from half to a sixteenth of the resolution.

SqueezeNet's are those of Stanford's course CS231n, 2017, assignment 3. ResNets stop at an eighth.
With their third stage a start from noise never finds the photograph.
"""


class Backbone(LossNetwork):
    """A network of torchvision; its layers are nodes of its graph.

    Args:
        name, layers, content_layers, style_layers: see :class:`LossNetwork`.
        range: mean and standard deviation, as there.
        model: the network, with the weights that ``layers`` need.
        average: whether its functional max poolings become average poolings.
    """

    def __init__(
        self,
        name: str,
        layers: Sequence[str],
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        range: tuple[Sequence[float], Sequence[float]],
        model: nn.Module,
        average: bool,
    ) -> None:
        super().__init__(name, layers, content_layers, style_layers, *range)
        self.model = model
        self._average = average
        self._extractors: dict[frozenset[str], fx.GraphModule] = {}
        self._freeze()

    def _features(self, x: Tensor, wanted: frozenset[str]) -> dict[str, Tensor]:
        if not wanted:
            return {}
        if wanted not in self._extractors:
            self._extractors[wanted] = fx_surgery.extractor(
                self.model, sorted(wanted), self._average
            )
        return dict(self._extractors[wanted](x))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._extractors.clear()  # they may keep weights that move now
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


def load(name: str, *, pooling: str, padding: str, weights: Path | None) -> Backbone:
    """Load the network ``name`` of torchvision; see :func:`impasto.studio.perceptual.loading.load`.

    Average pooling is not scaled here. It also replaces max pooling inside blocks. Where the file
    lacks weights, only the layers before the first such place are offered.

    Raises:
        OptionError: an unknown network, or one that wants pictures of one size. Or ``valid``
            padding, or weights that are not its own or cannot be found.
        MissingExtraError: torchvision is not installed.
    """
    models = _torchvision(name)
    names = [*vgg.NAMES, *models.list_models(module=models)]
    if name not in names:
        raise unknown_network(name, names)
    if padding == "valid":
        raise OptionError(
            f"{name} cannot do without padding: its branches would not fit together",
            hint="use same or replicate, or a VGG",
        )
    published = models.get_model_weights(name)
    published = getattr(published, "IMAGENET1K_V1", published.DEFAULT)
    usual = published.transforms()
    model = fx_surgery.blank(models, name, **(_PLAIN if name in _OWN_RANGES else {}))
    try:
        graph, maps = fx_surgery.survey(model)
    except OptionError as error:
        raise OptionError(
            f"{name} cannot be a loss network: {error.message}", hint=error.hint
        ) from error
    layers = _weighted(model, graph, maps, weights or store.fetch(published.url), name)
    if pooling == "average":
        fx_surgery.average_pools(model)
    if padding == "replicate":
        fx_surgery.replicate_edge(model)
    ends = fx_surgery.bottlenecks(graph)
    content, style = default_layers(name, {layer: maps[layer] for layer in layers}, ends)
    range = _OWN_RANGES.get(name) or (usual.mean, usual.std)
    return Backbone(name, layers, content, style, range, model, pooling == "average")


def default_layers(
    name: str, maps: Mapping[str, tuple[int, int, int]], ends: Set[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return content and style layers: picked by hand, else the last end at each resolution.

    ``maps`` are the layers, shallow to deep, with shapes ``(C, H, W)`` for one picture. ``ends``
    are those that end a block; layers of the classifier do not. Each resolution is half the one
    before. The four finest are for style, the third for content.
    """
    content, style = _OWN_LAYERS.get(name, ((), ()))
    if content and {*content, *style} <= maps.keys():
        return content, style
    usable = {layer for layer in ends if not layer.startswith("classifier")} & maps.keys()
    heights = {layer: maps[layer][1] for layer in maps if layer in usable or not usable}
    last = {round(math.log2(height)): layer for layer, height in heights.items()}
    levels = [last[level] for level in sorted(last, reverse=True)]
    return (levels[:3][-1],), tuple(levels[:4])


def _weighted(
    model: nn.Module,
    graph: fx.GraphModule,
    maps: Mapping[str, tuple[int, int, int]],
    path: Path,
    name: str,
) -> list[str]:
    """Load ``path`` into the blank ``model``; return the layers that it has weights for."""
    stored = store.read(path)
    try:
        state = fx_surgery.fitted(stored, model, graph)
    except OptionError as error:
        raise OptionError(f"{path} is not the weights of {name}: {error.message}") from error
    layers, needed = fx_surgery.covered(graph, maps.keys(), state.keys(), model.state_dict().keys())
    if not layers:
        raise OptionError(f"{path} is not the weights of {name}: its first layer has none")
    fx_surgery.fill(model, state, needed)
    return layers


def _torchvision(name: str) -> ModuleType:
    """Import ``torchvision.models``, or say why not; ``name`` may also be mistyped."""
    try:
        return need("torchvision.models", "backbones", f"torchvision, which has {name},")
    except (ImportError, RuntimeError) as error:
        if did_you_mean(name, vgg.NAMES):
            raise unknown_network(name, vgg.NAMES) from error
        if isinstance(error, MissingExtraError):
            raise
        # Its operators are not those of this torch.
        missing = MissingExtraError("backbones", f"a torchvision for torch {torch.__version__}")
        missing.hint = "install torch and torchvision together, from one index"
        raise missing from error

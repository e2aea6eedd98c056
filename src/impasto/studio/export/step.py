"""A step of the polish as one ONNX graph: paint a photograph, compare, and go back.

With :func:`training_step` the core learns without torch: it takes weights, and gives losses and the
gradient of every weight. :func:`painting_statistics` gives the statistics of a painting's style,
which the step takes as its target. The losses are those of
:class:`~impasto.studio.perceptual.objective.Objective` with Gram matrices and covariances, tone and
anisotropic total variation. The network is :class:`~impasto.studio.networks.Impasto`.

VGG19 lies in the wheel once, in the hypernetwork's file. Here its constants are inputs with the
same names; :data:`SHARED` begins these names. :mod:`impasto.catalog.step` fills them in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from impasto.catalog.card import Model, NetworkShape
from impasto.catalog.layout import CARD
from impasto.catalog.step import StepCard
from impasto.files import atomic
from impasto.inference.onnx_proto import OPSET, SINGLE, UINT8, Network
from impasto.options import PLAIN_LOSS, NetworkOptions
from impasto.studio import networks
from impasto.studio.export import operations as ops
from impasto.studio.export.tape import Outputs, Tape

SHARED = "loss_network."
GRADIENT = "gradient."
"""The beginning of the names of outputs that are gradients of weights."""
STYLE_LAYERS = {"conv1_1": 64, "conv2_1": 128, "conv3_1": 256, "conv4_1": 512}
"""Layers that describe style, with their channels."""
(CONTENT_LAYER,) = PLAIN_LOSS.content_layers
KINDS = "content", "style", "tv", "tone"
"""Losses, in the order of their weights."""

_PHOTOGRAPH, _GRAIN, _WEIGHTS = "photograph", "grain", "loss_weights"
_FILES = "step.onnx", "statistics.onnx"
_LICENCE = "MIT"
_VGG = {
    "conv1_1": (64, 3), "conv1_2": (64, 64), "pool1": (), "conv2_1": (128, 64),
    "conv2_2": (128, 128), "pool2": (), "conv3_1": (256, 128), "conv3_2": (256, 256),
    "conv3_3": (256, 256), "conv3_4": (256, 256), "pool3": (), "conv4_1": (512, 256),
}  # fmt: skip
"""Layers, with the number of channels that a convolution gives and takes."""


def training_step(options: NetworkOptions) -> Network:
    """Build the graph of a step.

    Its inputs are:

    * ``photograph``, ``(1, H, W, 3)`` bytes; the network's stride divides the sides, which are at
      least 32;
    * ``grain``, ``(1, H, W, 1)`` levels, added before painting but not before comparing;
    * ``loss_weights``, of :data:`KINDS`;
    * ``gram LAYER`` and ``mean LAYER`` of the painting;
    * the network's parameters.

    Its outputs are:

    * ``painted``, ``(1, 3, H, W)``, 0..1, not clamped;
    * the losses, named as in :meth:`~impasto.studio.perceptual.objective.Losses.numbers`;
    * the gradient of ``total`` by each parameter.
    """
    t = Tape()
    photograph = t.given(_PHOTOGRAPH, UINT8, 1, None, None, 3)
    levels = t("Cast", photograph, to=SINGLE)
    grained = t("Add", levels, t.given(_GRAIN, SINGLE, 1, None, None, 1))
    ground = t("Clip", grained, t.constant(0), t.constant(255))
    target, given = (_scaled(t, each) for each in (levels, ground))
    painted = _Painter(t, options).painted(given)
    losses = _losses(t, painted, target)
    gradients = t.gradients(losses["total"])
    outputs: Outputs = {"painted": (painted, (1, 3, None, None))}
    outputs |= {name: (value, ()) for name, value in losses.items()}
    outputs |= {
        f"{GRADIENT}{name}": (value, t.inputs[name].shape) for name, value in gradients.items()
    }
    return t.network(outputs)


def painting_statistics() -> Network:
    """Build the graph of a painting's statistics.

    It goes from ``painting``, ``(1, H, W, 3)`` bytes, to ``gram LAYER``, ``(C, C)``, and ``mean
    LAYER``, ``(C,)``. These exist for each of :data:`STYLE_LAYERS`.
    """
    t = Tape()
    painting = t("Cast", t.given("painting", UINT8, 1, None, None, 3), to=SINGLE)
    features = _features(t, _scaled(t, painting), STYLE_LAYERS)
    outputs: Outputs = {}
    for layer, channels in STYLE_LAYERS.items():
        outputs[f"gram {layer}"] = ops.gram(t, features[layer], channels), (channels, channels)
        outputs[f"mean {layer}"] = ops.mean(t, features[layer]), (channels,)
    return t.network(outputs)


def _scaled(t: Tape, levels: str) -> str:
    """Convert ``(1, H, W, 3)`` of 0..255 to ``(1, 3, H, W)`` of 0..1."""
    return t("Transpose", t("Div", levels, t.constant(255)), perm=(0, 3, 1, 2))


class _Painter:
    """The transform network on a tape; see :class:`~impasto.studio.networks.Impasto`."""

    def __init__(self, t: Tape, options: NetworkOptions) -> None:
        self._t, self._options = t, options
        for name, weight in networks.build(options).state_dict().items():
            t.learnt(name, *weight.shape)

    def painted(self, photograph: str) -> str:
        """Paint ``(1, 3, H, W)``, 0..1; the result has the same shape."""
        t, width = self._t, self._options.width
        x = ops.scale(t, photograph, t.constant(2))
        x = ops.padded(t, t("Sub", x, t.constant(1)), 1)
        half = self._convolved("stem", x, stride=2)
        quarter = ops.relu(t, self._down("down4", ops.relu(t, half)))
        eighth = ops.relu(t, self._down("down8", quarter))
        eighth = self._residuals("shapes", eighth)
        up = ops.doubled(t, self._convolved("up4", eighth), 2 * width)
        quarter = ops.relu(t, self._normed("up4_norm", ops.add(t, up, quarter)))
        quarter = self._residuals("strokes", quarter)
        half = ops.relu(t, ops.doubled(t, self._convolved("up2", quarter), width))
        full = ops.padded(t, ops.doubled(t, half, width), 1)
        y = ops.scale(t, self._convolved("out.conv", full), t.constant(0.5))
        return ops.add(t, y, t.constant(0.5))

    def _convolved(self, name: str, x: str, stride: int = 1) -> str:
        bias = f"{name}.bias"
        return ops.convolution(
            self._t, x, f"{name}.weight", bias if bias in self._t.inputs else "", stride=stride
        )

    def _normed(self, name: str, x: str) -> str:
        return ops.instance_norm(self._t, x, f"{name}.scale", f"{name}.shift")

    def _down(self, name: str, x: str) -> str:
        return self._normed(f"{name}.norm", self._convolved(f"{name}.conv", x, stride=2))

    def _residuals(self, name: str, x: str) -> str:
        number = 0
        while f"{name}.{number}.first.weight" in self._t.inputs:
            x, number = self._residual(f"{name}.{number}", x), number + 1
        return x

    def _residual(self, name: str, x: str) -> str:
        t = self._t
        inner = self._convolved(f"{name}.first", ops.padded(t, x, 2))
        inner = self._convolved(f"{name}.second", ops.relu(t, inner))
        return ops.add(t, x, self._normed(f"{name}.second_norm", inner))


def _features(t: Tape, x: str, layers: Iterable[str]) -> dict[str, str]:
    """Write the features of VGG19 at ``layers``, for ``(1, 3, H, W)``, 0..1."""
    mean = t.given(f"{SHARED}mean", SINGLE, 1, 3, 1, 1)
    deviation = t.given(f"{SHARED}std", SINGLE, 1, 3, 1, 1)
    x = ops.scale(t, ops.subtract(t, x, mean), t("Div", t.constant(1), deviation))
    features, wanted = dict[str, str](), set(layers)
    for layer, sides in _VGG.items():
        if not wanted - features.keys():
            break
        x = _convolved(t, x, layer, sides) if sides else ops.max_pool(t, x)
        if layer in wanted:
            features[layer] = x
    return features


def _convolved(t: Tape, x: str, layer: str, sides: tuple[int, ...]) -> str:
    """Write a convolution of VGG19; the first repeats the edge."""
    name, first = f"{SHARED}convolutions.{layer}", layer == "conv1_1"
    weight = t.given(f"{name}.weight", SINGLE, *sides, 3, 3)
    bias = t.given(f"{name}.bias", SINGLE, sides[0])
    x = ops.padded(t, x, 1) if first else x
    return ops.relu(t, ops.frozen_convolution(t, x, weight, bias, 0 if first else 1))


def _losses(t: Tape, painted: str, target: str) -> dict[str, str]:
    """Write all losses, ``total`` first; ``target`` is the photograph to recognise."""
    wanted = _features(t, target, [CONTENT_LAYER])[CONTENT_LAYER]
    features = _features(t, painted, [*STYLE_LAYERS, CONTENT_LAYER])
    layers = {
        layer: _style(t, features[layer], layer, channels)
        for layer, channels in STYLE_LAYERS.items()
    }
    share = t.constant(1 / len(layers))
    parts = {
        "content": ops.relative_distance(t, features[CONTENT_LAYER], wanted),
        "style": _total(t, [ops.scale(t, each, share) for each in layers.values()]),
        "tv": ops.add(t, ops.variation(t, painted, 2), ops.variation(t, painted, 3)),
        "tone": ops.tone(t, ops.light(t, painted), ops.light(t, target)),
    }
    weights = t.given(_WEIGHTS, SINGLE, len(KINDS))
    total = _total(
        t,
        [
            ops.scale(t, parts[kind], t("Gather", weights, t.constant(place, "<i8"), axis=0))
            for place, kind in enumerate(KINDS)
        ],
    )
    named = {f"content {CONTENT_LAYER}": t("Add", parts["content"], t.constant(0))}
    named |= {f"style {layer}": loss for layer, loss in layers.items()}
    return {"total": total, **parts, **named}


def _style(t: Tape, features: str, layer: str, channels: int) -> str:
    """Write how far a layer's style is from the painting's.

    See :func:`~impasto.studio.perceptual.losses.gram_and_covariance_loss`.
    """
    gram, mean = ops.gram(t, features, channels), ops.mean(t, features)
    wanted_gram = t.given(f"gram {layer}", SINGLE, channels, channels)
    wanted_mean = t.given(f"mean {layer}", SINGLE, channels)
    spread = ops.subtract(t, gram, ops.square_of(t, mean))
    wanted_spread = ops.subtract(t, wanted_gram, ops.square_of(t, wanted_mean))
    half, quarter = t.constant(1 / 2), t.constant(1 / 4)
    return _total(
        t,
        [
            ops.scale(t, ops.relative_distance(t, gram, wanted_gram), half),
            ops.scale(t, ops.relative_distance(t, mean, wanted_mean), quarter),
            ops.scale(t, ops.relative_distance(t, spread, wanted_spread), quarter),
        ],
    )


def _total(t: Tape, values: Iterable[str]) -> str:
    first, *rest = values
    for each in rest:
        first = ops.add(t, first, each)
    return first


def write(folder: Path, options: NetworkOptions | None = None) -> Path:
    """Write the folder that :mod:`impasto.catalog.step` reads, for networks of one shape.

    Its card comes last.
    """
    network = networks.build(options or NetworkOptions())
    graphs = training_step(network.options).encoded(), painting_statistics().encoded()
    files = [Model.written(*each, OPSET) for each in zip(_FILES, graphs, strict=True)]
    parameters = sum(weight.numel() for weight in network.parameters())
    shape = NetworkShape(network.options, parameters, network.strength, network.stride)
    card = StepCard(
        name="step", licence=_LICENCE, model=files[0], statistics=files[1], network=shape
    )
    text = json.dumps(card.record(), indent=2)
    for file, data in (*zip(_FILES, graphs, strict=True), (CARD, f"{text}\n".encode())):
        atomic.write(folder / file, data, overwrite=True)
    return folder

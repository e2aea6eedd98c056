"""The objective: a loss network, its layers and weights, and the targets.

The optimiser and the trainer use the same one, so that their numbers compare.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import OptionError
from impasto.options import LossOptions
from impasto.options.losses import LATTICE, TONE
from impasto.studio.device import in_bfloat16, multiplies_bfloat16
from impasto.studio.perceptual import backbone, loading
from impasto.studio.perceptual.losses import (
    SIZED,
    STATISTICS,
    TOTAL_VARIATIONS,
    content_loss,
    lattice_loss,
    light,
    tone_loss,
)
from impasto.studio.statistics import Statistic

Features = Mapping[str, Tensor]
_Target = tuple[float, Tensor | None, dict[str, Statistic]]
"""Weight, region and statistics of a wanted style."""
Wanted = tuple[dict[str, Statistic], dict[str, Tensor], Tensor]
"""Statistics and balance by layer, and the style weight, of one style."""
_NOTHING = 1e-6
LIGHT = "light"
"""Key of a photograph's light and shade among its features."""


@dataclass(frozen=True)
class StylePicture:
    """One picture whose style is wanted: ``(1, 3, H, W)`` sRGB, 0..1.

    ``weight`` is its share in a blend. ``mask``, ``(1, 1, H, W)``, 0..1, is the region of the
    painting that gets this style; by default everything.
    """

    pixels: Tensor
    weight: float = 1.0
    mask: Tensor | None = None


@dataclass(frozen=True)
class Losses:
    """``total`` is the weighted sum; ``parts`` are the losses without their weights."""

    total: Tensor
    parts: dict[str, Tensor]

    def numbers(self) -> dict[str, float]:
        """Return numbers: ``total``, ``content``, ``style``, ``tv``, and each layer's own."""
        names = ["total", *self.parts]
        return dict(
            zip(names, torch.stack([self.total, *self.parts.values()]).tolist(), strict=True)
        )


class Objective:
    """Losses of pictures against styles and photographs.

    It never changes: :meth:`towards` and :meth:`balanced` give others.

    Args:
        options: network, layers, statistic, scales and weights.
        styles: what :meth:`towards` takes.
        network: a loaded loss network that fits ``options``; loaded by default.
        learning: the losses are to learn from, not to measure with. Then the loss network runs in
            bfloat16 on a processor, too, that multiplies that faster.

    Raises:
        OptionError: a layer that the network does not have, or a scale that does not go with the
            statistic.
    """

    def __init__(
        self,
        options: LossOptions,
        styles: Sequence[StylePicture] = (),
        network: backbone.LossNetwork | None = None,
        *,
        learning: bool = False,
    ) -> None:
        self._in_bfloat16 = multiplies_bfloat16 if learning else in_bfloat16
        _require_scale(options)
        self.options = options
        self.network = network or loading.load(
            options.loss_network,
            pooling=options.pooling,
            padding=options.padding,
            weights=options.weights,
        )
        self.content_layers = weighted(options.content_layers or self.network.content_layers)
        self.style_layers = weighted(options.style_layers or self.network.style_layers)
        if options.loss_scale in SIZED:
            self.content_layers = _shares(self.content_layers)
            self.style_layers = _shares(self.style_layers)
        self.network.require(self.layers)
        self._measure, self._distance = STATISTICS[options.style_statistic]
        self._tv = TOTAL_VARIATIONS[options.tv]
        self._style_weight: float | Tensor = options.style_weight
        self._balance: Mapping[str, Tensor] = {}
        self._targets = self._measured(styles)

    @property
    def layers(self) -> list[str]:
        """All layers in use."""
        return list(dict.fromkeys([*self.content_layers, *self.style_layers]))

    def towards(self, styles: Sequence[StylePicture]) -> Self:
        """Return an objective for these styles; the balance stays.

        Styles without a mask are blended into one target. Each with a mask is a target of its own
        in its region.
        """
        other = copy.copy(self)
        other._targets = self._measured(styles)
        return other

    def balanced(self, at: Tensor, content: Features) -> Self:
        """Return an objective that divides each layer's loss by its value ``at`` a picture.

        For options whose ``balance`` is ``none`` it is the same objective.
        """
        if self.options.balance == "none":
            return self
        other = copy.copy(self)
        other._balance = {}
        with torch.no_grad():
            parts = other(at, content).parts
        # A loss that starts at zero (content, from the content) gives no scale.
        other._balance = {
            name: loss if loss > _NOTHING else torch.ones_like(loss)
            for name, loss in parts.items()
            if " " in name
        }
        return other

    @property
    def wanted(self) -> Wanted:
        """What is of this style: the objectives of others may differ in nothing else.

        It has one style without a mask.
        """
        ((_, _, statistics),) = self._targets
        weight = torch.as_tensor(self._style_weight, device=self.network.mean.device)
        return statistics, dict(self._balance), weight

    def wanted_of(self, seen: Features) -> Wanted:
        """Return :attr:`wanted` of ``S`` paintings with these :meth:`features`, stacked."""
        statistics = {
            layer: tuple(each[:, None] for each in found)
            for layer, found in self._statistics(seen).items()
        }
        first = next(iter(seen.values()))
        return statistics, {}, first.new_full((len(first),), float(self._style_weight))

    def towards_wanted(self, wanted: Wanted) -> Self:
        """Return an objective for what another one, :attr:`wanted`, is towards."""
        other = copy.copy(self)
        statistics, other._balance, other._style_weight = wanted
        other._targets = [(1.0, None, statistics)]
        return other

    def _measured(self, styles: Sequence[StylePicture]) -> list[_Target]:
        with torch.no_grad():
            layers = list(self.style_layers)
            measured = [self._statistics(self._features(each.pixels, layers)) for each in styles]
        blended = [(s.weight, m) for s, m in zip(styles, measured, strict=True) if s.mask is None]
        targets: list[_Target] = [(1.0, None, _blend(blended))] if blended else []
        for style, statistics in zip(styles, measured, strict=True):
            if style.mask is not None:
                targets.append((style.weight, style.mask, statistics))
        return targets

    def _statistics(self, features: Features) -> dict[str, Statistic]:
        return {layer: self._measure(features[layer], None) for layer in self.style_layers}

    def content(self, photographs: Tensor, *, style: bool = False) -> Features:
        """Return the content to recognise: features of ``(N, 3, H, W)`` photographs, 0..1.

        With ``style`` it also has those that :meth:`__call__` needs for a strength below 1.
        """
        with torch.no_grad():
            layers = self.layers if style else list(self.content_layers)
            return {**self._features(photographs, layers), **self.light(photographs)}

    def light(self, photographs: Tensor) -> Features:
        """Return the part of :meth:`content`'s result that no layer has."""
        return {LIGHT: light(photographs)} if self.options.tone_weight else {}

    def _features(self, pictures: Tensor, layers: list[str]) -> dict[str, Tensor]:
        """Return features in float32, of a network that may run in bfloat16."""
        kind = pictures.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=self._in_bfloat16(kind)):
            features = self.network(pictures, layers)
        return {layer: value.float() for layer, value in features.items()}

    def __call__(self, painted: Tensor, content: Features, strength: float = 1.0) -> Losses:
        """Compute losses of ``painted``, ``(N, 3, H, W)``, 0..1, against :meth:`content`'s
        features.

        ``strength`` below 1 wants a style between the photograph's own and the painting's: the mean
        of their statistics.
        """
        return self.compared(self.features(painted), painted, content, strength)

    def features(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return what :meth:`compared` needs of ``(N, 3, H, W)`` pictures, 0..1."""
        return self._features(pictures, self.layers)

    def compared(
        self, features: Features, painted: Tensor, content: Features, strength: float = 1.0
    ) -> Losses:
        """Compute losses of ``painted`` as :meth:`__call__` does, from its :meth:`features`."""
        options = self.options
        layered: dict[str, tuple[float, Tensor]] = {}
        for layer, weight in self.content_layers.items():
            loss = content_loss(features[layer], content[layer], options.loss_scale)
            layered[f"content {layer}"] = weight, self._balanced(f"content {layer}", loss)
        for layer, weight in self.style_layers.items():
            own = self._measure(content[layer], None) if strength < 1 else None
            loss = self._style(layer, features[layer], own, strength)
            layered[f"style {layer}"] = weight, self._balanced(f"style {layer}", loss)
        parts = {
            kind: _sum([w * loss for name, (w, loss) in layered.items() if name.startswith(kind)])
            for kind in ("content", "style")
        }
        parts["tv"] = self._tv(painted)
        weights = [options.content_weight, self._style_weight, options.tv_weight]
        if options.tone_weight:
            parts[TONE] = tone_loss(light(painted), content[LIGHT])
            weights.append(options.tone_weight)
        if options.lattice_weight:
            parts[LATTICE] = lattice_loss(painted)
            weights.append(options.lattice_weight)
        total = _sum([w * loss for w, loss in zip(weights, parts.values(), strict=True)])
        return Losses(total, parts | {name: loss for name, (_, loss) in layered.items()})

    def _style(
        self, layer: str, features: Tensor, own: Statistic | None, strength: float
    ) -> Tensor:
        losses = []
        for weight, mask, targets in self._targets:
            here = None if mask is None else _shrunk(mask, features)
            target = targets[layer]
            if own is not None:
                pairs = zip(target, own, strict=True)
                target = tuple(strength * t + (1 - strength) * o for t, o in pairs)
            measured = self._measure(features, here)
            losses.append(weight * self._distance(measured, target, self.options.loss_scale))
        return _sum(losses)

    def _balanced(self, name: str, loss: Tensor) -> Tensor:
        return loss / self._balance[name] if name in self._balance else loss


def _require_scale(options: LossOptions) -> None:
    """Check that the scale of the losses goes with the statistic.

    Raises:
        OptionError: it does not.
    """
    scale, statistic = options.loss_scale, options.style_statistic
    if statistic != "gram" and scale in ("gatys", "johnson"):
        raise OptionError(
            f"the loss scale {scale} works with Gram matrices only",
            hint="use --loss-scale relative or mean",
        )
    if statistic in ("moments", "wasserstein") and scale == "balanced":
        raise OptionError(
            "the loss scale balanced works with Gram matrices and covariances only",
            hint="use --loss-scale relative or mean",
        )


def weighted(layers: Sequence[str]) -> dict[str, float]:
    """Split ``NAME`` or ``NAME:WEIGHT`` into names and weights, 1 by default.

    Raises:
        OptionError: a weight that is not a number of 0 or more.
    """
    weights = {}
    for layer in layers:
        name, _, share = layer.partition(":")
        try:
            weights[name] = float(share or 1)
        except ValueError:
            weights[name] = -1.0
        if not 0 <= weights[name] < float("inf"):
            raise OptionError(f"{share!r} is not a weight for layer {name}", hint="use NAME:0.5")
    return weights


def _blend(measured: Sequence[tuple[float, dict[str, Statistic]]]) -> dict[str, Statistic]:
    """Return the weighted mean of statistics, layer by layer."""
    total = sum(weight for weight, _ in measured) or 1.0
    blend: dict[str, Statistic] = {}
    for layer in measured[0][1]:
        parts = zip(*(statistics[layer] for _, statistics in measured), strict=True)
        blend[layer] = tuple(
            _sum([p * (w / total) for p, (w, _) in zip(part, measured, strict=True)])
            for part in parts
        )
    return blend


def _shares(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values()) or 1.0
    return {name: weight / total for name, weight in weights.items()}


def _sum(values: Sequence[Tensor]) -> Tensor:
    """Sum of tensors of one shape; 0 of none."""
    return torch.stack(list(values)).sum(0) if values else torch.zeros(())


def _shrunk(mask: Tensor, features: Tensor) -> Tensor:
    """Reduce the mask to the resolution of a layer; soft edges stay soft."""
    return F.interpolate(mask, features.shape[2:], mode="area")

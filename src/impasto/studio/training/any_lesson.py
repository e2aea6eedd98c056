"""Teaches a hypernetwork with paintings and photographs, and measures what it has learnt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.options import LossOptions, TrainAnyOptions
from impasto.options.losses import LATTICE, TONE
from impasto.progress import OnProgress, Progress
from impasto.studio.hypernetwork import Encoder, Features, Hypernetwork
from impasto.studio.networks import TransformNetwork
from impasto.studio.networks.grouped import Weights, painted
from impasto.studio.perceptual.objective import Losses, Objective, Wanted
from impasto.studio.perceptual.objectives import Objectives
from impasto.studio.tensors import grained, grid
from impasto.studio.training.averaged import Averaged
from impasto.studio.training.calibration import calibrate
from impasto.studio.training.loop import evaluating
from impasto.studio.training.muon import Group
from impasto.studio.training.pairs import BLOCK, Pairs, Pictures, Source, recolored, smoothed

_CALIBRATED, _AT_ONCE = 512, 16
"""Paintings that calibrate a hypernetwork, and how many it sees at once."""
_SAMPLES = 4
"""Most photographs, and most paintings, on a sample picture."""
_DECAY = 1e-4
_STARTS, _ENCODER, _HEADS = 0.1, 0.04, 0.015
"""Rates relative to that of the directions.

They are of the convolutions at the start, of the layers that make an embedding, and of those that
make coefficients from it.
"""


@dataclass(frozen=True)
class Held:
    """Measurements on paintings and photographs that are in no step, means over all pairs."""

    style: float
    """Distance of Gram matrices, relative to the painting's."""
    content: float
    tone: float
    """Correlation of light and shade."""

    def __str__(self) -> str:
        return f"style {self.style:.3f}, content {self.content:.2f}, tone {self.tone:.2f}"


@dataclass(frozen=True)
class _Styles:
    """What a step needs to know of ``S`` paintings."""

    statistics: Tensor
    """What the hypernetwork sees of them."""
    wanted: Wanted
    """What the networks' paintings should have in common with them."""


@dataclass(frozen=True)
class _Unseen:
    """Photographs and paintings that are in no step."""

    photographs: Tensor
    ground: Tensor
    """The same photographs with grain."""
    paintings: Tensor


@dataclass(frozen=True)
class AnyLesson:
    """Teaches a hypernetwork with paintings and photographs."""

    options: TrainAnyOptions
    source: Source
    paintings: Pictures
    """Paintings that are in no step; neither are these photographs."""
    photographs: Pictures
    objective: Objective
    encoder: Encoder
    """That of the hypernetwork: its statistics are never learnt."""
    blank: TransformNetwork
    """One of the networks, without weights of its own."""
    tell: OnProgress

    @property
    def _plain(self) -> LossOptions:
        """Losses that compare trainings, whatever they learn with."""
        options = self.objective.options
        return replace(options, style_statistic="gram", loss_scale="relative", tone_weight=1)

    @cached_property
    def _kept(self) -> dict[int, _Styles]:
        """What is known of paintings that serve again, by the step that drew them."""
        return {}

    @cached_property
    def _unseen(self) -> _Unseen:
        options, device = self.options, self.source.device
        crop, side = self.source.sides(self.source.batches)
        photographs = self.photographs.middles(crop, device)
        paintings = self.paintings.middles(side, device)
        ground = grained(photographs, options.grain, options.seed, 0)
        return _Unseen(photographs, ground, paintings)

    def calibrate(self, hypernetwork: Hypernetwork) -> None:
        """Give a new hypernetwork its first knowledge of paintings."""
        options, pictures = self.options, self.source.paintings
        rng = np.random.default_rng([options.seed, 4])
        order = rng.permutation(len(pictures.numbers))[:_CALIBRATED]
        some = Pictures(pictures.bank, [pictures.numbers[place] for place in order])
        squares = some.middles(options.style_size, self.source.device)
        colours = recolored(squares, rng, options.recolored)
        few = [colours[first : first + _AT_ONCE] for first in range(0, len(colours), _AT_ONCE)]
        calibrate(hypernetwork.encoder, self.objective.network, few)

    def groups(self, network: Averaged) -> list[Group]:
        """Group the weights: Muon learns convolutions and directions, AdamW the rest, each with its
        rate."""
        decoder, rate = network.learning.decoder, self.options.learning_rate
        starts = list(decoder.start.values())
        heads = [*decoder.offsets.parameters(), *decoder.coefficients.parameters()]
        return [
            {"params": list(decoder.directions.values()), "peak": rate},
            {"params": [w for w in starts if w.dim() == 4], "peak": rate * _STARTS},
            {
                "params": [w for w in starts if w.dim() < 4],
                "peak": rate * _ENCODER,
                "decay": _DECAY,
            },
            {
                "params": list(network.learning.encoder.parameters()),
                "peak": rate * _ENCODER,
                "decay": _DECAY,
            },
            {"params": heads, "peak": rate * _HEADS, "decay": _DECAY},
        ]

    def fetch(self, number: int) -> Pairs:
        return self.source(number)

    def losses(self, learning: Callable[..., Weights], pairs: Pairs) -> Losses:
        styles = self._styles(pairs.drawn)
        with torch.random.fork_rng():
            torch.manual_seed(pairs.chance)
            weights = learning(styles.statistics, pairs.boldness)
        made = painted(self.blank, weights, pairs.ground)
        content = self.objective.content(pairs.photographs)
        _, parts = Objectives(self.objective, styles.wanted).apart(made, content)
        shown = {name: each.mean() for name, each in parts.items() if " " not in name}
        return Losses(self._total(parts, pairs.boldness), shown)

    def _styles(self, drawn: int) -> _Styles:
        """Return what is known of the paintings that step ``drawn`` draws."""
        if drawn not in self._kept:
            for old in [each for each in self._kept if each // BLOCK != drawn // BLOCK]:
                del self._kept[old]
            paintings = self.source.styles(drawn)
            rough = smoothed(paintings, self.options.style_smoothing)
            with torch.no_grad():
                seen = wanted = self.objective.features(paintings)
                if rough is not paintings:
                    wanted = self.objective.features(rough)
                known = _Styles(self.encoder.statistics(seen), self.objective.wanted_of(wanted))
            if self.options.uses == 1:
                return known
            self._kept[drawn] = known
        return self._kept[drawn]

    def _total(self, parts: Mapping[str, Tensor], boldness: Tensor) -> Tensor:
        """Return the total; bold styles, whose losses are larger, count no more than others."""
        options = self.options
        style = options.style_weight * boldness * parts["style"]
        total = (parts["content"] + style) * (2 / (1 + boldness)).sqrt()
        weights = {
            "tv": options.tv_weight, TONE: options.tone_weight, LATTICE: options.lattice_weight
        }  # fmt: skip
        for name, weight in weights.items():
            total = total + weight * parts[name] if weight else total
        return total.mean()

    def validation(self, network: Averaged) -> float | None:
        """Return the sum of the losses of unseen pairs, and report each."""
        held = self.held(network)
        if held is None:
            return None
        self.tell(Progress(0, self.options.steps, note=f"held-out paintings: {held}"))
        options = self.options
        style = options.style_weight * held.style
        return held.content + style + options.tone_weight * (1 - held.tone)

    def held(self, network: Averaged) -> Held | None:
        """Measure unseen paintings and photographs, at a boldness of 1; None without such."""
        unseen, sums = self._unseen, torch.zeros(3)
        if not (len(unseen.paintings) and len(unseen.photographs)):
            return None
        plain = Objective(self._plain, network=self.objective.network, learning=True)
        content = plain.content(unseen.photographs)
        with evaluating(network):
            for painting in unseen.paintings:
                seen = plain.features(painting[None])
                made = self._painted(network, seen, unseen.ground)
                parts = Objectives(plain, plain.wanted_of(seen)).apart(made, content)[1]
                values = parts["style"], parts["content"], 1 - parts[TONE]
                sums += torch.cat(values).cpu() / len(unseen.paintings)
        return Held(*sums.tolist())

    def sample(self, network: Averaged, done: int) -> Tensor:
        """Return photographs above, paintings at the left, and their combinations."""
        unseen = self._unseen
        if not (len(unseen.paintings) and len(unseen.photographs)):
            pairs = self.source(done)
            paintings = self.source.styles(pairs.drawn)
            unseen = _Unseen(pairs.photographs, pairs.ground, paintings)
        photographs = unseen.photographs[:_SAMPLES]
        side = photographs.shape[-1]
        rows = [torch.cat([torch.ones_like(photographs[:1]), photographs])]
        with evaluating(network):
            for painting in unseen.paintings[:_SAMPLES]:
                seen = self.objective.features(painting[None])
                made = self._painted(network, seen, unseen.ground[:_SAMPLES])[0]
                small = F.interpolate(painting[None], (side, side), mode="area")
                rows.append(torch.cat([small, made]))
        return grid(rows)

    def _painted(self, network: Averaged, seen: Features, ground: Tensor) -> Tensor:
        """Paint with networks made at a boldness of 1: ``(S, P, 3, H, W)``, 0..1."""
        statistics = self.encoder.statistics(seen)
        bold = torch.ones(len(statistics), device=self.source.device)
        return painted(self.blank, network(statistics, bold), ground).clamp(0, 1)

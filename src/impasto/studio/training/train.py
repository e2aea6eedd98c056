"""Learn styles from paintings: photographs and paintings in, a style folder out.

The method is Johnson et al. 2016 (arXiv 1603.08155) with instance normalisation (Ulyanov et al.
2016). For several styles it is conditional (Dumoulin et al. 2017, arXiv 1610.07629). The losses are
relative (:mod:`impasto.studio.perceptual.losses`), so that nobody has to tune a weight by hand. The
loop is :func:`impasto.studio.training.loop.learn`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto import catalog
from impasto.errors import TrainingError, in_memory
from impasto.files.kept_steps import WORK
from impasto.images.picture import Picture
from impasto.options import TrainOptions
from impasto.progress import CancelToken, OnProgress, silent
from impasto.studio import networks
from impasto.studio.device import torch_device
from impasto.studio.networks import TransformNetwork
from impasto.studio.perceptual.objective import Losses, Objective, StylePicture
from impasto.studio.tensors import grained, to_tensor
from impasto.studio.training import init_from, loop
from impasto.studio.training.checkpoint import Training
from impasto.studio.training.dataset import Photos
from impasto.studio.training.feature_cache import Crops, FeatureCache
from impasto.studio.training.loop import Course, Paint, evaluating
from impasto.studio.training.muon import Group
from impasto.studio.training.paintings import Painting, Paintings, entries, wanted_of
from impasto.studio.training.publish import publish, record

_TRIED = 3
"""Number of steps whose photographs compare two starts."""
_SAMPLES = 6
"""Most photographs, and most styles, on a sample picture."""


@in_memory("the training", hint="use a smaller --crop or --batch", kind=TrainingError)
def train(
    paintings: Paintings,
    photos: str | Path,
    output: str | Path,
    *,
    options: TrainOptions | None = None,
    start: str | Path | None = init_from.BEST,
    restart: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Path:
    """Learn the styles of one or more paintings and write them as one style folder.

    Args:
        paintings: pictures, or :class:`~impasto.Painting` with texts for the card. Several share
            all convolutions of one network.
        photos: a folder of photographs, a few hundred or more.
        output: the folder; its last part names the style, if there is one. A plain name goes to the
            user's styles, where ``-s NAME`` finds it.
        options: see :class:`~impasto.TrainOptions`.
        start: a style, or a checkpoint, to learn on from: several times faster than from nothing.
            With ``options.tune`` ``"norms"`` its network and its styles stay as they are. Only the
            norms of the new styles are learnt. ``"any"`` is what the hypernetwork makes of the
            paintings. ``"best"`` is that or ``starry-night``, whichever paints the painting better.
            For several styles, or another network than the default one, ``"best"`` is nothing. None
            and ``"none"`` are nothing.
        restart: begin anew where an interrupted training of this style would go on.
        on_progress: called after every step with the losses.
        cancel: stops the training after the step at hand, with a checkpoint.

    Returns:
        The folder.

    Raises:
        OptionError, PictureError: a value, a name or a painting cannot be used.
        OutputError: the folder holds a style already, and no training to go on with.
        DeviceError: there is no such device.
        TrainingError: no photographs, or a loss that is not a number. Or options, photographs or
            start differ from the interrupted training's. What was learnt before stays on disk.
        Cancelled: stopped by ``cancel``.
    """
    folder = catalog.place(output)
    wanted = wanted_of(paintings, folder.name)
    catalog.require_free([each.name for each in wanted], folder)
    options = options or TrainOptions()
    dataset = Photos.of(photos, options, without=folder)
    pictures = [
        each.picture(options.style_size, options.style_crop, options.style_smoothing)
        for each in wanted
    ]
    if start in (init_from.BEST, init_from.NOTHING):
        good = start == init_from.BEST and init_from.is_good(options, len(wanted))
        start = _best(wanted, pictures, options, dataset) if good else None
    origin = init_from.find(start, folder / WORK, restart)
    trunk = init_from.trunk(start, origin, wanted, options.style_crop)
    options, kept = init_from.with_trunk(options, trunk)
    dataset.tell(on_progress, options.steps)
    styles = kept + entries(wanted, pictures, kept)
    accelerator = loop.accelerator(options.device, folder / WORK, tensorboard=options.tensorboard)
    network = init_from.begun(options, len(styles), trunk).to(accelerator.device)
    objectives = _objectives(wanted, pictures, options, accelerator.device)
    lesson = PaintingLesson(options, dataset, objectives, len(kept), accelerator.device)
    sources = init_from.sources(start, origin, dataset, accelerator.num_processes)
    course = Course(
        lesson.balanced(network), Training(asdict(options), styles, sources), folder,
        options.steps, options.save_every, learns_norms_only=options.tune == "norms",
    )  # fmt: skip
    resumed = init_from.resumed(
        course, origin, accelerator, restart=restart, on_progress=on_progress, owned=True
    )
    learnt = loop.learn(
        network, course, resumed, accelerator, on_progress=on_progress, cancel=cancel
    )
    if accelerator.is_main_process:
        publish(learnt, folder, record(learnt, course.work, start, dataset))
    loop.end(accelerator)
    return folder


@dataclass(frozen=True)
class PaintingLesson:
    """Teaches a network the styles of paintings: each batch learns one of them, in turn."""

    options: TrainOptions
    dataset: Photos
    objectives: Sequence[Objective]
    kept: int
    """How many styles of the trunk come before the new ones."""
    device: torch.device

    @cached_property
    def cache(self) -> FeatureCache:
        return FeatureCache(self.dataset, self.objectives[0], self.options)

    @cached_property
    def held_out(self) -> Tensor:
        """Return photographs that are in no batch."""
        return self.dataset.validation().to(self.device)

    def balanced(self, network: TransformNetwork) -> PaintingLesson:
        """Divide losses by their values at the start, if the options ask for it.

        These values are of the first photographs, in every process. They stay the same however
        often a training was stopped.
        """
        if self.options.loss.balance == "none":
            return self
        photographs = self.dataset.batch(0).to(self.device)
        ground = self._grained(photographs, 0)
        balanced = []
        for index, objective in enumerate(self.objectives):
            with torch.no_grad():
                painted = network(ground, self._mix(index))
            balanced.append(objective.balanced(painted, objective.content(photographs)))
        return replace(self, objectives=balanced)

    def groups(self, network: TransformNetwork) -> list[Group]:
        """Group the norms of the new styles, and all that styles share, unless that stays.

        The norms of a style get a gradient in only one of ``count`` steps. Adam takes that for a
        smaller and less certain gradient. The root of ``count`` makes up for both.
        """
        own, named = set(networks.norms(network)), dict(network.named_parameters())
        shared = [weight for name, weight in named.items() if name not in own]
        for weight in shared:
            weight.requires_grad_(self.options.tune == "all")
        rate, count = self.options.learning_rate, len(self.objectives)
        rows = [named[name] for name in sorted(own)]
        groups: list[Group] = [{"params": rows, "peak": rate * count**0.5}]
        if self.options.tune == "all":
            return [*groups, {"params": shared, "peak": rate}]
        for weight in rows:
            weight.register_hook(_only(range(self.kept, self.kept + count)))  # type: ignore[no-untyped-call]
        return groups

    def fetch(self, number: int) -> _Numbered:
        return _Numbered(number, self.cache.fetch(number))

    def losses(self, paint: Paint, batch: _Numbered) -> Losses:
        index, strength = _draw(batch.number, len(self.objectives), self.options)
        photographs, content = self.cache.content(batch.crops, self.device)
        ground = self._grained(photographs, batch.number * self.options.batch)
        painted = paint(ground, self._mix(index, strength))
        return self.objectives[index](painted, content, strength)

    def validation(self, network: TransformNetwork) -> float | None:
        """Return the mean objective of photographs that are in no batch, over all new styles."""
        photographs, objectives = self.held_out, self.objectives
        if not len(photographs):
            return None
        total, count = 0.0, max(len(photographs), len(objectives))
        with evaluating(network):
            for number in range(count):
                index = number % len(objectives)
                photograph = photographs[number % len(photographs)][None]
                painted = network(self._grained(photograph, number), self._mix(index))
                content = objectives[index].content(photograph)
                total += float(objectives[index](painted, content).total)
        return total / count

    def sample(self, network: TransformNetwork, done: int) -> Tensor:
        """Return photographs above their paintings."""
        photographs = self.held_out
        if not len(photographs):
            photographs = self.dataset.batch(done).to(self.device)
        photographs = photographs[:_SAMPLES]
        rows, ground = [photographs], self._grained(photographs, done)
        with evaluating(network):
            for index in range(min(len(self.objectives), _SAMPLES)):
                mix = self._mix(index)
                rows.append(torch.cat([network(each[None], mix) for each in ground]))
        return torch.cat([torch.cat(list(row), 2) for row in rows], 1)

    def _grained(self, photographs: Tensor, first: int) -> Tensor:
        return grained(photographs, self.options.grain, self.options.seed, first)

    def _mix(self, index: int, strength: float = 1.0) -> Tensor:
        """Return style weights for the new style ``index``."""
        mix = torch.zeros(self.kept + len(self.objectives), device=self.device)
        mix[self.kept + index] = strength
        return mix


@dataclass(frozen=True)
class _Numbered:
    """Crops, and the number of their batch, which decides what they teach."""

    number: int
    crops: Crops

    @property
    def from_disk(self) -> bool:
        return self.crops.from_disk


def _best(
    wanted: Sequence[Painting],
    pictures: Sequence[Picture],
    options: TrainOptions,
    dataset: Photos,
) -> str:
    """Return the good start with the lower loss, on a few photographs."""
    device = torch_device(options.device)
    (objective,) = _objectives(wanted, pictures, options, device)
    photographs = torch.cat([dataset.batch(number) for number in range(_TRIED)]).to(device)
    losses = {}
    for start in init_from.GOOD:
        origin = init_from.find(start, Path(), restart=False)
        trunk = init_from.trunk(start, origin, wanted, options.style_crop)
        network = init_from.begun(options, 1, trunk).to(device)
        with evaluating(network):
            painted = network(photographs, torch.ones(1, device=device))
            losses[start] = float(objective(painted, objective.content(photographs)).total)
    return min(losses, key=losses.__getitem__)


def _objectives(
    wanted: Sequence[Painting],
    pictures: Sequence[Picture],
    options: TrainOptions,
    device: torch.device,
) -> list[Objective]:
    """Make an objective for each painting; they share the loss network."""
    objectives: list[Objective] = []
    for painting, picture in zip(wanted, pictures, strict=True):
        loss = options.loss
        if painting.style_weight is not None:
            loss = replace(loss, style_weight=painting.style_weight)
        objective = Objective(loss, network=objectives[0].network if objectives else None)
        objective.network.to(device)
        style = StylePicture(to_tensor(picture.pixels)[None].to(device))
        objectives.append(objective.towards([style]))
    return objectives


def _only(rows: range) -> Callable[[Tensor], Tensor]:
    """Make a hook that keeps some rows of a gradient, ``(rows, channels)``, and clears others."""

    def masked(gradient: Tensor) -> Tensor:
        kept = torch.zeros_like(gradient)
        kept[rows.start : rows.stop] = gradient[rows.start : rows.stop]
        return kept

    return masked


def _draw(number: int, styles: int, options: TrainOptions) -> tuple[int, float]:
    """Draw the style of a batch, in turn, and its strength: half of the batches have all of it."""
    if not options.learn_strength:
        return number % styles, 1.0
    rng = np.random.default_rng([options.seed, number, 1])
    return number % styles, 1.0 if rng.random() < 0.5 else float(rng.random())

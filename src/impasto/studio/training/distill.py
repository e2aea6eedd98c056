"""A smaller network that paints like a style: for films, cameras and phones.

This is knowledge distillation (Hinton et al. 2015, arXiv 1503.02531). The style paints photographs,
and the smaller network learns to paint the same. That takes no painting and no loss network. So a
step is several times as fast as one of :mod:`impasto.studio.training.train`. It takes minutes where
the style took an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto import catalog
from impasto.catalog import Entry, Style, TrainingRecord, learnt_with
from impasto.catalog.card import Teacher
from impasto.errors import TrainingError, in_memory
from impasto.files import atomic, kept_steps
from impasto.files.kept_steps import WORK
from impasto.inference.engine import OnnxEngine
from impasto.options import DistillOptions, TrainOptions
from impasto.progress import CancelToken, OnProgress, silent
from impasto.studio import networks
from impasto.studio.networks import TransformNetwork
from impasto.studio.perceptual.losses import lattice_loss
from impasto.studio.perceptual.objective import Losses
from impasto.studio.tensors import grained, to_pixels, to_tensor
from impasto.studio.training import checkpoint_file, init_from, loop
from impasto.studio.training.checkpoint import Checkpoint, Training
from impasto.studio.training.dataset import Photos
from impasto.studio.training.loop import Course, Paint, evaluating
from impasto.studio.training.muon import Group
from impasto.studio.training.publish import publish, record
from impasto.untrusted import whole

START = "starry-night-tiny"
"""The start of the bundled tiny styles."""
_SAMPLES = 6
"""Photographs on a sample picture."""
_SCALES = 2
"""Number of sizes at which slopes are compared, each half of the one before."""
_WINDOW = 8
"""Side, in pixels, of the surroundings of a place."""
_STRENGTH = 3.0
"""Weight of the slopes' strength; without it the Gram matrices are twice as far off."""


@dataclass(frozen=True)
class Distilled:
    """A style that was written, and its comparison with the style that it learnt from."""

    folder: Path
    levels: float
    """Mean absolute difference of their paintings of unseen photographs, in levels of 255.

    Where no photographs were kept apart, it is of photographs that the network has seen.
    """
    parameters: int


@in_memory("the training", hint="use a smaller --crop or --batch", kind=TrainingError)
def distill(
    style: str | Path | Style,
    photos: str | Path,
    output: str | Path,
    *,
    options: DistillOptions | None = None,
    start: str | Path | None = None,
    title: str = "",
    overwrite: bool = False,
    restart: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Distilled:
    """Teach a smaller network to paint as ``style`` does, and write it as another style.

    Args:
        style: a name, a folder, a card or a blend; as :func:`impasto.catalog.find` takes it.
        photos: a folder of photographs, a few hundred or more.
        output: the new style's folder, or its name alone, for the user's styles.
        options: see :class:`~impasto.options.DistillOptions`.
        start: a style, or a checkpoint, of such a small network to learn on from. By default a tiny
            network begins where the bundled tiny styles began. Others begin from nothing.
        title: the style's title for people; by default after the style's own title.
        overwrite: replace a style that is there.
        restart: begin anew where an interrupted training of this style would go on.
        on_progress: called after every step with the loss.
        cancel: stops after the step at hand, with a checkpoint; the same call goes on from it.

    Raises:
        OptionError: no such style, a name that no style can have, or a start of another network.
        OutputError: ``output`` is there already.
        DeviceError: there is no such device.
        TrainingError: no photographs, or a loss that is not a number. Or options, photographs or
            style differ from the interrupted training's. What was learnt before stays on disk.
        Cancelled: stopped by ``cancel``.
    """
    options, teacher = options or DistillOptions(), catalog.find(style)
    target = catalog.place(output)
    catalog.valid_text("title", title)
    catalog.require_other(target, teacher)
    restart = restart or _replaces(target, options, overwrite=overwrite)
    dataset = Photos.of(photos, options, without=target)
    dataset.tell(on_progress, options.steps)
    if start is None and options.network == networks.preset("tiny"):
        start = START
    origin = init_from.find(start, target / WORK, restart)
    accelerator = loop.accelerator(options.device, target / WORK)
    network = _begun(options, origin).to(accelerator.device)
    lesson = StyleLesson(options, dataset, teacher, accelerator.device)
    entry = Entry(
        target.name, whole(title) or f"{teacher.card.title}, small", teacher.card.artwork,
        painting_sha256=teacher.card.painting_sha256,
    )  # fmt: skip
    sources = init_from.sources(init_from.began(start, origin), dataset, accelerator.num_processes)
    sources |= {"style": teacher.card.model.sha256}
    training = Training(asdict(options), [entry], sources)
    course = Course(lesson, training, target, options.steps, options.save_every)
    resumed = init_from.resumed(
        course, origin, accelerator, restart=restart, on_progress=on_progress
    )
    learnt = loop.learn(
        network, course, resumed, accelerator, on_progress=on_progress, cancel=cancel
    )
    levels = lesson.levels(learnt.built().to(accelerator.device))
    if accelerator.is_main_process:
        training_record = _record(learnt, course.work, start, lesson, levels)
        publish(learnt, target, training_record, Teacher(teacher.name, teacher.card.model.sha256))
    loop.end(accelerator)
    return Distilled(target, levels, sum(weight.numel() for weight in network.parameters()))


def _replaces(target: Path, options: DistillOptions, *, overwrite: bool) -> bool:
    """Say whether to replace a finished style instead of going on with its training.

    It goes on where the style lacks steps.

    Raises:
        OutputError: nobody has asked to replace it.
    """
    goes_on = 0 < kept_steps.steps(target / WORK) < options.steps
    if goes_on or not (target / catalog.CARD).exists():
        return False
    if not overwrite:
        raise atomic.there_already(target)
    return True


def _begun(options: DistillOptions, origin: Path | None) -> TransformNetwork:
    """Return the network as it begins.

    Raises:
        OptionError: a start of another network.
    """
    shape = TrainOptions(network=options.network, crop=options.crop, seed=options.seed)
    trunk = checkpoint_file.read(origin) if origin else None
    if trunk:
        trunk.require_network(options.network)
    return init_from.begun(shape, 1, trunk)


def _record(
    learnt: Checkpoint, work: Path, start: str | Path | None, lesson: StyleLesson, levels: float
) -> TrainingRecord:
    """Describe, for the card, how the network was learnt, and how well.

    ``impasto evaluate`` measures it with the loss of the other style.
    """
    loss, size, crop, smoothing = learnt_with(lesson.style)
    own = record(learnt, work, start, lesson.dataset)
    losses = {**(own.losses or {}), "levels": round(levels, 2)}
    return replace(
        own, loss=loss, style_size=size, style_crop=crop, style_smoothing=smoothing, losses=losses
    )


@dataclass(frozen=True)
class Taught:
    """Photographs as the new network gets them, and the style's paintings of them.

    Each is ``(N, 3, crop, crop)``, 0..1.
    """

    ground: Tensor
    painted: Tensor


@dataclass(frozen=True)
class StyleLesson:
    """Teaches a network with a style's paintings of the same photographs."""

    options: DistillOptions
    dataset: Photos
    style: Style
    device: torch.device

    @cached_property
    def _engine(self) -> OnnxEngine:
        return OnnxEngine(self.style.loaded(), device="cpu")

    @cached_property
    def _held_out(self) -> list[Taught]:
        """Return photographs that are in no batch; those of the first batch, where none is kept
        apart."""
        unseen = self.dataset.validation()
        some = unseen if len(unseen) else self.dataset.batch(0)
        return [self._taught(photograph[None], number) for number, photograph in enumerate(some)]

    def groups(self, network: TransformNetwork) -> list[Group]:
        """Return all parameters of the network as one group."""
        return [{"params": list(network.parameters()), "peak": self.options.learning_rate}]

    def fetch(self, number: int) -> Taught:
        return self._taught(self.dataset.batch(number), number * self.options.batch)

    def losses(self, paint: Paint, batch: Taught) -> Losses:
        painted = paint(batch.ground.to(self.device))
        total = distance(painted, batch.painted.to(self.device))
        if self.options.lattice_weight:
            total = total + self.options.lattice_weight * lattice_loss(painted)
        return Losses(total, {})

    def validation(self, network: TransformNetwork) -> float | None:
        """Return by how many levels its paintings of unseen photographs differ."""
        return self.levels(network) if self.options.held_out else None

    def levels(self, network: TransformNetwork) -> float:
        """Return by how many levels of 255 the paintings differ from the style's in the mean."""
        off = [
            float(F.l1_loss(painted, each.painted.to(self.device)))
            for each, painted in self._painted(network, self._held_out)
        ]
        return sum(off) * 255 / len(off)

    def sample(self, network: TransformNetwork, done: int) -> Tensor:  # noqa: ARG002
        """Return photographs above the paintings of the style and of the network."""
        columns = [
            torch.cat([each.ground[0], each.painted[0], painted[0].cpu()], 1)
            for each, painted in self._painted(network, self._held_out[:_SAMPLES])
        ]
        return torch.cat(columns, 2)

    def _painted(
        self, network: TransformNetwork, some: Sequence[Taught]
    ) -> list[tuple[Taught, Tensor]]:
        """Return each with the new network's painting of it."""
        with evaluating(network):
            return [(each, network(each.ground.to(self.device)).clamp(0, 1)) for each in some]

    def _taught(self, photographs: Tensor, first: int) -> Taught:
        ground, seen = _grounds(photographs, self.options, first)
        painted = [self._engine.paint(to_pixels(each), self.style.weights) for each in seen]
        return Taught(ground, torch.stack([to_tensor(each) for each in painted]))


def distance(painted: Tensor, wanted: Tensor) -> Tensor:
    """Return the sum of mean absolute differences of pixels, mean colours and slopes.

    It also compares how strong slopes are around a place. Without that, some marks would fade:
    those that the small network cannot put where the large one has them.
    """
    total = F.l1_loss(painted, wanted)
    for _ in range(_SCALES):
        for axis in (2, 3):
            one, other = painted.diff(dim=axis), wanted.diff(dim=axis)
            strength = F.l1_loss(_strength(one), _strength(other))
            total = total + (F.l1_loss(one, other) + _STRENGTH * strength) / 2
        painted, wanted = F.avg_pool2d(painted, 2), F.avg_pool2d(wanted, 2)
    return total + F.l1_loss(painted, wanted)


def _strength(slopes: Tensor) -> Tensor:
    """Return the root of the mean square in windows."""
    return (F.avg_pool2d(slopes.square(), _WINDOW, _WINDOW // 2) + 1e-4).sqrt()


def _grounds(photographs: Tensor, options: DistillOptions, first: int) -> tuple[Tensor, Tensor]:
    """Return the photographs that the new network and the old one get, in whole levels.

    Every other photograph has grain, as pictures do. The rest has none, as frames of films. The
    teacher of a calm network gets no grain.
    """
    grain = grained(photographs, options.grain, options.seed, first)
    odd = torch.tensor([(first + number) % 2 for number in range(len(photographs))])
    mixed = torch.where(odd.bool()[:, None, None, None], photographs, grain)
    ground, clean = (each.mul(255).round().div(255) for each in (mixed, photographs))
    return ground, clean if options.calm else ground

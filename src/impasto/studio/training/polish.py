"""Learn on from what a hypernetwork made of a painting, for a minute: the *polish*.

It is a training like any other, by the one loop, from the predicted weights: a photograph a step,
the painting's covariances beside its Gram matrices, and the photograph's tone
(:mod:`impasto.studio.perceptual.losses`). It needs no photographs of the user's: some come with
impasto. The network is written into the hypernetwork's template, so nothing is exported anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from impasto import assets, catalog
from impasto.catalog import Artwork, Entry, Style, TrainingRecord, painted
from impasto.catalog.hypernetwork import filled
from impasto.catalog.layout import CARD
from impasto.errors import Cancelled, OptionError, OutputError
from impasto.files import paths
from impasto.options import NetworkOptions, PolishOptions, StyleOptions, TrainOptions
from impasto.progress import CancelToken, OnProgress, Progress, silent
from impasto.studio import networks
from impasto.studio.export.hypernetwork import exported
from impasto.studio.networks import TransformNetwork
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_tensor
from impasto.studio.training import checkpoint, checkpoint_file, checkpoints, init_from, loop
from impasto.studio.training.checkpoint import Checkpoint, Training
from impasto.studio.training.checkpoints import WORK
from impasto.studio.training.dataset import Photos
from impasto.studio.training.loop import Course
from impasto.studio.training.publish import record
from impasto.studio.training.train import PaintingLesson

if TYPE_CHECKING:
    from impasto.images.raster import PictureSource

_START = "any"
"""What the card says that a polished style began at."""
_FEWEST = 8
"""Steps, however short the time is."""
_SAVES = 4
"""Checkpoints, each with a sample to look at, while it runs."""
_LOSS = replace(TrainOptions().loss, style_statistic="gram-covariance", tone_weight=2.0)
_OPTIONS = TrainOptions(batch=1, style_size=512, learning_rate=5e-3, held_out=1, loss=_LOSS)


@dataclass(frozen=True, kw_only=True)
class Step(Progress):
    """One photograph that was learnt from."""

    style: Callable[[], Style]
    """The style as it is now."""


OnStep = Callable[[Step], None]


@dataclass(frozen=True)
class Polished:
    """A style that was learnt on, and what came of it."""

    style: Style
    checkpoint: Checkpoint
    before: float | None
    """The objective of photographs that are in no step, before and after; None without such."""
    after: float | None
    stopped: bool = False
    """Before all steps were taken."""


def polish(
    painting: PictureSource,
    folder: Path,
    options: PolishOptions,
    *,
    style: StyleOptions | None = None,
    more: Sequence[Path] = (),
    restart: bool = False,
    on_progress: OnProgress = silent,
    on_step: OnStep | None = None,
    cancel: CancelToken | None = None,
) -> Polished:
    """The style of a painting, learnt on from what the hypernetwork makes of it.

    ``folder`` keeps what is needed to go on, in ``training``; the style is not written there.
    ``more`` are photographs to learn with, beside those that came with impasto and those of
    ``options.photos``. ``on_step`` is called after each step with the style as it is then. Stopped
    by ``cancel``, it gives the best so far.

    Raises:
        OptionError: ``painting`` is a style already, or a value that is not allowed.
        PictureError: there is no style in the painting.
        TrainingError: a loss that is not a number, or another stopped training in ``folder``.
    """
    made = catalog.find(painting, style)
    if made.network is None or made.card.blend:
        raise OptionError(f"{made.name} is not one painting", hint="polish a painting's file")
    dataset = _photographs(options, more)
    work = folder / WORK
    accelerator = loop.accelerator("auto", work)
    network = _begun(made).to(accelerator.device)
    lesson = _lesson(painting, made, dataset, accelerator.device)
    if restart:
        init_from.empty(work, None)
    steps = _steps(options, network, lesson, work)
    trained = replace(lesson.options, steps=steps, save_every=max(_FEWEST, steps // _SAVES))
    course = Course(
        replace(lesson, options=trained),
        Training(asdict(trained), [_entry(made)], _sources(made, dataset)),
        folder, steps, trained.save_every,
    )  # fmt: skip
    resumed = init_from.resumed(course, None, accelerator, restart=False, on_progress=on_progress)
    start = checkpoint.of(network, 0, course.training)
    before = lesson.validation(network)
    stopped = False

    def tell(progress: Progress) -> None:
        on_progress(progress)
        if on_step:
            on_step(Step(**vars(progress), style=lambda: _so_far(made, network.state_dict())))

    try:
        learnt = loop.learn(network, course, resumed, accelerator, on_progress=tell, cancel=cancel)
    except Cancelled:
        learnt, stopped = checkpoints.latest(work, course.training).checkpoint or start, True
    after = lesson.validation(learnt.built().to(accelerator.device))
    loop.end(accelerator)
    if not learnt.step or (before is not None and after is not None and after > before):
        return Polished(made, start, before, before, stopped)
    training = replace(record(learnt, work, None, dataset), start=_START)
    return Polished(_style(made, learnt, training), learnt, before, after, stopped)


def require_place(folder: Path, *, overwrite: bool) -> None:
    """Raises: OutputError: a style is there, and no polish that was stopped."""
    if overwrite or not (folder / CARD).exists():
        return
    latest = checkpoints.paths(folder / WORK)
    there = checkpoint_file.read(latest[-1]) if latest else None
    if there is None or there.step >= int(str(there.training.options["steps"])):
        raise OutputError(f"{folder} is a style already", hint="--overwrite replaces it")


def save(
    polished: Polished, folder: Path, artwork: Artwork | None = None, *, overwrite: bool = False
) -> Path:
    """Write the style, and its network to learn on from.

    Raises:
        OutputError: as :func:`require_place`.
    """
    require_place(folder, overwrite=overwrite)
    data = checkpoint_file.encode(polished.checkpoint)
    return polished.style.save(folder, artwork=artwork, overwrite=True, learnable=data)


def _photographs(options: PolishOptions, more: Sequence[Path]) -> Photos:
    own = paths.pictures(options.photos).paths if options.photos else []
    return Photos(
        assets.PHOTOGRAPHS,
        more=[*own, *more],
        batch=_OPTIONS.batch,
        crop=_OPTIONS.crop,
        seed=_OPTIONS.seed,
        held_out=_OPTIONS.held_out,
    )


def _begun(made: Style) -> TransformNetwork:
    """The network that the hypernetwork made."""
    network = networks.build(NetworkOptions())
    weights = painted.weights(made)
    network.load_state_dict(
        {name: torch.from_numpy(np.array(weights[name])) for name in network.state_dict()}
    )
    return network


def _lesson(
    painting: PictureSource, made: Style, dataset: Photos, device: torch.device
) -> PaintingLesson:
    prediction = made.card.prediction
    boldness = prediction.boldness if prediction else 1.0
    loss = replace(_LOSS, style_weight=_LOSS.style_weight * boldness)
    options = replace(_OPTIONS, loss=loss, style_crop=made.card.style_crop or "whole")
    picture = painted.seen(painting, options.style_size, options.style_crop)
    objective = Objective(loss)
    objective.network.to(device)
    style = StylePicture(to_tensor(picture.pixels)[None].to(device))
    return PaintingLesson(options, dataset, [objective.towards([style])], 0, device)


def _steps(
    options: PolishOptions, network: TransformNetwork, lesson: PaintingLesson, work: Path
) -> int:
    """How many steps there are; where a training goes on, as many as it has."""
    if paths_there := checkpoints.paths(work):
        return int(str(checkpoint_file.read(paths_there[-1]).training.options["steps"]))
    steps, seconds = options.amount()
    if steps:
        return steps
    began = time.monotonic()
    for number in range(2):  # the first one is slower than all others
        started = time.monotonic()
        lesson.losses(network, lesson.fetch(number)).total.backward()  # type: ignore[no-untyped-call]
        step = time.monotonic() - started
    network.zero_grad()
    return max(_FEWEST, int((seconds - (time.monotonic() - began)) / step))


def _entry(made: Style) -> Entry:
    """What the card says of it, as a training keeps it."""
    return Entry(**{each.name: getattr(made.card, each.name) for each in fields(Entry)})


def _sources(made: Style, dataset: Photos) -> dict[str, str]:
    prediction = made.card.prediction
    began = f"{prediction.hypernetwork} ({prediction.sha256[:12]})" if prediction else "none"
    return {"start": began, "photographs": dataset.digest(), "processes": "1"}


def _style(made: Style, learnt: Checkpoint, training: TrainingRecord) -> Style:
    """The learnt network as a style that is in no folder."""
    style = _so_far(made, learnt.built().state_dict())
    card = replace(style.card, training=training, style_size=training.style_size)
    return replace(style, card=card)


def _so_far(made: Style, state: Mapping[str, torch.Tensor]) -> Style:
    """The style of a network that is still learning."""
    state = {name: each.detach().cpu() for name, each in state.items()}
    weights = {name: np.asarray(each) for name, each in (state | exported(state)).items()}
    network = filled(painted.template(made), weights).encoded()
    card = replace(made.card, model=made.card.model.holding(network))
    return replace(made, card=card, network=network)

"""The start of a training: nothing, another network, or a checkpoint of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from impasto import catalog
from impasto.catalog import Entry, Style, TrainingRecord, hypernetwork, painted
from impasto.catalog.card import Teacher
from impasto.catalog.writing import beside
from impasto.errors import OptionError, OutputError, StyleError, TrainingError
from impasto.files import checksums, kept_steps
from impasto.files.kept_steps import WORK
from impasto.options import NetworkOptions, StyleOptions, TrainOptions
from impasto.progress import OnProgress, Progress
from impasto.studio import networks
from impasto.studio.networks import TransformNetwork
from impasto.studio.training import checkpoint_file, checkpoints, together
from impasto.studio.training.checkpoint import Checkpoint, Training
from impasto.studio.training.checkpoints import Latest
from impasto.studio.training.dataset import Photos
from impasto.untrusted import whole

if TYPE_CHECKING:
    from accelerate import Accelerator

    from impasto.studio.training.loop import Batch, Course, Network
    from impasto.studio.training.paintings import Painting

_ORIGIN = "start.safetensors"
"""File in the training's folder: the checkpoint from which the training was begun anew."""


ANY = "any"
"""Stands for what the hypernetwork makes of the paintings."""
GOOD = ANY, "starry-night"
BEST, NOTHING = "best", "none"
"""Two words: for the one of :data:`GOOD` that paints a painting better, and for no start."""
WORDS = ANY, BEST, NOTHING
"""Words that may stand in place of a style."""


def predicted(paintings: Sequence[Painting], crop: str) -> Checkpoint:
    """Return what the hypernetwork makes of paintings, as a training of no steps.

    For several paintings it is the mean.

    Raises:
        PictureError: there is no style in one of them.
        StyleError: the hypernetwork is missing or damaged.
    """
    made = [
        painted.style_of(each.path, StyleOptions(style_crop=each.style_crop or crop))
        for each in paintings
    ]
    embeddings = [each.card.prediction.embedding for each in made if each.card.prediction]
    weights = hypernetwork.bundled().weights(np.mean(embeddings, 0).tolist())
    options = TrainOptions()
    tensors = {
        f"network.{name}": torch.from_numpy(np.array(weights[name]))
        for name in networks.build(options.network).state_dict()
    }
    return Checkpoint(0, tensors, Training(asdict(options), [paintings[0].entry()]), strength=False)


def is_good(options: TrainOptions, styles: int) -> bool:
    """Say whether a training can start from the networks of :data:`GOOD`."""
    plain = options.network == NetworkOptions() and not options.learn_strength
    return plain and options.tune == "all" and styles == 1


def trunk(
    start: str | Path | None, origin: Path | None, wanted: Sequence[Painting], crop: str
) -> Checkpoint | None:
    """Return the network to learn on from; ``origin`` is its file, which :func:`find` found."""
    if start == ANY:
        return predicted(wanted, crop)
    return checkpoint_file.read(origin) if origin else None


def find(start: str | Path | None, work: Path, restart: bool) -> Path | None:
    """Find the file to learn on from.

    A training may be begun anew from its own checkpoint. Then that file is moved, or another has
    its name now. So a copy was kept.
    """
    if start in (None, ANY):
        return None
    return kept(Path(start), work, restart) or checkpoints.find(start)


def kept(start: Path, work: Path, restart: bool) -> Path | None:
    """Return the kept copy of a start from a training's own checkpoints; None for other starts."""
    there = work / _ORIGIN
    own = _same(start.parent, work)
    return there if own and there.is_file() and not (restart and start.is_file()) else None


def name(start: str | Path | None) -> str | None:
    """Return the style that the training started from, for the card."""
    if start is None:
        return None
    path = Path(start).absolute()
    own = path.parent.name == WORK and path.is_file()
    return whole(path.parents[1].name if own else path.stem)


def taught_by(origin: Path | None, styles: Sequence[Entry]) -> Teacher | None:
    """Return the style that the start was distilled from, if its painting is the only one learnt.

    So a twin stays the twin of its style while it learns on. A start whose card is missing or
    damaged has no such style.
    """
    if origin is None or len(styles) != 1:
        return None
    cards: tuple[Style, ...] = ()
    with suppress(StyleError):
        cards = catalog.read(origin.parent)
    painting = styles[0].painting_sha256
    same = (
        each.card.distilled
        for each in cards
        if beside(each.card.model.file) == origin.name and each.card.painting_sha256 == painting
    )
    return next(same, None)


def began(start: str | Path | None, origin: Path | None) -> str:
    """Return the start of a network as a text, which differs for another start."""
    if start == ANY:
        return f"{ANY} ({hypernetwork.bundled().card.model.sha256[:12]})"
    return "none" if origin is None else f"{name(start)} ({checksums.sha256(origin)[:12]})"


def sources(began: str, dataset: Photos, processes: int) -> dict[str, str]:
    """Return the sources of a training as texts, which differ for other photographs."""
    return {"start": began, "photographs": dataset.digest(), "processes": str(processes)}


def resumed(
    course: Course[Batch, Network],
    origin: Path | None,
    accelerator: Accelerator,
    *,
    restart: bool,
    on_progress: OnProgress,
    owned: Sequence[Path] = (),
) -> Checkpoint | None:
    """Return where a stopped training, or one that shall take more steps, goes on.

    None means that it begins; with ``restart``, anew. ``on_progress`` hears of damaged checkpoints.
    In the folders that are ``owned``, nothing may be replaced.

    Raises:
        OutputError: there is a style in the folder that nobody has asked to replace.
        TrainingError: the stopped one was another training, or has taken more steps. Or another
            process learns there. Or another machine has other photographs, or another start.
    """
    together.require_same(accelerator, course.training.sources)  # all have read the files by now

    def find() -> Latest:
        if restart:
            empty(course.work, origin)
        latest = checkpoints.latest(course.work, course.training)
        if not (latest.checkpoint or restart):
            _require_no_style(owned)
        return latest

    latest = together.of_first(accelerator, find)
    step = latest.checkpoint.step if latest.checkpoint else 0
    for note in latest.skipped:
        on_progress(Progress(step, course.steps, note=f"{note}; {_going_on(step)}"))
    if step > course.steps:
        raise TrainingError(
            f"the training has taken {step} steps already, more than {course.steps}",
            hint="use more --steps to go on, or --restart to begin anew",
        )
    return latest.checkpoint


def _going_on(step: int) -> str:
    return f"learning goes on from step {step}" if step else "learning begins anew"


def _require_no_style(folders: Sequence[Path]) -> None:
    for folder in folders:
        if (folder / catalog.CARD).exists():
            raise OutputError(
                f"{folder} is a style already", hint="--restart replaces it, -o names another"
            )


def empty(work: Path, origin: Path | None) -> None:
    """Drop what a training left, but keep the checkpoint that it starts from, if it is there.

    Raises:
        TrainingError: another process learns there.
    """
    own = origin if origin and _same(origin.parent, work) else None
    stays = {kept_steps.LOCK, *([own.name] if own else [])}
    with kept_steps.alone(work):
        for old in work.glob("*"):
            if old.is_file() and old.name not in stays:
                old.unlink()
        if own:
            own.replace(work / _ORIGIN)


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def with_trunk(options: TrainOptions, trunk: Checkpoint | None) -> tuple[TrainOptions, list[Entry]]:
    """Return the options that the trunk allows, and the styles that stay in it."""
    kept: list[Entry] = []
    if options.tune == "norms":
        if trunk is None:
            raise OptionError("--tune norms needs a network to tune", hint="add --start STYLE")
        if options.learn_strength and not trunk.strength:
            raise OptionError(
                "the network of --start has not learnt strengths",
                hint="leave out --learn-strength, or --tune norms",
            )
        options = replace(options, network=trunk.network, learn_strength=trunk.strength)
        kept = _with_own(trunk.styles, TrainingRecord.of(trunk.training.options))
    elif trunk:
        trunk.require_network(options.network)
    if options.precompute and options.learn_strength:
        raise OptionError(
            "content features are not kept for networks that learn strengths",
            hint="leave out --precompute",
        )
    return options, kept


def _with_own(styles: Sequence[Entry], training: TrainingRecord) -> list[Entry]:
    """Give styles their own options, from a training that had these for all."""
    weight = training.loss.style_weight if training.loss else None
    return [
        replace(
            style,
            style_size=style.style_size or training.style_size,
            style_crop=style.style_crop or training.style_crop,
            style_weight=weight if style.style_weight is None else style.style_weight,
        )
        for style in styles
    ]


def begun(options: TrainOptions, styles: int, trunk: Checkpoint | None) -> TransformNetwork:
    """Build the network as it begins, with the weights of the trunk, if there is one.

    Raises:
        OptionError, TrainingError: as :func:`built`, or a trunk of another shape.
    """
    network = built(options, styles)
    if trunk:
        trunk.begin(network)
    return network


def built(options: TrainOptions, styles: int) -> TransformNetwork:
    """Build the network as it begins from nothing: always the same for one seed.

    Raises:
        OptionError: crops that its stride does not divide, or what its design does not have.
    """
    torch.manual_seed(options.seed)
    network = networks.build(options.network, styles, strength=options.learn_strength)
    over = -options.crop % network.stride
    if over:
        raise OptionError(
            f"this network cannot paint crops of {options.crop} pixels",
            hint=f"use a multiple of {network.stride}, such as --crop {options.crop + over}",
        )
    return network

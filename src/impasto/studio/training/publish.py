"""Writes what was learnt as a style folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from impasto.catalog import TrainingRecord
from impasto.catalog.card import Teacher
from impasto.distribution import VERSION
from impasto.studio.export.publish import write_style
from impasto.studio.training import checkpoint_file, init_from
from impasto.studio.training.checkpoint import Checkpoint
from impasto.studio.training.dataset import Photos
from impasto.studio.training.log import Log

_NAMED = 1000
"""Most left-out files whose names the card has."""


def publish(
    learnt: Checkpoint, folder: Path, training: TrainingRecord, distilled: Teacher | None = None
) -> Path:
    """Write the style: its network to learn on from, the exported one, and the card.

    Raises:
        TrainingError: the exported network does not paint what the trained one paints.
    """
    network = learnt.built()
    learnable = checkpoint_file.encode(learnt)
    return write_style(folder, network, learnt.styles, training, distilled, learnable)


def record(
    learnt: Checkpoint, work: Path, start: str | Path | None, dataset: Photos
) -> TrainingRecord:
    """Describe, for the card, a training that kept its losses in ``work``."""
    summary = Log(work / "losses.jsonl", learnt.step, here=False).summary()
    return replace(
        TrainingRecord.of(learnt.training.options),
        source={},
        start=init_from.name(start),
        photographs=len(dataset),
        skipped=tuple(sorted(path.name for path in dataset.skipped)[:_NAMED]),
        losses=summary.losses,
        seconds=summary.seconds,
        validation=summary.validation,
        seconds_per_step=summary.seconds_per_step,
        versions={"impasto": VERSION, "torch": str(torch.__version__)},
    )

"""What has been learnt, as a style folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from impasto import atomic
from impasto.distribution import VERSION
from impasto.studio.export.publish import write_style
from impasto.studio.training import checkpoint, init_from
from impasto.studio.training.checkpoint import Checkpoint
from impasto.studio.training.dataset import Photos
from impasto.studio.training.log import Log
from impasto.studio.training.loop import Course


def publish(learnt: Checkpoint, folder: Path, details: Mapping[str, Any]) -> Path:
    """Write the style: its network to learn on from, the exported one, and the card.

    Raises:
        TrainingError: the exported network does not paint what the trained one paints.
    """
    network = learnt.built()
    atomic.write(folder / checkpoint.NETWORK, learnt.encoded(), overwrite=True)
    return write_style(folder, network, learnt.styles, details)


def record(
    learnt: Checkpoint, course: Course[Any], start: str | Path | None, dataset: Photos
) -> dict[str, Any]:
    """What the card says of a training."""
    return {
        **learnt.training.options,
        "start": init_from.name(start),
        "photographs": len(dataset),
        "skipped": sorted(path.name for path in dataset.skipped),
        **Log(course.work / "losses.jsonl", learnt.step, here=False).summary(),
        "versions": {"impasto": VERSION, "torch": str(torch.__version__)},
    }

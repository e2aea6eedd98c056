"""A folder of photographs as training batches.

The seed and the number of a crop decide the whole crop. So a training that goes on after an
interruption sees exactly the photographs that it would have seen. Two processes see those that one
would with twice the batch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from impasto.errors import TrainingError
from impasto.files import paths
from impasto.images.photographs import Photographs
from impasto.images.sampling import require_folder
from impasto.inference import devices
from impasto.options import DistillOptions, TrainOptions
from impasto.progress import OnProgress, Progress
from impasto.studio.tensors import to_tensor


class Photos(Photographs):
    """The readable photographs of a folder, as tensors.

    ``batch(number)`` gives ``(N, 3, crop, crop)`` sRGB, 0..1: random crops, zoomed and mirrored.
    ``held_out`` photographs, a tenth at most, are in no batch; :meth:`validation` gives their
    middles. Files in the folder ``without`` do not count. Photographs are decoded once, as far as
    ``room`` bytes hold them.

    Raises:
        TrainingError: it is no folder, there is no photograph in it, or more than half turn out
            unreadable.
    """

    def __init__(
        self,
        folder: Path,
        *,
        batch: int,
        crop: int,
        seed: int,
        held_out: int = 0,
        without: Path | None = None,
        paper: float = 0,
        room: int = 0,
    ) -> None:
        require_folder(folder)
        survey = pictures(folder, without)
        super().__init__(
            survey.paths, crop=crop, seed=seed, held_out=held_out, paper=paper, room=room
        )
        self._left_out, self._batch = survey.left_out, batch
        if len(self) < batch:
            raise TrainingError(
                f"{folder} has {len(self)} photographs; one step needs {batch}",
                hint="give a folder with a few hundred photographs or more",
            )

    @classmethod
    def of(cls, folder: str | Path, options: TrainOptions | DistillOptions, without: Path) -> Self:
        """Open the photographs of a training with these options."""
        learns = options if isinstance(options, TrainOptions) else None
        return cls(
            Path(folder),
            batch=options.batch,
            crop=options.crop,
            seed=options.seed,
            held_out=options.held_out,
            without=without,
            paper=learns.paper if learns else 0,
            room=0 if learns and learns.precompute else _room(),  # precomputed crops come once
        )

    def tell(self, on_progress: OnProgress, steps: int) -> None:
        """Report what was left out of the folder, and why."""
        tell(self._left_out, on_progress, steps)

    def validation(self) -> Tensor:
        """Return the middles of the photographs that no batch has: ``(N, 3, crop, crop)``."""
        middles = [to_tensor(each) for each in self.middles()]
        return torch.stack(middles) if middles else torch.empty(0, 3, self.side, self.side)

    def batch(self, number: int) -> Tensor:
        first = number * self._batch
        return torch.stack([to_tensor(self.crop(first + n)) for n in range(self._batch)])


def _room() -> int:
    """Return the bytes for decoded photographs: this process's share of a quarter of the memory."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun and accelerate set it
    return (devices.memory() or 0) // 4 // processes


def pictures(folder: Path, without: Path | None = None) -> paths.Survey:
    """Find the pictures in a folder, except those in the folder ``without``."""
    survey = paths.pictures(folder)
    if without is None:
        return survey
    apart_from = _real(without)
    files = [each for each in survey.files if apart_from not in _real(each.path).parents]
    return replace(survey, files=files)


def tell(left_out: Sequence[Path], on_progress: OnProgress, steps: int) -> None:
    """Report what was left out of a folder, and why."""
    for line in paths.left_out_in_words(left_out):
        on_progress(Progress(0, steps, note=line))


def _real(path: Path) -> Path:
    """Return where the file lies; a link that leads to itself stays what it is."""
    return Path(os.path.realpath(path))

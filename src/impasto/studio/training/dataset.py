"""A folder of photographs as training batches.

The seed and the number of a crop decide the whole crop. So a training that goes on after an
interruption sees exactly the photographs that it would have seen. Two processes see those that one
would with twice the batch.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from impasto.errors import TrainingError
from impasto.files import lookup
from impasto.images.photographs import Photographs, Square
from impasto.images.sampling import require_folder
from impasto.inference import devices
from impasto.options import DistillOptions, TrainOptions
from impasto.progress import OnProgress, Progress
from impasto.studio.tensors import cut

if TYPE_CHECKING:
    from PIL.Image import Image

_PROCESSOR = torch.device("cpu")
_CUTTING = {"cuda"}
"""Kinds of devices that photographs are kept on, and cut on; for others the processor does it."""


class Photos(Photographs[Tensor]):
    """The readable photographs of a folder, as bytes on a device.

    ``batch(number)`` gives ``(N, 3, crop, crop)`` sRGB, 0..1: random crops, zoomed and mirrored
    where the photographs are. ``held_out`` photographs, a tenth at most, are in no batch;
    :meth:`validation` gives their middles. Files in the folder ``without`` do not count.
    Photographs are decoded once, as far as ``room`` bytes hold them.

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
        device: torch.device = _PROCESSOR,
    ) -> None:
        require_folder(folder)
        survey = pictures(folder, without)
        super().__init__(
            survey.paths, crop=crop, seed=seed, held_out=held_out, paper=paper, room=room
        )
        self._left_out, self._batch, self._device = survey.left_out, batch, device
        if len(self) < batch:
            raise TrainingError(
                f"{folder} has {len(self)} photographs; one step needs {batch}",
                hint="give a folder with a few hundred photographs or more",
            )

    @classmethod
    def of(
        cls,
        folder: str | Path,
        options: TrainOptions | DistillOptions,
        without: Path,
        device: torch.device = _PROCESSOR,
    ) -> Self:
        """Open the photographs of a training with these options, on a device that cuts crops."""
        learns = options if isinstance(options, TrainOptions) else None
        device = device if device.type in _CUTTING else _PROCESSOR
        return cls(
            Path(folder),
            batch=options.batch,
            crop=options.crop,
            seed=options.seed,
            held_out=options.held_out,
            without=without,
            paper=learns.paper if learns else 0,
            room=0 if learns and learns.precompute else _room(device),  # those crops come once
            device=device,
        )

    def tell(self, on_progress: OnProgress, steps: int) -> None:
        """Report what was left out of the folder, and why."""
        tell(self._left_out, on_progress, steps)

    def validation(self) -> Tensor:
        """Return the middles of the photographs that no batch has: ``(N, 3, crop, crop)``."""
        middles = [self._cut(each, math.inf, 0.5, 0.5) for each in self.apart()]
        return torch.stack(middles) if middles else torch.empty(0, 3, self.side, self.side)

    def batch(self, number: int) -> Tensor:
        first = number * self._batch
        return torch.stack([self._crop(first + n) for n in range(self._batch)])

    def _decoded(self, image: Image) -> Tensor:
        pixels = np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
        return torch.from_numpy(pixels).to(self._device)

    def _crop(self, number: int) -> Tensor:
        photograph, drawn = self.drawn(number)
        most = self.side / drawn.zoom
        crop = self._cut(photograph, most, drawn.left, drawn.top, mirrored=drawn.mirrored)
        for level, (rows, columns) in self.bars(number):
            crop[:, rows, columns] = level / 255
        return crop

    def _cut(
        self, photograph: Tensor, most: float, left: float, top: float, *, mirrored: bool = False
    ) -> Tensor:
        """Cut a square of up to ``most`` pixels, from left and top (0) to right and bottom (1)."""
        height, width = photograph.shape[1:]
        place = Square.of((width, height), most, left, top)
        side = max(1, round(place.side))
        corner = min(round(place.left), width - side), min(round(place.top), height - side)
        return cut(photograph, (*corner, side), self.side, mirrored=mirrored)


def _room(device: torch.device) -> int:
    """Return the bytes for decoded photographs: this process's share of a quarter of the memory."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) // 4
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun and accelerate set it
    return (devices.memory() or 0) // 4 // processes


def pictures(folder: Path, without: Path | None = None) -> lookup.Survey:
    """Find the pictures in a folder, except those in the folder ``without``."""
    survey = lookup.pictures(folder)
    if without is None:
        return survey
    apart_from = _real(without)
    files = [each for each in survey.files if apart_from not in _real(each.path).parents]
    return replace(survey, files=files)


def tell(left_out: Sequence[Path], on_progress: OnProgress, steps: int) -> None:
    """Report what was left out of a folder, and why."""
    for line in lookup.left_out_in_words(left_out):
        on_progress(Progress(0, steps, note=line))


def _real(path: Path) -> Path:
    """Return where the file lies; a link that leads to itself stays what it is."""
    return Path(os.path.realpath(path))

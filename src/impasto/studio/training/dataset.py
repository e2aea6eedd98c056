"""A folder of photographs as training batches.

Every crop follows from the seed and its number alone, so that a training that goes on
after an interruption sees exactly the photographs that it would have seen, and two
processes see those that one would with twice the batch.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from impasto import images
from impasto.errors import PictureError, TrainingError
from impasto.files import paths
from impasto.images.sampling import require_folder
from impasto.options import DistillOptions, TrainOptions
from impasto.progress import OnProgress, Progress
from impasto.studio.tensors import to_tensor

Picture = TypeVar("Picture")
_ZOOM = (0.6, 2.0)
"""Range of enlargement of the crops. Photographs come at every size: in a small one a leaf
is a pixel, in a large one it is flat; the network has to paint both."""


class Photos:
    """The readable photographs of a folder.

    ``batch(number)`` gives ``(N, 3, crop, crop)`` sRGB, 0..1: random crops, zoomed and
    mirrored. ``held_out`` photographs, a tenth at most, are in no batch: :meth:`validation`
    gives their middles. A photograph that cannot be read is left out from then on and
    listed in ``skipped``. What lies in the folder ``without`` does not count; ``more`` are files
    that do.

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
        more: Sequence[Path] = (),
    ) -> None:
        require_folder(folder)
        survey = pictures(folder, without)
        self._left_out = survey.left_out
        self._paths, self._apart = parted([*survey.paths, *more], held_out)
        if len(self._paths) < batch:
            raise TrainingError(
                f"{folder} has {len(self._paths)} photographs; one step needs {batch}",
                hint="give a folder with a few hundred photographs or more",
            )
        self._batch, self._crop, self._seed = batch, crop, seed
        self.skipped: dict[Path, str] = {}

    @classmethod
    def of(cls, folder: str | Path, options: TrainOptions | DistillOptions, without: Path) -> Self:
        """The photographs of a training that has these options."""
        return cls(
            Path(folder),
            batch=options.batch,
            crop=options.crop,
            seed=options.seed,
            held_out=options.held_out,
            without=without,
        )

    def tell(self, on_progress: OnProgress, steps: int) -> None:
        """Say what was left out of the folder, and why."""
        tell(self._left_out, on_progress, steps)

    def __len__(self) -> int:
        return len(self._paths)

    def digest(self) -> str:
        """Of the names and sizes of all photographs: another for other ones, wherever they lie."""
        return digest(self._paths, self._apart)

    def validation(self) -> Tensor:
        """``(N, 3, crop, crop)``: the middles of the photographs that no batch has."""
        middles = []
        for path in self._apart:
            try:
                middles.append(to_tensor(self._square(path, math.inf, (0.5, 0.5))))
            except PictureError as error:
                self.skipped[path] = str(error)
        return torch.stack(middles) if middles else torch.empty(0, 3, self._crop, self._crop)

    def batch(self, number: int) -> Tensor:
        first = number * self._batch
        return torch.stack([self._crop_of_any(first + index) for index in range(self._batch)])

    def _crop_of_any(self, index: int) -> Tensor:
        rng = np.random.default_rng([self._seed, index])
        while True:
            path = self._paths[rng.integers(len(self._paths))]
            # Drawn for one that is left out as well: it may have been found out just now.
            chances = rng.random(4)
            if path in self.skipped:
                continue
            try:
                return self._crop_of(path, chances)
            except PictureError as error:
                self.skipped[path] = str(error)
                if len(self.skipped) * 2 > len(self._paths):
                    raise TrainingError(
                        f"more than half of the photographs cannot be read, such as {error}",
                        hint="check the folder",
                    ) from error

    def _crop_of(self, path: Path, chances: np.ndarray) -> Tensor:
        """``chances``: of the zoom, the place from left and from top, and the mirror, 0..1."""
        zoomed, left, top, mirrored = chances
        zoom = _ZOOM[0] * (_ZOOM[1] / _ZOOM[0]) ** zoomed
        crop = self._square(path, self._crop / zoom, (left, top))
        return to_tensor(crop[:, :: -1 if mirrored < 0.5 else 1])

    def _square(self, path: Path, most: float, place: tuple[float, float]) -> np.ndarray:
        """A square of up to ``most`` pixels, from left and top (0) to right and bottom (1)."""
        image = images.read(path).pil().convert("RGB")
        side = min(most, *image.size)
        left, top = (part * (length - side) for part, length in zip(place, image.size, strict=True))
        box = (left, top, left + side, top + side)
        return np.asarray(image.resize((self._crop, self._crop), images.BICUBIC, box=box))


def pictures(folder: Path, without: Path | None = None) -> paths.Survey:
    """The pictures in a folder, but for those in the folder ``without``."""
    survey = paths.pictures(folder)
    if without is None:
        return survey
    apart_from = _real(without)
    files = [each for each in survey.files if apart_from not in _real(each.path).parents]
    return replace(survey, files=files)


def tell(left_out: Sequence[Path], on_progress: OnProgress, steps: int) -> None:
    """Say what was left out of a folder, and why."""
    for line in paths.left_out_in_words(left_out):
        on_progress(Progress(0, steps, note=line))


def parted(pictures: Sequence[Picture], held_out: int) -> tuple[list[Picture], list[Picture]]:
    """Those that are learnt from, and those that are kept apart: a tenth at most, one of so many
    in a row."""
    apart = min(held_out, len(pictures) // 10)
    every = len(pictures) // apart if apart else 1
    numbers = range(every - 1, len(pictures), every)[:apart]
    rest = [each for number, each in enumerate(pictures) if number not in numbers]
    return rest, [pictures[number] for number in numbers]


def digest(*several: Sequence[Path]) -> str:
    """Of the names and sizes of files: another for other ones, wherever they lie."""
    kinds = [[(path.name, _bytes(path)) for path in each] for each in several]
    return hashlib.sha256(json.dumps(kinds).encode()).hexdigest()[:16]


def _real(path: Path) -> Path:
    """Where the file lies; a link that leads to itself stays what it is."""
    return Path(os.path.realpath(path))


def _bytes(path: Path) -> int:
    """Size of the file; 0 where there is none any more."""
    return path.stat().st_size if path.is_file() else 0

"""Pictures that are decoded once, and kept as bytes in one file.

A step of a hypernetwork's training needs dozens of pictures. To decode them would take longer than
to learn from them. So each is decoded once, and its middle square is reduced. A step reads only its
squares from the file, not the whole file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto import images
from impasto.errors import PictureError, TrainingError
from impasto.files import atomic
from impasto.images.photographs import decoded, digest
from impasto.progress import OnProgress, Progress

SIDE = 384
"""Side of a square, in pixels."""
_NAMED = 5
"""Most unreadable files that a note names."""


class Bank:
    """Squares of ``SIDE`` pixels, by number; rows of an array ``(N, SIDE, SIDE, 3)``."""

    def __init__(self, squares: np.ndarray) -> None:
        self._squares = squares

    def __len__(self) -> int:
        return len(self._squares)

    def __call__(self, numbers: Sequence[int]) -> Tensor:
        """Return ``(len(numbers), 3, SIDE, SIDE)`` bytes."""
        some = np.stack([self._squares[number] for number in numbers])
        return torch.from_numpy(some).permute(0, 3, 1, 2)


def of(files: Sequence[Path], work: Path, on_progress: OnProgress) -> Bank:
    """Decode the readable ones of ``files``; find earlier results again in ``work``.

    Raises:
        TrainingError: fewer than half of them can be read.
        OutputError: the disk refuses.
    """
    path = work / f"pictures-{digest(files)}.bytes"
    if not path.is_file() or path.stat().st_size % _ROW:
        on_progress(Progress(0, len(files), note=f"reading {len(files):,} pictures, once"))
        _write(path, files, on_progress)
    return Bank(np.memmap(path, np.uint8, "r").reshape(-1, SIDE, SIDE, 3))


_ROW = SIDE * SIDE * 3


def _write(path: Path, files: Sequence[Path], on_progress: OnProgress) -> None:
    bad: list[PictureError] = []
    with tempfile.TemporaryFile(dir=_made(path.parent)) as file, ThreadPoolExecutor() as pool:
        for made in pool.map(_square, files):
            if isinstance(made, PictureError):
                bad.append(made)
            else:
                file.write(made)
        if len(bad) * 2 > len(files):
            raise TrainingError(
                f"more than half of the pictures cannot be read, such as {bad[0]}",
                hint="check the folders",
            )
        file.seek(0)
        atomic.write(path, file, overwrite=True)
    for error in bad[:_NAMED]:
        on_progress(Progress(0, len(files), note=f"left out: {error}"))
    if len(bad) > _NAMED:
        on_progress(Progress(0, len(files), note=f"and {len(bad) - _NAMED} more"))


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic.refused(folder, error) from error
    return folder


def _square(path: Path) -> bytes | PictureError:
    """Return the middle of a picture, or why there is none."""
    try:
        image = decoded(path)
    except PictureError as error:
        return error
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    box = (left, top, left + side, top + side)
    return image.resize((SIDE, SIDE), images.BICUBIC, box=box).tobytes()

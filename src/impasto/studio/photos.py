"""A folder of photographs as training batches.

Every batch follows from the seed and the step alone, so that a training that goes on
after an interruption sees exactly the photographs that it would have seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto import codecs, files
from impasto.errors import PictureError, TrainingError

_ZOOM = (0.6, 2.0)
"""Range of enlargement of the crops. Photographs come at every size: in a small one a leaf
is a pixel, in a large one it is flat; the network has to paint both."""


class Photos:
    """The readable photographs of a folder.

    ``batch(step)`` gives ``(N, 3, crop, crop)`` sRGB, 0..1: random crops, zoomed and
    mirrored. A photograph that cannot be read is left out from then on and listed in
    ``skipped``.

    Raises:
        TrainingError: there is no photograph, or more than half turn out unreadable.
    """

    def __init__(self, folder: Path, *, batch: int, crop: int, seed: int) -> None:
        self._paths = [found.path for found in files.find([folder])]
        if len(self._paths) < batch:
            raise TrainingError(
                f"{folder} has {len(self._paths)} photographs; one step needs {batch}",
                hint="give a folder with a few hundred photographs or more",
            )
        self._batch, self._crop, self._seed = batch, crop, seed
        self.skipped: dict[Path, str] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def batch(self, step: int) -> Tensor:
        rng = np.random.default_rng([self._seed, step])
        return torch.stack([self._crop_of_any(rng) for _ in range(self._batch)])

    def _crop_of_any(self, rng: np.random.Generator) -> Tensor:
        while True:
            path = self._paths[rng.integers(len(self._paths))]
            if path in self.skipped:
                continue
            try:
                return self._crop_of(path, rng)
            except PictureError as error:
                self.skipped[path] = str(error)
                if len(self.skipped) * 2 > len(self._paths):
                    raise TrainingError(
                        f"more than half of the photographs cannot be read, such as {error}",
                        hint="check the folder",
                    ) from error

    def _crop_of(self, path: Path, rng: np.random.Generator) -> Tensor:
        image = codecs.read(path).pil().convert("RGB")
        zoom = _ZOOM[0] * (_ZOOM[1] / _ZOOM[0]) ** rng.random()
        side = min(self._crop / zoom, *image.size)
        left, top = (rng.random() * (length - side) for length in image.size)
        crop = image.resize(
            (self._crop, self._crop), codecs.BICUBIC, box=(left, top, left + side, top + side)
        )
        return to_tensor(np.asarray(crop)[:, :: -1 if rng.random() < 0.5 else 1])


def to_tensor(pixels: np.ndarray) -> Tensor:
    """``(H, W, 3)`` bytes to ``(3, H, W)`` floats, 0..1."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float() / 255


def to_pixels(picture: Tensor) -> np.ndarray:
    """``(3, H, W)`` floats, 0..1, to ``(H, W, 3)`` bytes."""
    scaled = picture.detach().clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
    return np.asarray(scaled.permute(1, 2, 0).contiguous())

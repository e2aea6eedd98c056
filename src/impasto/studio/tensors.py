"""Converts pixels to tensors and back; adds the grain that training and painting share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from impasto.images.grain import grain


def grained(photographs: Tensor, deviation: float, seed: int, first: int) -> Tensor:
    """Add grain of this deviation, in levels, to ``(N, 3, H, W)``, 0..1.

    It is as :func:`impasto.images.grain.grained` adds to a photograph. Each photograph has its own,
    which follows from ``seed`` and its number, from ``first`` on.
    """
    if not deviation:
        return photographs
    count, _, height, width = photographs.shape
    chances = [np.random.default_rng([seed, first + number, 2]) for number in range(count)]
    levels = np.stack([grain(each, height, width, deviation) for each in chances])[:, None]
    change = torch.from_numpy(levels).to(photographs.device) / 255
    return (photographs + change).clamp(0, 1)


def grid(rows: Iterable[Tensor]) -> Tensor:
    """Lay pictures out as one, ``(3, H, W)``: each row is ``(N, 3, height, width)``."""
    return torch.cat([torch.cat(list(row), 2) for row in rows], 1)


def to_tensor(pixels: np.ndarray) -> Tensor:
    """Convert ``(H, W, 3)`` bytes to ``(3, H, W)`` floats, 0..1."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float() / 255


def to_pixels(picture: Tensor) -> np.ndarray:
    """Convert ``(3, H, W)`` floats, 0..1, to ``(H, W, 3)`` bytes."""
    scaled = picture.detach().clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
    return np.asarray(scaled.permute(1, 2, 0).contiguous())

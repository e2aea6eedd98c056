"""Converts pixels to tensors and back; adds the grain that training and painting share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.images.grain import levels


def grained(photographs: Tensor, deviation: float, seed: int, first: int) -> Tensor:
    """Add grain of this deviation, in levels, to ``(N, 3, H, W)``, 0..1.

    It is as :func:`impasto.images.grain.grained` adds to a photograph. Each photograph has its own,
    which follows from ``seed``, its number, from ``first`` on, and the kind of device.
    """
    if not deviation:
        return photographs
    device, (height, width) = photographs.device, photographs.shape[2:]
    possible = torch.from_numpy(levels(deviation)).to(device) / 255
    drawn = []
    for number in range(first, first + len(photographs)):
        own = np.random.SeedSequence([seed, number, 2]).generate_state(1, np.uint64)
        chance = torch.Generator(device).manual_seed(int(own[0] >> 1))
        drawn.append(torch.randint(256, (1, height, width), generator=chance, device=device))
    return (photographs + possible[torch.stack(drawn)]).clamp(0, 1)


def cut(picture: Tensor, place: tuple[int, int, int], side: int, *, mirrored: bool) -> Tensor:
    """Cut a square out of ``(3, H, W)`` bytes: ``(3, side, side)``, 0..1.

    ``place`` is its left, its top and its side in pixels.
    """
    left, top, length = place
    square = picture[None, :, top : top + length, left : left + length].float() / 255
    square = F.interpolate(square, (side, side), mode="bicubic", antialias=True)[0].clamp(0, 1)
    return square.flip(2) if mirrored else square


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

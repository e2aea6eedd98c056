"""The plan of a benchmark, its rows, and the photograph that it paints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from impasto import images
from impasto.assets import demo_photo

if TYPE_CHECKING:
    from numpy.typing import NDArray

RUNTIMES = {"cpu": "onnxruntime", "openvino": "OpenVINO"}
"""Runtimes on a processor, by the device that stands for each."""
EIGHT_BITS = " in 8 bits"
"""The end of the names of networks in 8 bits."""
HD, FULL_HD, TWELVE_MEGAPIXELS = (720, 1280), (1080, 1920), (3000, 4000)


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    sizes: tuple[images.Size, ...] = (HD, FULL_HD)
    repeats: int = 5
    processes: int = 3
    starts: int = 15
    full: bool = False
    quick: bool = False
    photo: str | None = None
    painting: str | None = None
    rivals: str | None = None
    paintings: str | None = None
    photos: str | None = None
    squeezenet: str | None = None
    keep: str | None = None
    count: int | None = None
    steps: int = 0


QUICK = Plan(sizes=(FULL_HD,), repeats=2, processes=1, starts=5, quick=True)


@dataclass(frozen=True)
class Row:
    """One line of the table. The bar is for the ratio or, where there is none, for ours."""

    name: str
    unit: str
    ours: float
    theirs: float | None = None
    ratio: float | None = None
    bar: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Say whether the bar is met; None where there is none."""
        if self.bar is None:
            return None
        value = self.ours if self.ratio is None else self.ratio
        return value >= self.bar if self.at_least else value <= self.bar


def said(size: images.Size) -> str:
    """Write a size as people say it."""
    return f"{size[1]}x{size[0]}"


def whole(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop to a height and width divisible by 8, as the networks want them."""
    height, width = (side // 8 * 8 for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[:height, :width])


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    """Return the demo photograph enlarged, with some noise: a codec should not find it too easy."""
    large = images.read(demo_photo()).pil().resize((width, height), images.BICUBIC)
    noise = np.random.default_rng(0).standard_normal((height, width, 3), np.float32)
    return (np.asarray(large) + 5 * noise).clip(0, 255).astype(np.uint8)

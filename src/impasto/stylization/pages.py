"""Frames of films that are pages: black bars around them, or white paper.

They are painted with a photograph's statistics, as far as they are pages. By their own, which are
those of their paper, a network would paint them in the mean tone of its artwork
(:mod:`impasto.images.paper`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from impasto import assets, images
from impasto.images import paper

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.raster import Size
    from impasto.inference.banded import Arrays
    from impasto.inference.onnx_proto import Array
    from impasto.stylization.scales import Scales

    Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pages:
    """Paints frames, whether they are pages or not."""

    scales: Scales

    def paint(
        self, pixels: Pixels, statistics: Arrays, *, measured: bool
    ) -> tuple[Pixels, dict[str, Array]]:
        """See :meth:`impasto.stylization.scales.Scales.paint`."""
        given = mixed(statistics, self._typical, amount) if (amount := paper.amount(pixels)) else {}
        return self.scales.paint(pixels, given or statistics, measured=measured)

    def bytes(self, size: Size) -> float:
        return self.scales.bytes(size)

    @cached_property
    def _typical(self) -> dict[str, Array]:
        return self.scales.statistics(typical())


def mixed(own: Arrays, other: Arrays, share: float) -> dict[str, Array]:
    """Statistics between two: those of the ``other`` where one has none."""
    return {
        name: own[name] + np.float32(share) * (values - own[name]) if name in own else values
        for name, values in other.items()
    }


@lru_cache(maxsize=1)
def typical() -> Pixels:
    """A photograph as most are."""
    return images.read(assets.demo_photo()).pixels

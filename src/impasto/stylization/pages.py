"""Frames of films that are pages: black bars around them, or white paper.

As far as they are pages, they are painted with a photograph's statistics. Their own statistics are
those of their paper. With these, a network would paint them in the mean tone of its artwork
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
    """Mix two sets of statistics; where one has none, those of the ``other`` count."""
    return {
        name: own[name] + np.float32(share) * (values - own[name]) if name in own else values
        for name, values in other.items()
    }


@lru_cache(maxsize=1)
def typical() -> Pixels:
    """Return a typical photograph."""
    return images.read(assets.demo_photo()).pixels

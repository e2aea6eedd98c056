"""The learning rate over a training."""

from __future__ import annotations

import math

WARM_UP = 0.05
"""Part of a training in which the rate rises."""


def schedule(step: int, steps: int) -> float:
    """Return the factor of the learning rate: a short rise, then half a cosine down to zero."""
    part = (step + 1) / steps
    if part < WARM_UP:
        return part / WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (part - WARM_UP) / (1 - WARM_UP))

"""The weights of a network as an exported one has them.

It does on arrays what :mod:`impasto.studio.export.folding` does on tensors. The changes of range
and the last enlargement go into the first and the last convolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from impasto.catalog.hypernetwork import EXPORTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.catalog.hypernetwork import Weights

_MIX = np.array(
    [
        [[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.0, 0.75, 0.25]],
        [[0.25, 0.75, 0.0], [0.0, 0.75, 0.25], [0.0, 0.25, 0.75]],
    ]
)
"""How much each sub-pixel and each tap of a kernel sees of three low-resolution pixels."""


INPUT = 2 / 255
"""The network sees 0..255 times this, minus 1."""
OUTPUT, ROUNDED = 127.5, 127.5 + 0.5
"""Its output, times the first plus the second, is 0..255, and is then cut off."""


def with_exported(weights: Weights) -> dict[str, NDArray[np.float32]]:
    """Add those weights that have another value in an exported network."""
    stem, stem_bias = weights["stem.weight"], weights["stem.bias"]
    out, out_bias = weights["out.conv.weight"], weights["out.conv.bias"]
    exported = {
        "stem.weight": stem * INPUT,
        "stem.bias": stem_bias - stem.sum((1, 2, 3)),
        "out.weight": _enlarging(out * OUTPUT),
        "out.bias": np.tile(out_bias * OUTPUT + ROUNDED, 4),
    }
    changed = {f"{EXPORTED}{name}": each.astype(np.float32) for name, each in exported.items()}
    return {**weights, **changed}


def taps() -> NDArray[np.float64]:
    """Return how taps after an enlargement are made of taps before it: ``(9, 4 * 9)``.

    It holds for each of nine taps and each of four sub-pixels.
    """
    return np.einsum("ayp,bxq->yxabpq", _MIX, _MIX).reshape(9, 4 * 9)


def _enlarging(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """Move a kernel after an enlargement, ``(O, C, 3, 3)``, before it: ``(4 O, C, 3, 3)``."""
    outputs, inputs = weight.shape[:2]
    kernels = (weight.reshape(outputs, inputs, 9) @ taps()).reshape(outputs, inputs, 4, 9)
    return kernels.transpose(2, 0, 1, 3).reshape(4 * outputs, inputs, 3, 3)

"""The weights of a network as an exported one has them.

What :mod:`impasto.studio.export.folding` says of tensors, on arrays: the changes of range and the
last enlargement are in the first and the last convolution.
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
"""Of each sub-pixel and each tap of a kernel: how much it sees of three low-resolution pixels."""


INPUT = 2 / 255
"""Times what is 0..255, and less 1: what the network sees."""
OUTPUT, ROUNDED = 127.5, 127.5 + 0.5
"""What it gives, times the first and with the second added, is 0..255, to be cut off."""


def with_exported(weights: Weights) -> dict[str, NDArray[np.float32]]:
    """The same, and beside them those that an exported network has otherwise."""
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
    """How each of nine taps after an enlargement is made of taps before it, for each of four
    sub-pixels: ``(9, 4 * 9)``."""
    return np.einsum("ayp,bxq->yxabpq", _MIX, _MIX).reshape(9, 4 * 9)


def _enlarging(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """``(O, C, 3, 3)`` after an enlargement: ``(4 O, C, 3, 3)`` before it."""
    outputs, inputs = weight.shape[:2]
    kernels = (weight.reshape(outputs, inputs, 9) @ taps()).reshape(outputs, inputs, 4, 9)
    return kernels.transpose(2, 0, 1, 3).reshape(4 * outputs, inputs, 3, 3)

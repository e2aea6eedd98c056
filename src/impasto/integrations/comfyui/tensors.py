"""Converts ComfyUI's pictures and ours. It uses only methods of tensors, because torch is
ComfyUI's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from impasto import images
from impasto.images.masks import Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from impasto.images.picture import Picture


def pictures(image: Tensor) -> list[Picture]:
    """Return the pictures of an IMAGE, ``(B, H, W, C)`` 0..1 in sRGB; a fourth channel is alpha.

    Values that an enlargement left outside the range are cut off.

    Raises:
        PictureError: values that are no numbers, or no pixels.
    """
    return [images.from_array(each.clip(0, 1)) for each in _array(image)]


def image(painted: Sequence[Picture], like: Tensor) -> Tensor:
    """Turn pictures of one size into an IMAGE, of the type and on the device of ``like``."""
    return like.new_tensor(np.stack([each.array() for each in painted]).astype(np.float32) / 255)


def masks(mask: Tensor | None, count: int) -> list[Mask | None]:
    """Return the masks of ``count`` pictures from a MASK, ``(B, H, W)`` or ``(H, W)``, 0..1.

    White is painted. Fewer masks are used again, as ComfyUI does. None paints all of a picture.
    """
    if mask is None:
        return [None] * count
    values = _array(mask)
    each = [Mask(_bytes(shares)) for shares in values.reshape(-1, *values.shape[-2:])]
    return [each[number % len(each)] for number in range(count)]


def _bytes(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.nan_to_num(shares).clip(0, 1) * 255).astype(np.uint8)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().float().numpy()
    return array

"""ComfyUI's pictures and ours. Of torch only methods of tensors are used: it is ComfyUI's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from impasto import images

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.images.picture import Picture


def pictures(image: Tensor) -> list[Picture]:
    """The pictures of an IMAGE, ``(B, H, W, C)`` 0..1 in sRGB; a fourth channel is alpha. What an
    enlargement left outside of the range is cut off.

    Raises:
        PictureError: values that are no numbers, or no pixels.
    """
    return [images.from_array(each.clip(0, 1)) for each in _array(image)]


def image(painted: Sequence[Picture], like: Tensor) -> Tensor:
    """Pictures of one size as an IMAGE, of the kind and on the device that ``like`` has."""
    return like.new_tensor(np.stack([each.array() for each in painted]).astype(np.float32) / 255)


def masks(mask: Tensor) -> list[Picture]:
    """The masks of a MASK, ``(B, H, W)`` or ``(H, W)``, 0..1: white is painted."""
    values = _array(mask)
    return [images.from_array(each.clip(0, 1)) for each in values.reshape(-1, *values.shape[-2:])]


def masked(photo: Picture, painting: Picture, mask: Picture) -> Picture:
    """The painting where the mask is white, the photograph where it is black. The mask is scaled
    to the photograph."""
    share = images.resize_to(mask, (photo.height, photo.width)).pixels.astype(np.float32) / 255
    mixed = photo.pixels + share * (painting.pixels.astype(np.float32) - photo.pixels)
    return painting.with_pixels(np.rint(mixed).astype(np.uint8))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().numpy()

"""The graph that is exported of a network: an equal one from bytes to bytes.

What can be computed beforehand is folded in. It takes one photograph, ``(1, H, W, 3)`` bytes of any
size, and the ``mix`` of styles. It gives as many bytes. Sides that the network's stride does not
divide are extended by their last pixels. The extension is cut off again.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.studio.networks import Impasto, TransformNetwork
from impasto.studio.networks.blocks import ResizeConv


def graph(network: TransformNetwork) -> nn.Module:
    """Return the network for the export; ``network`` itself stays as it is."""
    network = copy.deepcopy(network).requires_grad_(False).eval()
    return _Folded(network) if isinstance(network, Impasto) else _Plain(network)


class _Plain(nn.Module):
    """A network between bytes, as it is."""

    def __init__(self, network: TransformNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, photo: Tensor, mix: Tensor | None = None) -> Tensor:
        height, width = photo.shape[1:3]
        x = _extended(photo, self.network.stride).float()
        painted = self.network(x / 255, mix) * 255
        painted = painted.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        return painted[:, :height, :width]


class _Folded(nn.Module):
    """Our own network between bytes.

    * The changes of range are in the first and the last convolution.
    * The photograph is padded once, for the stride and the first convolution.
    * The last enlargement is folded into its convolution. Its padding comes one step earlier, at a
      quarter of the resolution. There a repeated edge is enlarged to a repeated edge.
    * Bytes are made before the depth-to-space, which then moves bytes, not floats. They are made
      without a separate rounding step: values are raised by a half, then cut off.
    """

    def __init__(self, network: Impasto) -> None:
        super().__init__()
        stem, conv = network.stem, network.out.conv
        assert stem.bias is not None
        assert conv.bias is not None
        stem.weight.data, stem.bias.data = from_bytes(stem.weight, stem.bias)
        conv.weight.data, conv.bias.data = to_bytes(conv.weight, conv.bias)
        self.out = folded(network.out)
        self.network = network

    def forward(self, photo: Tensor, mix: Tensor | None = None) -> Tensor:
        height, width = photo.shape[1:3]
        network, rows = self.network, self.network.rows(mix)
        half = network.stem(_extended(photo, network.stride, around=1).float())
        quarter = F.pad(network.inner(half, rows), (1, 1, 1, 1), mode="replicate")
        y = self.out(network.enlarged(quarter)).clamp(0, 255).to(torch.uint8)
        _, _, h, w = y.shape
        lines = y.reshape(1, 2, 6, h, w).permute(0, 1, 3, 4, 2).reshape(1, 2, h, 6 * w)
        painted = lines.transpose(1, 2).reshape(1, 2 * h, 2 * w, 3)
        return painted[:, 2 : height + 2, 2 : width + 2]


def from_bytes(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first convolution for 0..255, made from one for -1..1."""
    return weight * (2 / 255), bias - weight.sum((1, 2, 3))


def to_bytes(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return the last convolution to 0..255, raised by a half, made from one to -1..1."""
    return weight * 127.5, bias * 127.5 + (127.5 + 0.5)


def folded(enlarging: ResizeConv) -> nn.Conv2d:
    """Return the enlargement and its convolution as one; see :func:`folded_weights`."""
    conv = enlarging.conv
    assert conv.bias is not None
    weight, bias = folded_weights(conv.weight.detach().double(), conv.bias.detach())
    low = nn.Conv2d(weight.shape[1], weight.shape[0], 3)
    low.weight.data, low.bias = weight.float(), nn.Parameter(bias)
    return low


def folded_weights(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return the same map as one 3x3 convolution at the low resolution, up to a depth-to-space.

    It takes features whose edges were repeated once. Look at one axis, and at sub-pixel ``s`` (0 or
    1). Tap ``t`` of the 3-tap kernel reads enlarged pixel ``s + t - 1`` there. That pixel is a 1/4
    : 3/4 mix of two low-resolution neighbours. ``mix[s, t]`` holds these weights. So each sub-pixel
    has a 3-tap kernel of its own at the low resolution.

    With repeated edges the identity holds up to the border. The result is exact, and the enlarged
    features are never written to memory.

    Of the result's channels, the first half is the upper row of sub-pixels. Of each half, the first
    half is the left column.
    """
    mix = torch.tensor(
        [
            [[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.0, 0.75, 0.25]],
            [[0.25, 0.75, 0.0], [0.0, 0.75, 0.25], [0.0, 0.25, 0.75]],
        ],
        dtype=weight.dtype,
    )
    outputs, inputs = weight.shape[:2]
    taps = torch.einsum("ayp,bxq->yxabpq", mix, mix).reshape(9, 4 * 9)
    kernels = (weight.flatten(2) @ taps).reshape(outputs, inputs, 4, 9).permute(2, 0, 1, 3)
    return kernels.reshape(4 * outputs, inputs, 3, 3), bias.repeat(4)


def _extended(photo: Tensor, stride: int, around: int = 0) -> Tensor:
    """Extend a photograph to multiples of the stride, and by ``around`` on all sides.

    It repeats the edge, and gives ``(1, 3, H, W)``. It does so while the values are bytes, a
    quarter of the floats' size, and before they change places.
    """
    below, right = -photo.shape[1] % stride, -photo.shape[2] % stride
    sides = (0, 0, around, right + around, around, below + around)
    return F.pad(photo[None], sides, mode="replicate")[0].permute(0, 3, 1, 2)

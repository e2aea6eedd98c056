"""The transform network: a photograph in, a painting out, in one forward pass.

The shape follows Johnson et al. 2016 (arXiv 1603.08155): convolutions down, residual
blocks, convolutions up, with the instance normalisation of Ulyanov et al. 2016
(arXiv 1607.08022). What differs, and why, is measured in ``docs/adr/0003-network.md``:

* the residual blocks work at an eighth of the resolution, for shapes and large strokes,
  and at a quarter, for brush marks; dense 3x3 convolutions run near a CPU's arithmetic
  peak there, and nothing but one thin convolution each way touches full resolution;
* every upward step is a *resize-convolution* (bilinear, then 3x3: no lattice can form
  in a flat area) that is run as a *sub-pixel convolution* of the same cost at the low
  resolution, because the two are the same linear map; see :meth:`ResizeConv.folded`;
* one skip, at a quarter of the resolution: enough for edges to stay where they were,
  too coarse for the network to copy the photograph instead of painting;
* padding repeats the edge, so that no pale frame is learnt.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.options import NetworkOptions


class Down(nn.Module):
    """Halves the resolution: each output sees its own 2x2 pixels, so nothing is padded."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        # Instance norm subtracts the mean, and with it any bias: here and below, none.
        self.conv = nn.Conv2d(channels_in, channels_out, 2, stride=2, bias=False)
        self.norm = nn.InstanceNorm2d(channels_out, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class Residual(nn.Module):
    """Two 3x3 convolutions beside an identity (He et al. 2016), padded once for both."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, bias=False)
        self.first_norm = nn.InstanceNorm2d(channels, affine=True)
        self.second = nn.Conv2d(channels, channels, 3, bias=False)
        self.second_norm = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.first_norm(self.first(F.pad(x, (2, 2, 2, 2), mode="replicate"))))
        return x + self.second_norm(self.second(inner))


class ResizeConv(nn.Module):
    """Doubles the resolution: bilinear enlargement, then a 3x3 convolution (Odena et al. 2016)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3)

    def forward(self, x: Tensor) -> Tensor:
        up = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.conv(F.pad(up, (1, 1, 1, 1), mode="replicate"))

    def folded(self, order: str) -> nn.Sequential:
        """The same map as one 3x3 convolution at the low resolution, up to a depth-to-space.

        Along one axis, tap ``t`` of the 3-tap kernel at sub-pixel ``s`` (0 or 1) reads
        enlarged pixel ``s + t - 1``, a 1/4 : 3/4 mix of two low-resolution neighbours;
        ``mix[s, t]`` holds those weights. So each sub-pixel has a 3-tap kernel of its own
        at the low resolution. With edges repeated the identity holds up to the border:
        this is exact, and the enlarged features are never written to memory.

        ``order`` says how the result's channels lie: ``o`` the output channel, ``a`` the
        row and ``b`` the column of the sub-pixel.
        """
        mix = torch.tensor(
            [
                [[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.0, 0.75, 0.25]],
                [[0.25, 0.75, 0.0], [0.0, 0.75, 0.25], [0.0, 0.25, 0.75]],
            ],
            dtype=torch.float64,
        )
        assert self.conv.bias is not None
        weight, bias = self.conv.weight.detach().double(), self.conv.bias.detach()
        kernels = torch.einsum(f"oiyx,ayp,bxq->{order}ipq", weight, mix, mix)
        outputs, inputs = weight.shape[:2]
        low = nn.Conv2d(inputs, outputs * 4, 3)
        assert low.bias is not None
        low.weight.data = kernels.reshape(outputs * 4, inputs, 3, 3).float()
        low.bias.data = torch.einsum(
            f"o,a,b->{order}", bias, torch.ones(2), torch.ones(2)
        ).flatten()
        return nn.Sequential(nn.ReplicationPad2d(1), low)


class DepthToSpace(nn.Module):
    """``(N, 4 C, H, W)``, channels in the order ``boa``, to ``(N, C, 2 H, 2 W)``.

    As a stack and one transposition of whole rows: under onnxruntime on a CPU this takes
    about half the time of the operator that is made for it.
    """

    def forward(self, x: Tensor) -> Tensor:
        n, channels, h, w = x.shape
        x = x.reshape(n, 2, channels // 4, 2, h, w)
        rows = torch.stack((x[:, 0], x[:, 1]), -1).reshape(n, channels // 4, 2, h, 2 * w)
        return rows.transpose(2, 3).reshape(n, channels // 4, 2 * h, 2 * w)


class TransformNetwork(nn.Module):
    """Photograph to painting.

    Input and output: ``(N, 3, H, W)``, sRGB, 0..1, height and width divisible by
    :attr:`stride`; the output is not clamped, because a clamp has no gradient.
    """

    stride = 8

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.options = options
        half, quarter, eighth = (options.width * factor for factor in (1, 2, 4))
        self.stem = nn.Conv2d(3, half, 4, stride=2)
        self.down4 = Down(half, quarter)
        self.down8 = Down(quarter, eighth)
        self.shapes = nn.Sequential(*(Residual(eighth) for _ in range(options.shape_blocks)))
        self.up4: ResizeConv | nn.Sequential = ResizeConv(eighth, quarter)
        self.up4_norm = nn.InstanceNorm2d(quarter, affine=True)
        self.strokes = nn.Sequential(*(Residual(quarter) for _ in range(options.stroke_blocks)))
        self.up2: ResizeConv | nn.Sequential = ResizeConv(quarter, half)
        self.up2_norm = nn.InstanceNorm2d(half, affine=True)
        self.out: ResizeConv | nn.Sequential = ResizeConv(half, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x * 2 - 1) / 2 + 0.5

    def folded(self) -> nn.Module:
        """An equal network that is faster to run, for export.

        Takes 0..255 and gives 0..255: the changes of range go into the weights of the
        first and the last convolution. The last depth-to-space is left to the caller, who
        can do it in bytes: the result is ``(N, 12, H / 2, W / 2)``, channels in the order
        row, column, colour (``abo``).
        """
        return _Folded(copy.deepcopy(self).requires_grad_(False).eval())

    def body(self, x: Tensor) -> Tensor:
        """The network without its changes of range: -1..1 in and out."""
        half = F.relu(self.stem(F.pad(x, (1, 1, 1, 1), mode="replicate")))
        quarter = self.down4(half)
        eighth = self.shapes(self.down8(quarter))
        quarter = self.strokes(F.relu(self.up4_norm(self.up4(eighth) + quarter)))
        return self.out(F.relu(self.up2_norm(self.up2(quarter))))


class _Folded(nn.Module):
    def __init__(self, network: TransformNetwork) -> None:
        super().__init__()
        stem, out = network.stem, network.out
        assert isinstance(out, ResizeConv)
        assert stem.bias is not None
        assert out.conv.bias is not None
        stem.bias -= stem.weight.sum((1, 2, 3))
        stem.weight *= 2 / 255
        out.conv.bias.mul_(127.5).add_(127.5)
        out.conv.weight *= 127.5
        for up in ("up4", "up2"):
            setattr(network, up, getattr(network, up).folded("boa").append(DepthToSpace()))
        network.out = out.folded("abo")
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.body(x)

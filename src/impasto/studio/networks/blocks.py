"""Parts of the transform networks.

They are norms of a mix of styles, residual blocks, and blocks that halve or double the resolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.options import NetworkOptions

ACTIVATIONS = {"relu": F.relu, "selu": F.selu}


class Norm(nn.Module):
    """Instance or batch normalisation with the scale and shift of a mix of styles.

    Instance normalisation is from Ulyanov et al. 2016 (arXiv 1607.08022). Scale and shift of a mix
    are from Dumoulin et al. 2017, section 2.2.
    """

    def __init__(self, channels: int, rows: int, kind: str = "instance") -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(rows, channels))
        self.shift = nn.Parameter(torch.zeros(rows, channels))
        self.batch = nn.BatchNorm2d(channels, affine=False) if kind == "batch" else None

    def forward(self, x: Tensor, rows: Tensor) -> Tensor:
        scale, shift = rows @ self.scale, rows @ self.shift
        if self.batch is None:
            return F.instance_norm(x, weight=scale, bias=shift)
        return self.batch(x) * scale[:, None, None] + shift[:, None, None]


def _conv(channels_in: int, channels_out: int, separable: bool, bias: bool = False) -> nn.Module:
    """Make a 3x3 convolution without padding; or a ``separable`` one.

    The latter is 3x3 in each channel, then 1x1 (Howard et al. 2017, arXiv 1704.04861). Where a
    normalisation follows, it subtracts the mean, and with it any bias.
    """
    if not separable:
        return nn.Conv2d(channels_in, channels_out, 3, bias=bias)
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_in, 3, groups=channels_in, bias=False),
        nn.Conv2d(channels_in, channels_out, 1, bias=bias),
    )


class Residual(nn.Module):
    """Two 3x3 convolutions beside an identity (He et al. 2016), padded once for both.

    A normalisation follows each of them, as published, or only the last.
    """

    def __init__(self, channels: int, rows: int, options: NetworkOptions, *, once: bool) -> None:
        super().__init__()
        self.first = _conv(channels, channels, options.separable, bias=once)
        self.first_norm = None if once else Norm(channels, rows, options.norm)
        self.second = _conv(channels, channels, options.separable)
        self.second_norm = Norm(channels, rows, options.norm)
        self._mode, self._act = options.pad, ACTIVATIONS[options.activation]

    def forward(self, x: Tensor, rows: Tensor) -> Tensor:
        inner = self.first(padded(x, 2, self._mode))
        if self.first_norm is not None:
            inner = self.first_norm(inner, rows)
        return x + self.second_norm(self.second(self._act(inner)), rows)


class Down(nn.Module):
    """Halves the resolution: each output sees its own 2x2 pixels, so nothing is padded."""

    def __init__(self, channels_in: int, channels_out: int, rows: int, kind: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 2, stride=2, bias=False)
        self.norm = Norm(channels_out, rows, kind)

    def forward(self, x: Tensor, rows: Tensor) -> Tensor:
        return self.norm(self.conv(x), rows)


class ResizeConv(nn.Module):
    """Doubles the resolution: bilinear enlargement, then a 3x3 convolution (Odena et al. 2016)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(doubled(x), (1, 1, 1, 1), mode="replicate"))


def residuals(
    count: int, channels: int, rows: int, options: NetworkOptions, *, once: bool
) -> nn.ModuleList:
    """Make so many residual blocks; see :class:`Residual`."""
    return nn.ModuleList(Residual(channels, rows, options, once=once) for _ in range(count))


def doubled(x: Tensor) -> Tensor:
    """Enlarge to twice the height and width, bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def padded(x: Tensor, width: int, mode: str) -> Tensor:
    """Pad with ``width`` more pixels at each side: ``zeros``, ``replicate`` or ``reflect``."""
    return F.pad(x, (width,) * 4, mode="constant" if mode == "zeros" else mode)

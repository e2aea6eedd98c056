"""MicroAST: any painting as a style with one network (Wang et al. 2023, AAAI, arXiv 2211.15313).

It is written from its published description and the names of its published weights, which are not
ours to ship. Two small encoders see photograph and painting at a quarter of the size. The
painting's features give the photograph's features their means and deviations, twice. A modulator
changes the filters of two residual blocks.

``python -m benchmarks.microast WEIGHTS PHOTO PAINTING OUT`` paints once, in a process that can be
measured.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from impasto import images
from impasto.images.picture import Picture

PARAMETERS = 471_987
"""Number of parameters of the original; it tests that this is the same network."""
_EPS = 1e-5


class MicroAst(nn.Module):
    """Photograph and painting, ``(1, 3, H, W)`` each, 0..1, to ``(1, 3, H', W')``.

    The result has the photograph's size, extended to multiples of 4.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        assert sum(weight.numel() for weight in weights.values()) == PARAMETERS
        for name, weight in weights.items():
            self.register_buffer(name.replace(".", "_"), weight.float())

    def forward(self, photograph: Tensor, painting: Tensor) -> Tensor:
        style = self._encoded("style_encoder", painting)
        shallow, deep = style
        x = self._encoded("content_encoder", photograph)[1]
        x = self._modulated("dec1", _like(x, deep), *self._filters("2", deep))
        x = self._modulated("dec2", _like(x, shallow), *self._filters("1", shallow))
        for first in (1, 6):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear")
            x = F.relu(self._conv(f"decoder.dec3.{first}", x))
            x = F.relu(self._conv(f"decoder.dec3.{first + 2}", x))
        return self._conv("decoder.dec3.10", x)

    def _encoded(self, encoder: str, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features before and after the second block."""
        for place, stride in ((0, 1), (2, 2), (4, 1), (6, 2), (8, 1)):
            x = F.relu(self._conv(f"{encoder}.enc1.{place}", x, stride))
        shallow = self._residual(f"{encoder}.enc1.10", x)
        return shallow, self._residual(f"{encoder}.enc2.0", shallow)

    def _filters(self, number: str, style: Tensor) -> tuple[Tensor, Tensor]:
        """Make filters from a painting's features: a factor and a share of the input."""
        factor, share = (
            self._conv(f"modulator.{kind}{number}.0", style).mean((2, 3), keepdim=True)
            for kind in ("weight", "bias")
        )
        return factor, share

    def _residual(self, name: str, x: Tensor) -> Tensor:
        return x + self._conv(f"{name}.conv2", F.relu(self._conv(f"{name}.conv1", x)))

    def _modulated(self, name: str, x: Tensor, factor: Tensor, share: Tensor) -> Tensor:
        inner = F.relu(factor * self._conv(f"decoder.{name}.conv1", x) + share * x)
        return x + factor * self._conv(f"decoder.{name}.conv2", inner) + share * inner

    def _conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        """Reflection padding and a convolution, grouped as its weights say."""
        weight, bias = (
            self.get_buffer(f"{name}.conv_layer.{part}".replace(".", "_"))
            for part in ("weight", "bias")
        )
        x = F.pad(x, (weight.shape[-1] // 2,) * 4, mode="reflect")
        return F.conv2d(x, weight, bias, stride, groups=x.shape[1] // weight.shape[1])


def _like(x: Tensor, style: Tensor) -> Tensor:
    """Give each channel the mean and deviation of another picture's (Huang & Belongie 2017)."""
    return (x - _mean(x)) / _deviation(x) * _deviation(style) + _mean(style)


def _mean(x: Tensor) -> Tensor:
    return x.mean((2, 3), keepdim=True)


def _deviation(x: Tensor) -> Tensor:
    return (x.var((2, 3), keepdim=True) + _EPS).sqrt()


def read(path: Path) -> MicroAst:
    """Read the network with its published weights from a safetensors file."""
    return MicroAst(load_file(path)).eval()


@torch.inference_mode()
def painted(network: MicroAst, photo: np.ndarray, painting: np.ndarray) -> np.ndarray:
    """Paint ``(H, W, 3)`` bytes.

    The network sees the painting with the photograph's short side, as its authors have it.
    """
    short = min(photo.shape[:2])
    style = Picture(painting)
    style = style.resized(round(max(painting.shape[:2]) * short / min(painting.shape[:2])))
    made = network(_tensor(photo), _tensor(style.pixels))[0].clamp(0, 1).mul(255).round().byte()
    height, width = photo.shape[:2]
    return np.ascontiguousarray(made.permute(1, 2, 0)[:height, :width].numpy())


def _tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 255


if __name__ == "__main__":
    weights, photo, painting, out = map(Path, sys.argv[1:])
    pixels, style = (images.read(each).pixels for each in (photo, painting))
    Picture(painted(read(weights), pixels, style)).save(out, overwrite=True)

"""Networks that impasto's networks are compared to: the usual fast style transfer networks.

The first is the network of the ``fast_neural_style`` example in pytorch/examples. It is written
from its published description: Johnson et al. 2016 (arXiv 1603.08155, supplementary material). It
has the instance normalisation of Ulyanov et al. 2016 (arXiv 1607.08022) and the resize-convolutions
of Odena et al. 2016. Speed does not depend on the weights, so they are random.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PARAMETERS = 1_679_235
"""Number of parameters of the original; it tests that this is the same network."""


class Conv(nn.Sequential):
    """Reflection padding, convolution and, but for the last layer, instance norm."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int = 1,
        *,
        norm: bool = True,
    ) -> None:
        super().__init__(
            nn.ReflectionPad2d(kernel // 2),
            nn.Conv2d(channels_in, channels_out, kernel, stride),
            *([nn.InstanceNorm2d(channels_out, affine=True)] if norm else []),
        )


class Residual(nn.Module):
    """Two convolutions beside an identity; nothing after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Conv(channels, channels, 3), nn.ReLU(), Conv(channels, channels, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.body(x)
        return x + inner


class TransformerNet(nn.Sequential):
    """``(N, 3, H, W)``, 0..255, in and out; height and width divisible by 4."""

    def __init__(self) -> None:
        super().__init__(
            *(Conv(3, 32, 9), nn.ReLU()),
            *(Conv(32, 64, 3, stride=2), nn.ReLU()),
            *(Conv(64, 128, 3, stride=2), nn.ReLU()),
            *(Residual(128) for _ in range(5)),
            *(nn.Upsample(scale_factor=2, mode="nearest"), Conv(128, 64, 3), nn.ReLU()),
            *(nn.Upsample(scale_factor=2, mode="nearest"), Conv(64, 32, 3), nn.ReLU()),
            Conv(32, 3, 9, norm=False),
        )
        assert sum(weight.numel() for weight in self.parameters()) == PARAMETERS


def under_onnxruntime(network: nn.Module, photo: Tensor, threads: int) -> Callable[[], Any]:
    """Make a run of ``network`` on ``photo`` in the runtime that impasto uses."""
    import onnxruntime as ort

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns about its own inside
    program = torch.onnx.export(
        network, (photo,), dynamo=True, verbose=False, input_names=["photo"]
    )
    assert program is not None
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(
        program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"photo": photo.numpy()})


class FastStyleTransfer(nn.Module):
    """lengstrom/fast-style-transfer's network, with weights that its users trained.

    ``(N, 3, H, W)``, 0..255, in and out; height and width divisible by 4. It pads with zeros as
    TensorFlow's "same" does. For a stride of 2 that pads only below and on the right.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._weights = {name: weight.float() for name, weight in weights.items()}

    def forward(self, photo: Tensor) -> Tensor:
        x = F.relu(self._conv("conv1", photo))
        x = F.relu(self._conv("conv2", x, 2))
        x = F.relu(self._conv("conv3", x, 2))
        for number in range(1, 6):
            inner = F.relu(self._conv(f"res{number}.conv1", x))
            x = x + self._conv(f"res{number}.conv2", inner)
        for name in ("up1", "up2"):
            larger = F.conv_transpose2d(x, self._weights[f"{name}.weight"], stride=2)
            x = F.relu(self._norm(name, larger[..., :-1, :-1]))
        return 150 * torch.tanh(self._conv("out", x)) + 127.5

    def _conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self._weights[f"{name}.weight"]
        around = weight.shape[-1] // 2
        x = F.pad(x, (around,) * 4 if stride == 1 else (0, 1, 0, 1))
        return self._norm(name, F.conv2d(x, weight, stride=stride))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        scale, shift = self._weights[f"{name}.scale"], self._weights[f"{name}.shift"]
        return F.instance_norm(x, weight=scale, bias=shift, eps=1e-3)

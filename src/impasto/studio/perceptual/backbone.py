"""Loss networks: a picture in, named feature maps out.

:func:`load` gives a frozen network by its name, with its pooling and padding changed if wanted. It
is VGG (:mod:`impasto.studio.perceptual.vgg`) or a network of torchvision
(:mod:`impasto.studio.perceptual.torchvision`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from impasto.errors import OptionError, PictureError, did_you_mean
from impasto.images.raster import Size

_TOO_SMALL = ("Kernel size can't be greater", "utput size is too small")
"""Texts in torch's errors for a picture that shrinks to nothing on its way."""


class LossNetwork(nn.Module):
    """A frozen network whose features say how alike two pictures are.

    It takes ``(N, 3, H, W)`` sRGB pictures, 0..1, and names of layers. It gives a dict of ``(N, C,
    H', W')`` feature maps, shallow to deep. It runs no further than the deepest layer. Gradients
    reach the pictures, never the weights.

    Args:
        name: the name that :func:`load` takes.
        layers: what it offers, shallow to deep.
        content_layers, style_layers: sensible ones for the two losses.
        mean, std: the network wants R, G and B, 0..1, minus ``mean``, then divided by ``std``.

    Raises:
        OptionError: when called with a layer that it does not offer.
        PictureError: when called with pictures too small for the layers.
    """

    mean: Tensor
    std: Tensor
    can_be_frugal = False
    frugal = False
    """Whether to compute blocks again for the gradient instead of keeping them, where possible.

    That takes a third more time and far less memory (Chen et al. 2016, arXiv 1604.06174).
    """

    def __init__(
        self,
        name: str,
        layers: Sequence[str],
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.name = name
        self.layers = tuple(layers)
        self.content_layers = tuple(content_layers)
        self.style_layers = tuple(style_layers)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    if TYPE_CHECKING:

        def __call__(self, pictures: Tensor, layers: Iterable[str]) -> dict[str, Tensor]: ...

    def forward(self, pictures: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Return features of ``pictures`` at ``layers``; see the class."""
        wanted = frozenset(layers)
        self.require(wanted)
        x = (pictures - self.mean) / self.std
        x = x.contiguous(memory_format=torch.channels_last)
        try:
            return self._features(x, wanted)
        except RuntimeError as error:
            if not any(sign in str(error) for sign in _TOO_SMALL):
                raise
            height, width = pictures.shape[-2:]
            raise PictureError(
                f"a picture of {width}x{height} is too small for these layers of {self.name}",
                hint="use a larger one, or layers that are less deep",
            ) from error

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002
        """Change nothing: a loss network does not learn."""
        return super().train(False)

    def _features(self, x: Tensor, wanted: frozenset[str]) -> dict[str, Tensor]:
        """Return the features of ``x``, in the network's own range, at layers that it has."""
        raise NotImplementedError

    def _freeze(self) -> None:
        """Freeze the network, once the weights are there."""
        self.requires_grad_(False).eval()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def require(self, wanted: Iterable[str]) -> None:
        """Raise OptionError for a layer that is not offered."""
        if unknown := sorted(set(wanted).difference(self.layers)):
            all_of_them = f"its layers are {self.layers[0]} ... {self.layers[-1]}"
            raise OptionError(
                f"{self.name} has no layer {', '.join(unknown)}",
                hint=did_you_mean(unknown[0], self.layers, all_of_them),
            )


def shapes(
    network: LossNetwork, size: int | Size, layers: Iterable[str] = ()
) -> dict[str, tuple[int, int, int]]:
    """Return the shape, ``(C, H, W)``, of ``layers`` (all by default) for a picture of ``size``.

    ``size`` is the side of a square, or height and width, in pixels. Nothing is computed.

    Raises:
        PictureError: a size too small for the deepest of them.
    """
    height, width = (size, size) if isinstance(size, int) else size
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        picture = torch.empty(1, 3, height, width, device=network.mean.device)
        features = network(picture, tuple(layers) or network.layers)
    return {
        layer: (maps.shape[1], maps.shape[2], maps.shape[3]) for layer, maps in features.items()
    }


def unknown_network(name: str, names: Iterable[str]) -> OptionError:
    """Make the error for a name that is none of ``names``."""
    hint = did_you_mean(name, names, "the default is vgg19")
    return OptionError(f"there is no loss network {name}", hint=hint)

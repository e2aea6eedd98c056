"""A loss network by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from impasto.errors import OptionError
from impasto.studio.perceptual.backbone import LossNetwork

POOLINGS = ("max", "average")


PADDINGS = ("same", "valid", "replicate")


def load(
    name: str = "vgg19",
    *,
    pooling: str = "max",
    padding: str = "same",
    weights: str | Path | None = None,
) -> LossNetwork:
    """Load a loss network by its name.

    Args:
        name: ``vgg19``, whose weights are installed; ``vgg16-hed``; torchvision's ``vgg16`` and
            ``vgg19-torchvision``. Or any convolutional classifier of torchvision, such as
            ``resnet50`` or ``inception_v3``.
        pooling: ``max``, as trained, or ``average``. Gatys et al. 2016 (section 2) found that
            ``average`` gives smoother pictures.
        padding: ``same``, as trained. Or ``replicate``, which repeats the picture's edge before the
            first convolution, so that no border is learnt. Or ``valid``, none at all (VGG only).
        weights: a file to use instead of those that are installed, cached or downloaded.

    Raises:
        OptionError: an unknown name, or a change that the network does not allow. Or the weights
            are not its own, or cannot be found.
        MissingExtraError: a network that needs a package that is not installed.
    """
    from impasto.studio.perceptual import torchvision as zoo
    from impasto.studio.perceptual import vgg

    _require_one_of("pooling", pooling, POOLINGS)
    _require_one_of("padding", padding, PADDINGS)
    path = None if weights is None else Path(weights)
    if name in vgg.NAMES:
        return vgg.load(name, pooling=pooling, padding=padding, weights=path)
    return zoo.load(name, pooling=pooling, padding=padding, weights=path)


def _require_one_of(knob: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise OptionError(f"{knob} is {value!r}", hint=f"it must be {' or '.join(choices)}")

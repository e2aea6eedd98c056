"""Published set-ups of picture optimisation, as options.

Each reproduces the objective of its source. Sizes and numbers of steps are the source's own or what
it recommends. Some sources are silent, or use weights that nobody can get. Then the entry says so.
"""

from __future__ import annotations

from dataclasses import replace

from impasto.errors import OptionError, did_you_mean
from impasto.options import LossOptions, OptimizeOptions

_FIVE = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")


def _fifths(layers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{layer}:0.2" for layer in layers)


_GATYS = OptimizeOptions(
    steps=500,
    scales=1,
    init="uniform",
    box=False,
    loss=LossOptions(
        pooling="average",
        padding="same",
        loss_scale="gatys",
        content_layers=("conv4_2",),
        style_layers=_fifths(_FIVE),
        content_weight=1e-3,
        style_weight=1.0,
        tv_weight=0.0,
    ),
)

PRESETS: dict[str, OptimizeOptions] = {
    # impasto's own.
    "impasto": OptimizeOptions(),
    # arXiv 1508.06576: average pooling, from white noise, ratio of content to style 1e-3.
    # The paper rescaled VGG19 to mean activation 1; these are its original weights.
    "gatys2015": _GATYS,
    # CVPR 2016, section 3: the same objective with L-BFGS and more memory.
    "gatys2016": replace(_GATYS, history=20),
    # Johnson et al. 2016, arXiv 1603.08155, section 4.1: the baseline of optimisation.
    # VGG16; its weights content 1, style 5, total variation 1e-6 are those of the authors' code.
    "johnson": OptimizeOptions(
        size=256,
        steps=500,
        scales=1,
        loss=LossOptions(
            loss_network="vgg16",
            padding="same",
            loss_scale="johnson",
            content_layers=("conv2_2",),
            style_layers=("conv1_2", "conv2_2", "conv3_3", "conv4_3"),
            content_weight=1.0,
            style_weight=5.0,
            tv_weight=1e-6,
            tv="squared",
        ),
    ),
    # PyTorch's tutorial "Neural Transfer": layers before their ReLU, from the content.
    "pytorch-tutorial": OptimizeOptions(
        steps=300,
        scales=1,
        loss=LossOptions(
            loss_network="vgg19-torchvision",
            padding="same",
            loss_scale="mean",
            content_layers=("conv2_2.pre",),
            style_layers=(
                "conv1_1.pre",
                "conv1_2.pre",
                "conv2_1.pre",
                "conv2_2.pre",
                "conv3_1.pre",
            ),
            content_weight=1.0,
            style_weight=1e6,
            tv_weight=0.0,
        ),
    ),
    # jcjohnson/neural-style: its total variation is half the sum of squares.
    "neural-style": OptimizeOptions(
        steps=1000,
        scales=1,
        init="grey",
        init_noise=1e-3,
        box=False,
        history=100,
        loss=LossOptions(
            padding="same",
            loss_scale="mean",
            content_layers=("conv4_2",),
            style_layers=_FIVE,
            content_weight=5.0,
            style_weight=100.0,
            tv_weight=5e-4,
            tv="squared",
        ),
    ),
}
"""Options by name."""


def preset(name: str) -> OptimizeOptions:
    """Return the options of a set-up.

    Raises:
        OptionError: there is no such set-up.
    """
    if name not in PRESETS:
        hint = did_you_mean(name, PRESETS, f"there are {', '.join(PRESETS)}")
        raise OptionError(f"there is no preset {name!r}", hint=hint)
    return PRESETS[name]

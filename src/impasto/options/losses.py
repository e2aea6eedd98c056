"""Options for losses: what makes a painting good, and how a picture is optimised."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.options.fields import Checked, knob

KINDS = ("total", "content", "style", "tv")
"""The losses that every objective has.

Layers' own losses come beside them. So do tone and lattice, if they have a weight.
"""
TONE = "tone"
LATTICE = "lattice"


def torch_device() -> str:
    """Make the field for the device of PyTorch."""
    return knob("auto", "Device: auto, cpu, cuda or mps.", choices=("auto", "cpu", "cuda", "mps"))


def lattice() -> float:
    """Make the field for the weight of the loss against a network's own grid."""
    return knob(0.0, "Weight against dots and weaves on the network's own grid.", low=0, before=0.0)


@dataclass(frozen=True, kw_only=True)
class LossOptions(Checked):
    """What makes a painting good: the same words for the optimiser and the trainer.

    Layers are ``NAME`` or ``NAME:WEIGHT``; without any, the loss network's own are taken.
    """

    loss_network: str = knob("vgg19", "Loss network: vgg19, vgg16, resnet50, ...", was="network")
    weights: str | None = knob(None, "File with that network's weights; found by default.")
    pooling: str = knob("max", "Pooling: max or average.", choices=("max", "average"))
    padding: str = knob(
        "replicate",
        "Padding: replicate (edge repeated, first layer), same (zeros) or valid (none).",
        choices=("same", "valid", "replicate"),
    )
    content_layers: tuple[str, ...] = knob((), "Layers of the content loss.")
    style_layers: tuple[str, ...] = knob((), "Layers of the style loss.")
    style_statistic: str = knob(
        "gram",
        "What style is: gram, covariance, gram-covariance (more colours), moments or wasserstein.",
        choices=("gram", "covariance", "gram-covariance", "moments", "wasserstein"),
        was="statistic",
    )
    loss_scale: str = knob(
        "relative",
        "How losses are scaled: relative, balanced, or as gatys, johnson or mean do.",
        choices=("relative", "balanced", "gatys", "johnson", "mean"),
        was="scale",
    )
    balance: str = knob(
        "none",
        "initial divides each layer's loss by what it is at the start.",
        choices=("none", "initial"),
    )
    content_weight: float = knob(1.0, "Weight of the content loss.", low=0)
    style_weight: float = knob(8.0, "Weight of the style loss.", low=0)
    tv_weight: float = knob(0.3, "Weight of total variation: higher is smoother.", low=0)
    tone_weight: float = knob(
        0.0,
        "Weight that keeps the photograph's light and shade; 2 is enough.",
        low=0,
        before=0.0,
    )
    lattice_weight: float = lattice()
    tv: str = knob(
        "anisotropic",
        "Total variation: anisotropic, isotropic, or squared (summed, 0 to 255).",
        choices=("anisotropic", "isotropic", "squared"),
    )


@dataclass(frozen=True, kw_only=True)
class OptimizeOptions(Checked):
    """How a picture is optimised."""

    size: int = knob(512, "Long side of the result in pixels.", low=32, high=8192)
    steps: int = knob(200, "Evaluations of loss and gradient, over all scales.", low=1)
    scales: int = knob(
        0, "Sizes from coarse to fine, each twice the one before; 0 chooses.", low=0, high=8
    )
    optimizer: str = knob("lbfgs", "Optimiser: lbfgs or adam.", choices=("lbfgs", "adam"))
    learning_rate: float = knob(0.02, "Adam's step, of a range of 1.", low=1e-6, high=1)
    history: int = knob(10, "Pairs that L-BFGS remembers.", low=1, high=100)
    init: str = knob(
        "content",
        "Initial image: content, style, uniform, normal, grey, or a picture's file.",
        was="start",
    )
    init_noise: float = knob(
        0.0, "Part of uniform noise mixed into the initial image.", low=0, high=1, was="noise"
    )
    average: float = knob(
        0.0, "Decay of the running mean of iterates that is the result; 0: the last.",
        low=0, high=0.9999,
    )  # fmt: skip
    tolerance: float = knob(
        0.0,
        "Stop a scale when a step improves the loss by a smaller part than this.",
        low=0,
        high=1,
    )
    box: bool = knob(True, "Keep every pixel within black and white at each step.")
    seed: int = knob(0, "Same seed, same picture.", low=0)
    device: str = torch_device()
    style_scale: float = knob(
        1.0, "Size of the style picture beside the content: larger, bolder.", low=0.05, high=8
    )
    style_size: int | None = knob(
        None,
        "Long side of the style picture in pixels, instead of --style-scale.",
        low=32,
        high=8192,
    )
    style_crop: str = knob(
        "whole",
        "Part of the style: whole, left, center, right, auto, or X,Y,WIDTH,HEIGHT (0 to 1).",
    )
    colors: str = knob(
        "painting",
        "Colours: painting; or the photograph's by luminance, statistics or histogram.",
        choices=("painting", "luminance", "statistics", "histogram"),
    )
    loss: LossOptions = knob(LossOptions(), "What is made small.")

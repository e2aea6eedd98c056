"""How styles are learnt, made smaller, measured, and their losses searched."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from impasto.errors import OptionError
from impasto.options.fields import Checked, knob
from impasto.options.losses import LossOptions, lattice, torch_device
from impasto.options.painting import StylizeOptions

_AMOUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*(s|m|min|h)?")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(Checked):
    """The shape of a transform network."""

    design: str = knob(
        "impasto", "Design: impasto (ours, fast) or johnson (2016).", choices=("impasto", "johnson")
    )
    width: int = knob(
        16, "Channels of the first layer; doubled at each step down.", low=4, high=128
    )
    blocks: int = knob(4, "Residual blocks.", low=0, high=32)
    norm: str = knob("instance", "Norm: instance or batch.", choices=("instance", "batch"))
    activation: str = knob("relu", "Activation: relu or selu.", choices=("relu", "selu"))
    separable: bool = knob(False, "Depthwise-separable convolutions in the residual blocks.")
    upsampling: str = knob(
        "bilinear",
        "johnson enlarges by: bilinear or nearest (then convolved), or transposed.",
        choices=("bilinear", "nearest", "transposed"),
    )
    shrink: int = knob(
        1, "johnson works at a half (2) or a quarter (4) of the size.", low=1, high=4
    )
    pad: str = knob(
        "replicate",
        "johnson pads by: replicate, reflect or zeros.",
        choices=("replicate", "reflect", "zeros"),
    )
    output: str = knob(
        "linear", "johnson ends in: linear, tanh or sigmoid.", choices=("linear", "tanh", "sigmoid")
    )


@dataclass(frozen=True, kw_only=True)
class LearningOptions(Checked):
    """How a network learns, whatever it learns from."""

    steps: int = knob(2000, "Training steps.", low=1, high=999_999_999)
    crop: int = knob(256, "Side of the training crops in pixels.", low=64, high=2048)
    learning_rate: float = knob(6e-3, "Peak learning rate.", low=1e-6, high=1)
    seed: int = knob(0, "Same seed, same photographs, same network.", low=0)
    save_every: int = knob(100, "Steps between checkpoints.", low=1)
    device: str = torch_device()


@dataclass(frozen=True, kw_only=True)
class HypernetworkOptions(Checked):
    """The shape of a hypernetwork, which makes the weights of a transform network."""

    components: int = knob(
        32, "Principal components of each layer that the Gram matrices are seen in.", low=1, high=64
    )
    hidden: int = knob(512, "Width of its hidden layers.", low=8, high=4096)
    embedding: int = knob(128, "Numbers that a style is known by.", low=4, high=1024)
    directions: int = knob(
        32, "Directions that each large convolution is combined of.", low=1, high=256
    )
    dropout: float = knob(0.1, "Part of the hidden units that a step leaves out.", low=0, high=0.9)


PLAIN_LOSS = LossOptions(
    content_layers=("conv3_2",),
    style_layers=("conv1_1", "conv2_1", "conv3_1", "conv4_1"),
    style_weight=20.0,
)
"""The loss that trainings had by default at first, and that counts where a card is silent."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(LearningOptions):
    """How styles are learnt. The weights are of relative losses: one default serves all.

    By default Gram matrices and covariances compare a painting, smoothed by a pixel. The
    photograph's light and shade are kept.
    """

    batch: int = knob(1, "Photographs per step.", low=1, high=1024)
    style_size: int = knob(
        384, "Long side of the painting: larger, bolder strokes.", low=64, high=4096
    )
    style_crop: str = knob(
        "whole",
        "Part of the painting: whole, left, center, right, or X,Y,WIDTH,HEIGHT (0 to 1).",
    )
    style_smoothing: float = knob(
        1.0,
        "Deviation in pixels of a Gaussian over the painting; 0 learns its grain, as a weave.",
        low=0,
        high=10,
        before=0.0,
    )
    grain: float = knob(
        StylizeOptions.grain,
        "Grain of the photographs, in levels of 255, as impasto stylize lays over them.",
        low=0,
        high=64,
    )
    paper: float = knob(
        0.05,
        "Part of the photographs with black bars or white margins, which shall keep their tone.",
        low=0,
        high=1,
        before=0.0,
    )
    tune: str = knob(
        "all",
        "What is learnt: all, or only the norms of new styles in the network of --start.",
        choices=("all", "norms"),
    )
    apart: bool = knob(
        False, "Give each painting a network of its own; all learn at once, each as if alone."
    )
    learn_strength: bool = knob(
        False, "Learn the strength of the style as an input.", was="strength"
    )
    held_out: int = knob(4, "Photographs kept apart to validate with.", low=0, high=1000)
    precompute: int = knob(
        0, "Crops whose content features are kept on disk and used again; 0: none.", low=0
    )
    tensorboard: bool = knob(False, "Write losses for TensorBoard as well.")
    loss: LossOptions = knob(
        replace(PLAIN_LOSS, style_statistic="gram-covariance", tone_weight=2.0),
        "What is made small.",
    )
    network: NetworkOptions = knob(NetworkOptions(), "Shape of the network.")

    def __post_init__(self) -> None:
        super().__post_init__()
        alone = self.tune == "all" and not self.learn_strength and self.network.norm == "instance"
        if self.apart and not alone:
            raise OptionError(
                "networks that learn at once learn all their weights, with instance norm",
                hint="leave out --apart, or --tune norms, --learn-strength and --norm",
            )


@dataclass(frozen=True, kw_only=True)
class TrainAnyOptions(LearningOptions):
    """How a hypernetwork learns to make styles of paintings, with relative losses."""

    steps: int = knob(20_000, "Training steps.", low=1, high=999_999_999)
    learning_rate: float = knob(
        7e-3, "Peak learning rate of the directions; all else has a part of it.", low=1e-6, high=1
    )
    save_every: int = knob(500, "Steps between checkpoints.", low=1)
    styles: int = knob(8, "Paintings per step, each with a network of its own.", low=1, high=256)
    batch: int = knob(
        2, "Photographs per step, each painted by all of these networks.", low=1, high=256
    )
    uses: int = knob(
        4, "Steps that a painting serves in: what is seen of it is measured once.", low=1, high=64
    )
    first_crop: int = knob(
        128,
        "Side of the training crops for the first half; they grow to --crop in the second.",
        low=32,
        high=2048,
    )
    style_size: int = knob(288, "Side of the paintings in pixels, at the end.", low=32, high=1024)
    style_smoothing: float = knob(
        1.0,
        "Deviation in pixels of a Gaussian over what is wanted of a painting: no weave.",
        low=0,
        high=10,
    )
    recolored: float = knob(
        0.5, "Part of the paintings whose colours are mixed anew.", low=0, high=1
    )
    photo_styles: float = knob(
        0.1, "Part of the paintings that are photographs instead.", low=0, high=1
    )
    boldness: float = knob(
        3.2, "The boldness is drawn between 1 over this and this.", low=1, high=10
    )
    grain: float = knob(
        StylizeOptions.grain,
        "Grain of the photographs, in levels of 255, as impasto stylize lays over them.",
        low=0,
        high=64,
    )
    held_out: int = knob(8, "Photographs kept apart to validate with.", low=0, high=1000)
    held_out_paintings: int = knob(8, "Paintings kept apart as well.", low=0, high=1000)
    style_statistic: str = knob(
        "gram-covariance",
        "What style is: gram, covariance, or gram-covariance (more colours).",
        choices=("gram", "covariance", "gram-covariance"),
    )
    style_weight: float = knob(20.0, "Weight of the style loss at a boldness of 1.", low=0)
    tone_weight: float = knob(2.0, "Weight of the photograph's light and shade.", low=0)
    tv_weight: float = knob(0.3, "Weight of total variation: higher is smoother.", low=0)
    lattice_weight: float = lattice()
    hypernetwork: HypernetworkOptions = knob(HypernetworkOptions(), "Its own shape.")
    network: NetworkOptions = knob(NetworkOptions(), "Shape of the networks that it makes.")


@dataclass(frozen=True, kw_only=True)
class PolishOptions(Checked):
    """How a polish learns the style of a painting on from the style made at once."""

    polish: str = knob("", "Learn on for a time such as 60s or 5m, or for so many steps.")
    photos: str | None = knob(
        None, "Folder of photographs to learn with, beside those that came with impasto."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.polish:
            self.amount()

    def amount(self) -> tuple[int, float]:
        """Return the steps, or else the seconds, of the polish.

        Raises:
            OptionError: it is neither, or nothing.
        """
        match = _AMOUNT.fullmatch(self.polish.strip())
        value, unit = (float(match[1]), match[2]) if match else (0.0, None)
        if not value or (not unit and not value.is_integer()):
            raise OptionError(
                f"{self.polish!r} is no time, and no number of steps",
                hint="use --polish 60s, 5m, or 200",
            )
        return (0, value * _SECONDS[unit]) if unit else (int(value), 0.0)


@dataclass(frozen=True, kw_only=True)
class DistillOptions(LearningOptions):
    """How a smaller network learns to paint as a style does."""

    batch: int = knob(2, "Photographs per step.", low=1, high=1024)
    grain: float = knob(
        StylizeOptions.grain,
        "Grain of every other photograph, in levels of 255; films are painted without.",
        low=0,
        high=64,
    )
    calm: bool = knob(
        False, "Learn what the style paints without grain: noise changes the paintings less."
    )
    lattice_weight: float = lattice()
    held_out: int = knob(8, "Photographs kept apart to compare on.", low=0, high=1000)
    network: NetworkOptions = knob(NetworkOptions(width=8, blocks=2), "Shape of the network.")


@dataclass(frozen=True, kw_only=True)
class QuantizeOptions(Checked):
    """How a style's network is brought to 8 bits."""

    count: int = knob(24, "Photographs that ranges are measured on.", low=1, high=1000)
    held_out: int = knob(
        12, "Other photographs, that both networks are compared on.", low=1, high=1000
    )
    size: int = knob(768, "Long side of the photographs in pixels.", low=64, high=2048)


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Checked):
    """How the quality of a trained style is measured."""

    count: int = knob(5, "Photographs that are measured.", low=1, high=1000)
    size: int = knob(256, "Long side of the photographs in pixels.", low=64, high=2048)
    iterations: int = knob(
        500, "Iterations of L-BFGS that the network is compared with.", low=1, high=10_000
    )
    init: str = knob(
        "noise",
        "Initial image of L-BFGS: noise, as published, or the content, a harder match.",
        choices=("noise", "content"),
        was="start",
    )
    grain: float = knob(
        StylizeOptions.grain,
        "Grain of the photographs that the network paints, as impasto stylize lays over them.",
        low=0,
        high=64,
    )
    flicker_noise: float = knob(
        2.0,
        "Deviation of the noise that tests for flicker, of 255.",
        low=0.5,
        high=64,
        was="noise",
    )
    polish: tuple[str, ...] = knob(
        (), "With --any: also after a polish of such times, or steps: 10s,60s."
    )
    second: str | None = knob(None, "Second loss network that measures content as well.")
    second_weights: str | None = knob(None, "File with its weights; found by default.")
    seed: int = knob(0, "Same seed, same noise.", low=0)
    device: str = knob(
        "auto",
        "Device of the loss network: auto, cpu, cuda or mps.",
        choices=("auto", "cpu", "cuda", "mps"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in self.polish:
            PolishOptions(polish=each or "0")


@dataclass(frozen=True, kw_only=True)
class SearchOptions(Checked):
    """How layers and weights are searched, on small paintings of the optimiser."""

    trials: int = knob(60, "Paintings that are tried, those of earlier calls included.", low=1)
    size: int = knob(192, "Long side of the paintings in pixels.", low=64, high=2048)
    steps: int = knob(60, "Evaluations of loss and gradient for each.", low=1)
    loss_network: str = knob("vgg19", "Loss network whose layers are searched.", was="network")
    weights: str | None = knob(None, "File with its weights; found by default.")
    judge: str = knob("squeezenet1_1", "Loss network that judges; another than --loss-network.")
    judge_weights: str | None = knob(None, "File with its weights; found by default.")
    choices: int = knob(8, "Best balances that are shown and written.", low=1, high=26)
    seed: int = knob(0, "Same seed, same trials, if one process makes them all.", low=0)

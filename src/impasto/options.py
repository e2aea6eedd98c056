"""Every knob of impasto: its default, its range, and one line that says what it does.

The command line takes its defaults and help from here, and the documentation is tested
against it. Making one of these objects checks it: a value out of range is an
:class:`~impasto.errors.OptionError`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from impasto.errors import OptionError


def _knob(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    return field(
        default=default, metadata={"doc": doc, "low": low, "high": high, "choices": choices}
    )


class _Checked:
    """Checks each field against its range or its choices when the object is made."""

    def __post_init__(self) -> None:
        for knob in fields(self):  # type: ignore[arg-type]
            name, value = knob.name.replace("_", " "), getattr(self, knob.name)
            low, high, choices = (knob.metadata[key] for key in ("low", "high", "choices"))
            if choices and value not in choices:
                raise OptionError(f"{name} is {value!r}", hint=f"it must be {_either(choices)}")
            if low is high is None or value is knob.default is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise OptionError(f"{name} must be a number, not {value!r}")
            too_low = low is not None and value < low
            too_high = high is not None and value > high
            if math.isnan(value) or too_low or too_high:
                limits = f"from {low} to {high}" if high is not None else f"{low} or more"
                raise OptionError(f"{name} is {value}", hint=f"it must be {limits}")


def _either(choices: tuple[str, ...]) -> str:
    return " or ".join((", ".join(choices[:-1]), choices[-1]))


def doc(options: type, knob: str) -> str:
    """The line that says what ``knob`` does."""
    return str(next(f.metadata["doc"] for f in fields(options) if f.name == knob))


def flattened(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names in words and values of a nested record, such as options or a card."""
    for key, value in record.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, dict):
            yield from flattened(value, f"{name} ")
        else:
            yield name, value


def changed(options: Any, values: Mapping[str, Any]) -> Any:
    """``options`` with knobs replaced by name, those of options inside it too.

    Several layers are a list, or a text with commas.

    Raises:
        OptionError: a name that is no knob, or a value out of range.
    """
    known = set(_names(options))
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise OptionError(
                f"there is no option {name!r}", hint=f"did you mean {near[0]}?" if near else ""
            )
    return _changed(options, values)


def _names(options: Any) -> Iterator[str]:
    for knob in fields(options):
        value = getattr(options, knob.name)
        if is_dataclass(value):
            yield from _names(value)
        else:
            yield knob.name


def _changed(options: Any, values: Mapping[str, Any]) -> Any:
    changes: dict[str, Any] = {}
    for knob in fields(options):
        value = getattr(options, knob.name)
        if is_dataclass(value):
            changes[knob.name] = _changed(value, values)
        elif knob.name in values:
            given = values[knob.name]
            changes[knob.name] = _several(given) if isinstance(value, tuple) else given
    return replace(options, **changes)


def _several(given: Any) -> tuple[str, ...]:
    parts = given.split(",") if isinstance(given, str) else given
    return tuple(part.strip() for part in parts if part.strip())


@dataclass(frozen=True)
class StylizeOptions(_Checked):
    """How a photograph is painted."""

    strength: float = _knob(1.0, "How much of the painting: 0 none, 1 all.", low=0, high=1)
    keep_colors: bool = _knob(False, "Keep the photograph's colours; paint lightness only.")
    size: int | None = _knob(
        None,
        "Long side of the result in pixels; as it is by default.",
        low=1,
        high=65_500,
    )
    stroke: float | None = _knob(
        None,
        "Brush size in proportion to the picture, 1 as at 1024 pixels; else fixed in pixels.",
        low=0.1,
        high=10,
    )


@dataclass(frozen=True)
class ReadOptions(_Checked):
    """What is read, and what is refused from the header."""

    max_pixels: int = _knob(200_000_000, "Largest picture that is read, in pixels.", low=1)
    max_side: int = _knob(65_500, "Longest side that is read, in pixels.", low=1)
    max_bytes: int = _knob(1_000_000_000, "Largest file that is read, in bytes.", low=1)


@dataclass(frozen=True)
class WriteOptions(_Checked):
    """How a picture becomes a file."""

    quality: int = _knob(95, "Quality of JPEG, WebP and AVIF (JPEG at 4:4:4).", low=1, high=100)
    strip: bool = _knob(False, "Drop all metadata: camera, date, place, comments.")


@dataclass(frozen=True)
class NetworkOptions(_Checked):
    """The shape of a transform network."""

    design: str = _knob(
        "impasto", "Design: impasto (ours, fast) or johnson (2016).", choices=("impasto", "johnson")
    )
    width: int = _knob(
        16, "Channels of the first layer; doubled at each step down.", low=4, high=128
    )
    blocks: int = _knob(5, "Residual blocks.", low=0, high=32)
    norm: str = _knob("instance", "Norm: instance or batch.", choices=("instance", "batch"))
    activation: str = _knob("relu", "Activation: relu or selu.", choices=("relu", "selu"))
    separable: bool = _knob(False, "Depthwise-separable convolutions in the residual blocks.")
    upsampling: str = _knob(
        "bilinear",
        "johnson enlarges by: bilinear or nearest (then convolved), or transposed.",
        choices=("bilinear", "nearest", "transposed"),
    )
    shrink: int = _knob(
        1, "johnson works at a half (2) or a quarter (4) of the size.", low=1, high=4
    )
    pad: str = _knob(
        "replicate",
        "johnson pads by: replicate, reflect or zeros.",
        choices=("replicate", "reflect", "zeros"),
    )
    output: str = _knob(
        "linear", "johnson ends in: linear, tanh or sigmoid.", choices=("linear", "tanh", "sigmoid")
    )


@dataclass(frozen=True)
class LossOptions(_Checked):
    """What makes a painting good: the same words for the optimiser and the trainer.

    Layers are ``NAME`` or ``NAME:WEIGHT``; without any, the loss network's own are taken.
    """

    network: str = _knob("vgg19", "Loss network: vgg19, vgg16, resnet50, ...")
    weights: str | None = _knob(None, "File with that network's weights; found by default.")
    pooling: str = _knob("max", "Pooling: max or average.", choices=("max", "average"))
    padding: str = _knob(
        "replicate",
        "Padding: replicate (edge repeated, first layer), same (zeros) or valid (none).",
        choices=("same", "valid", "replicate"),
    )
    content_layers: tuple[str, ...] = _knob((), "Layers of the content loss.")
    style_layers: tuple[str, ...] = _knob((), "Layers of the style loss.")
    statistic: str = _knob(
        "gram",
        "What style is: gram, moments (mean and deviation) or wasserstein (mean, covariance).",
        choices=("gram", "moments", "wasserstein"),
    )
    scale: str = _knob(
        "relative",
        "How losses are scaled: relative (to the target), or as gatys, johnson or mean do.",
        choices=("relative", "gatys", "johnson", "mean"),
    )
    balance: str = _knob(
        "none",
        "initial divides each layer's loss by what it is at the start.",
        choices=("none", "initial"),
    )
    content_weight: float = _knob(1.0, "Weight of the content loss.", low=0)
    style_weight: float = _knob(8.0, "Weight of the style loss.", low=0)
    tv_weight: float = _knob(0.3, "Weight of total variation: higher is smoother.", low=0)
    tv: str = _knob(
        "anisotropic",
        "Total variation: anisotropic, isotropic, or squared (summed, 0 to 255).",
        choices=("anisotropic", "isotropic", "squared"),
    )


@dataclass(frozen=True)
class OptimizeOptions(_Checked):
    """How a picture is optimised."""

    size: int = _knob(512, "Long side of the result in pixels.", low=32, high=8192)
    steps: int = _knob(200, "Evaluations of loss and gradient, over all scales.", low=1)
    scales: int = _knob(
        0, "Sizes from coarse to fine, each twice the one before; 0 chooses.", low=0, high=8
    )
    optimizer: str = _knob("lbfgs", "Optimiser: lbfgs or adam.", choices=("lbfgs", "adam"))
    learning_rate: float = _knob(0.02, "Adam's step, of a range of 1.", low=1e-6, high=1)
    history: int = _knob(10, "Pairs that L-BFGS remembers.", low=1, high=100)
    start: str = _knob(
        "content", "Start from content, style, uniform, normal, grey, or a picture's file."
    )
    noise: float = _knob(0.0, "Part of uniform noise mixed into the start.", low=0, high=1)
    average: float = _knob(
        0.0, "Decay of the running mean of iterates that is the result; 0: the last.",
        low=0, high=0.9999,
    )  # fmt: skip
    tolerance: float = _knob(
        0.0,
        "Stop a scale when a step improves the loss by a smaller part than this.",
        low=0,
        high=1,
    )
    box: bool = _knob(True, "Keep every pixel within black and white at each step.")
    seed: int = _knob(0, "Same seed, same picture.", low=0)
    device: str = _knob(
        "auto", "Device: auto, cpu, cuda or mps.", choices=("auto", "cpu", "cuda", "mps")
    )
    style_scale: float = _knob(
        1.0, "Size of the style picture beside the content: larger, bolder.", low=0.05, high=8
    )
    style_size: int | None = _knob(
        None,
        "Long side of the style picture in pixels, instead of --style-scale.",
        low=32,
        high=8192,
    )
    style_crop: str = _knob(
        "whole",
        "Part of the style: whole, left, center, right, auto, or X,Y,WIDTH,HEIGHT (0 to 1).",
    )
    colors: str = _knob(
        "painting",
        "Colours: painting; or the photograph's by luminance, statistics or histogram.",
        choices=("painting", "luminance", "statistics", "histogram"),
    )
    loss: LossOptions = _knob(LossOptions(), "What is made small.")


@dataclass(frozen=True)
class TrainOptions(_Checked):
    """How styles are learnt. The weights are of relative losses: one default serves all."""

    steps: int = _knob(2000, "Training steps.", low=1)
    batch: int = _knob(1, "Photographs per step.", low=1, high=1024)
    crop: int = _knob(256, "Side of the training crops in pixels.", low=64, high=2048)
    style_size: int = _knob(
        512, "Long side of the painting: larger, bolder strokes.", low=64, high=4096
    )
    learning_rate: float = _knob(2e-3, "Peak learning rate of Adam.", low=1e-6, high=1)
    tune: str = _knob(
        "all",
        "What is learnt: all, or only the norms of new styles in the network of --start.",
        choices=("all", "norms"),
    )
    strength: bool = _knob(False, "Learn the strength of the style as an input.")
    held_out: int = _knob(4, "Photographs kept apart to validate with.", low=0, high=1000)
    precompute: int = _knob(
        0, "Crops whose content features are kept on disk and used again; 0: none.", low=0
    )
    tensorboard: bool = _knob(False, "Write losses for TensorBoard as well.")
    seed: int = _knob(0, "Same seed, same photographs, same network.", low=0)
    save_every: int = _knob(100, "Steps between checkpoints.", low=1)
    loss: LossOptions = _knob(
        LossOptions(
            content_layers=("conv3_2",),
            style_layers=("conv1_1", "conv2_1", "conv3_1", "conv4_1"),
            style_weight=5.0,
        ),
        "What is made small.",
    )
    network: NetworkOptions = _knob(NetworkOptions(), "Shape of the network.")


@dataclass(frozen=True)
class QuantizeOptions(_Checked):
    """How a style's network is brought to 8 bits."""

    count: int = _knob(24, "Photographs that ranges are measured on.", low=1, high=1000)
    held_out: int = _knob(
        12, "Other photographs, that both networks are compared on.", low=1, high=1000
    )
    size: int = _knob(768, "Long side of the photographs in pixels.", low=64, high=2048)


@dataclass(frozen=True)
class EvaluateOptions(_Checked):
    """How the quality of a trained style is measured."""

    count: int = _knob(5, "Photographs that are measured.", low=1, high=1000)
    size: int = _knob(256, "Long side of the photographs in pixels.", low=64, high=2048)
    iterations: int = _knob(
        500, "Iterations of L-BFGS that the network is compared with.", low=1, high=10_000
    )
    start: str = _knob(
        "noise",
        "Where L-BFGS begins: noise, as published, or the content, a harder match.",
        choices=("noise", "content"),
    )
    noise: float = _knob(
        2.0, "Deviation of the noise that tests for flicker, of 255.", low=0.5, high=64
    )
    second: str | None = _knob(None, "Second loss network that measures content as well.")
    second_weights: str | None = _knob(None, "File with its weights; found by default.")
    seed: int = _knob(0, "Same seed, same noise.", low=0)
    device: str = _knob(
        "auto",
        "Device of the loss network: auto, cpu, cuda or mps.",
        choices=("auto", "cpu", "cuda", "mps"),
    )


@dataclass(frozen=True)
class SearchOptions(_Checked):
    """How layers and weights are searched, on small paintings of the optimiser."""

    trials: int = _knob(60, "Paintings that are tried, those of earlier calls included.", low=1)
    size: int = _knob(192, "Long side of the paintings in pixels.", low=64, high=2048)
    steps: int = _knob(60, "Evaluations of loss and gradient for each.", low=1)
    network: str = _knob("vgg19", "Loss network whose layers are searched.")
    weights: str | None = _knob(None, "File with its weights; found by default.")
    judge: str = _knob("squeezenet1_1", "Loss network that judges; another than --network.")
    judge_weights: str | None = _knob(None, "File with its weights; found by default.")
    choices: int = _knob(8, "Best balances that are shown and written.", low=1, high=26)
    seed: int = _knob(0, "Same seed, same trials, if one process makes them all.", low=0)

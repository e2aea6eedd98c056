"""Every knob of impasto: its default, its range, and one line that says what it does.

The command line takes its defaults and help from here, and the documentation is tested
against it. Making one of these objects checks it: a value out of range is an
:class:`~impasto.errors.OptionError`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from impasto.errors import OptionError


def _knob(default: Any, doc: str, *, low: float | None = None, high: float | None = None) -> Any:
    return field(default=default, metadata={"doc": doc, "low": low, "high": high})


class _Checked:
    """Checks each numeric field against its range when the object is made."""

    def __post_init__(self) -> None:
        for knob in fields(self):  # type: ignore[arg-type]
            low, high = knob.metadata["low"], knob.metadata["high"]
            value = getattr(self, knob.name)
            if value is None or low is high is None:
                continue
            name = knob.name.replace("_", " ")
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise OptionError(f"{name} must be a number, not {value!r}")
            too_low = low is not None and value < low
            too_high = high is not None and value > high
            if math.isnan(value) or too_low or too_high:
                limits = f"from {low} to {high}" if high is not None else f"{low} or more"
                raise OptionError(f"{name} is {value}", hint=f"it must be {limits}")


def doc(options: type, knob: str) -> str:
    """The line that says what ``knob`` does."""
    return str(next(f.metadata["doc"] for f in fields(options) if f.name == knob))


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

    width: int = _knob(16, "Channels at half resolution; doubled at each step.", low=4, high=64)
    shape_blocks: int = _knob(2, "Residual blocks at an eighth of the resolution.", low=0, high=16)
    stroke_blocks: int = _knob(3, "Residual blocks at a quarter of it.", low=0, high=16)


@dataclass(frozen=True)
class TrainOptions(_Checked):
    """How a style is learnt. The weights are of relative losses: one default serves all."""

    steps: int = _knob(2000, "Training steps.", low=1)
    batch: int = _knob(1, "Photographs per step.", low=1, high=1024)
    crop: int = _knob(256, "Side of the training crops in pixels.", low=64, high=2048)
    style_size: int = _knob(
        512, "Long side of the painting: larger, bolder strokes.", low=64, high=4096
    )
    content_weight: float = _knob(1.0, "Weight of the content loss.", low=0)
    style_weight: float = _knob(5.0, "Weight of the style loss.", low=0)
    tv_weight: float = _knob(0.3, "Weight of total variation: higher is smoother.", low=0)
    learning_rate: float = _knob(2e-3, "Peak learning rate of Adam.", low=1e-6, high=1)
    seed: int = _knob(0, "Same seed, same photographs, same network.", low=0)
    save_every: int = _knob(100, "Steps between checkpoints.", low=1)
    content_layer: str = _knob("conv3_2", "Layer of the content loss.")
    style_layers: tuple[str, ...] = _knob(
        ("conv1_1", "conv2_1", "conv3_1", "conv4_1"), "Layers of the style loss."
    )
    network: NetworkOptions = _knob(NetworkOptions(), "Shape of the network.")

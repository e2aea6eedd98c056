"""The card of a style, part by part."""

from __future__ import annotations

import builtins
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Self

from impasto.catalog.part import LONGEST, NULL, Part
from impasto.errors import OptionError
from impasto.options import LossOptions, NetworkOptions
from impasto.options.fields import Json

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME = 100
"""Most letters of a style's name, which names files together with the name of a photograph."""


@dataclass(frozen=True)
class Artwork(Part):
    """The painting that a style was learnt from."""

    title: str
    artist: str
    year: str
    licence: str


@dataclass(frozen=True)
class Closeness(Part):
    """How close paintings of 8 bits are to those of floats: levels of 255, and decibels."""

    levels: float
    psnr: float | None = field(default=None, metadata=NULL)
    """None means that there is no difference."""


@dataclass(frozen=True)
class Quantization(Part):
    """How a network was brought to 8 bits."""

    bits: int
    kept_in_floats: tuple[str, ...] | None = None
    """Large convolutions that stayed as they were."""
    bound: Closeness | None = None
    measured: Closeness | None = None
    photographs: tuple[str, ...] | None = None
    held_out: int | None = None


@dataclass(frozen=True)
class Model(Part):
    """The file of a network."""

    file: str
    sha256: str
    """Hash of the file; in a blend of several networks, hash of the networks and their shares."""
    bytes: int
    opset: int | None = None
    quantized: Quantization | None = None

    @classmethod
    def written(cls, file: str, data: builtins.bytes, opset: int | None) -> Self:
        """Describe a network's file with these bytes."""
        return cls(file, hashlib.sha256(data).hexdigest(), len(data), opset)

    def holding(self, data: builtins.bytes) -> Self:
        """Describe the same file with other bytes."""
        return replace(self, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


@dataclass(frozen=True)
class NetworkShape(Part):
    """The shape of a network."""

    options: NetworkOptions | None
    """None means a kind that only newer versions know."""
    parameters: int
    strength: bool = False
    """Whether it takes the style's strength; other styles get their strength from blending."""
    stride: int | None = None

    @classmethod
    def of(cls, source: Json, name: str = "it") -> Self:
        """Read as :meth:`Part.of` does; options and the rest lie in one object."""
        if not isinstance(source, dict):
            raise TypeError(f"{name} is not an object")
        knobs = {each.name for each in fields(NetworkOptions)}
        rest = {key: value for key, value in source.items() if key not in knobs}
        options = {key: value for key, value in source.items() if key in knobs}
        return super().of({"options": options, **rest}, name)

    def record(self) -> dict[str, Json]:
        record = super().record()
        options = record.pop("options")
        return {**options, **record} if isinstance(options, dict) else record


@dataclass(frozen=True)
class StepTimes(Part):
    """Seconds that a step took, with content features computed and kept."""

    computed: float
    kept: float


@dataclass(frozen=True)
class TrainingRecord(Part):
    """How a style was learnt: options and results of its training.

    None stands for what another kind of training, or an older version, did not record.
    """

    steps: int | None = None
    batch: int | None = None
    crop: int | None = None
    style_size: int | None = None
    style_crop: str | None = None
    style_smoothing: float | None = None
    grain: float | None = None
    paper: float | None = None
    calm: bool | None = None
    lattice_weight: float | None = None
    """Lattice weight of a distillation; a training has it among its losses."""
    learning_rate: float | None = None
    tune: str | None = None
    apart: bool | None = None
    """Whether other styles learnt beside it, each in a network of its own."""
    learn_strength: bool | None = field(default=None, metadata={"was": "strength"})
    held_out: int | None = None
    precompute: int | None = None
    tensorboard: bool | None = None
    seed: int | None = None
    save_every: int | None = None
    device: str | None = None
    loss: LossOptions | None = None
    network: NetworkOptions | None = None
    start: str | None = field(default=None, metadata=NULL)
    """The style that the training started from."""
    photographs: int | None = None
    skipped: tuple[str, ...] | None = None
    """Files that were skipped because they are no photographs."""
    losses: Mapping[str, float] | None = field(default=None, hash=False)
    """Means of the last tenth of the steps, by kind."""
    seconds: int | None = None
    validation: float | None = None
    seconds_per_step: StepTimes | None = None
    versions: Mapping[str, str] | None = field(default=None, hash=False)
    then: str | None = None
    """A later treatment of the weights."""


@dataclass(frozen=True)
class Teacher(Part):
    """The style that a smaller network learnt to imitate."""

    style: str
    sha256: str


@dataclass(frozen=True)
class Prediction(Part):
    """The origin of a style that a hypernetwork made: a painting, or several."""

    hypernetwork: str
    sha256: str
    """Hash of the hypernetwork's file."""
    boldness: float
    embedding: tuple[float, ...]
    """The place of the style among all others; blends mix this."""


@dataclass(frozen=True)
class Share(Part):
    """A style of a blend, and its share; shares add up to 1."""

    name: str
    share: float


@dataclass(frozen=True)
class Entry(Part):
    """What a card says of one style of a network: its painting, and its own options."""

    name: str
    title: str
    artwork: Artwork
    style_size: int | None = None
    style_crop: str | None = None
    style_weight: float | None = None
    painting_sha256: str | None = None

    def card(
        self,
        model: Model,
        network: NetworkShape,
        licence: str,
        training: TrainingRecord | None,
        distilled: Teacher | None,
    ) -> Card:
        """Make the card of this style of a network."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return Card(
            **own,
            preview=f"{self.name}.jpg",
            licence=licence,
            model=model,
            network=network,
            distilled=distilled,
            training=training,
        )


@dataclass(frozen=True, kw_only=True)
class Card(Entry):
    """The card of a style."""

    preview: str
    licence: str
    model: Model
    network: NetworkShape
    distilled: Teacher | None = None
    training: TrainingRecord | None = None
    prediction: Prediction | None = None
    blend: tuple[Share, ...] | None = None

    @classmethod
    def of(cls, source: Json, name: str = "it") -> Self:
        card = super().of(source, name)
        if not _is_name(card.name):
            raise ValueError(f"{card.name[:_LONGEST_NAME]!r} cannot be the name of a style")
        for file in (card.model.file, card.preview):
            if Path(file).name != file:
                raise ValueError(f"{file!r} is not a plain file name")
        return card


def valid_name(name: str) -> str:
    """Return ``name`` itself, if a style may have it.

    Raises:
        OptionError: it has other characters than a-z, 0-9 and single hyphens.
    """
    if not _is_name(name):
        raise OptionError(
            f"{name[: _LONGEST_NAME + 1]!r} cannot be the name of a style",
            hint=f"use up to {_LONGEST_NAME} small letters, digits and hyphens, such as my-style",
        )
    return name


def valid_text(what: str, text: str) -> str:
    """Return ``text`` itself, if a card may hold it.

    Raises:
        OptionError: it is too long, or has half of a character, as of a name that is not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise OptionError(f"the {what} is not UTF-8", hint="give it in UTF-8") from error
    if len(text) > LONGEST:
        raise OptionError(f"the {what} has more than {LONGEST} characters", hint="shorten it")
    return text


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and bool(NAME.fullmatch(text))

"""A style on disk, and the styles that a folder holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from impasto.catalog import layout, placing, verify, writing
from impasto.catalog.card import Artwork, Card, TrainingRecord
from impasto.errors import OptionError, OutputError
from impasto.inference import interpolation, network
from impasto.inference.onnx_proto import Network
from impasto.options import PLAIN_LOSS, LossOptions, TrainOptions
from impasto.options.fields import Json

_OF_BLENDS = "name", "title", "artwork", "licence", "blend"


@dataclass(frozen=True)
class Style:
    """A network, and the share of each of its styles in what it paints."""

    card: Card
    folder: Path
    """The folder of its files; for a style in no folder, the folder of what made it."""
    weights: tuple[float, ...] = (1.0,)
    parts: tuple[tuple[Style, float], ...] = ()
    """The styles whose networks are averaged to make this one's network, each with its share."""
    network: bytes | None = field(default=None, repr=False)
    """The network itself, for a style that is in no folder."""

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def preview(self) -> Path:
        return self.folder / self.card.preview

    def record(self) -> dict[str, Json]:
        """Return its card as JSON; for a blend of several networks, what is true of the blend
        alone."""
        record = self.card.record()
        return {key: record[key] for key in _OF_BLENDS} if self.parts else record

    def loaded(self) -> Network:
        """Return the verified network.

        Raises:
            StyleError: the file is missing, damaged or foreign.
            OptionError: a blend of networks that cannot be averaged.
        """
        if self.network is not None:
            return network.read(self.network)
        if not self.parts:
            return verify.load(self.folder / self.card.model.file, self.card.model.sha256)
        networks = [part.loaded() for part, _ in self.parts]
        try:
            return interpolation.between(networks, [share for _, share in self.parts])
        except ValueError as error:
            raise unblendable([part for part, _ in self.parts], str(error)) from error

    def model(self) -> bytes:
        """Return the verified network as ONNX, written anew; raises as :meth:`loaded` does."""
        return self.loaded().encoded()

    def save(
        self,
        folder: str | Path,
        *,
        artwork: Artwork | None = None,
        overwrite: bool = False,
        learnable: bytes | None = None,
    ) -> Path:
        """Save a style that is in no folder: the style of a painting, or a blend.

        A plain name goes to the user's styles, where ``-s NAME`` finds it. The last part of
        ``folder`` becomes the style's name. ``artwork`` describes the painting on the card.
        ``learnable`` is the file that a later training continues from.

        Raises:
            OptionError: it is in a folder already, or the name cannot be one of a style.
            OutputError: there is a style in ``folder``, and ``overwrite`` is off.
        """
        target = placing.place(folder)
        if self.network is None and not self.parts:
            raise OptionError(f"{self.name} is in a folder already: {self.folder}")
        if not overwrite and (target / layout.CARD).exists():
            raise OutputError(f"{target} is a style already", hint="--overwrite replaces it")
        artwork = artwork or self.card.artwork
        card = replace(self.card, name=target.name, title=artwork.title, artwork=artwork)
        return writing.write_network(target, self.model(), card, learnable)


Shares = Sequence[tuple[Style, float]]
"""Styles of a blend, each with its share; shares add up to 1."""


def joined(texts: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(texts))


def unblendable(styles: Sequence[Style], reason: str) -> OptionError:
    return OptionError(
        f"{joined(style.name for style in styles)} cannot be blended: {reason}",
        hint="blend styles of one network, or ones learnt with one --start and not quantized",
    )


def read(folder: Path) -> tuple[Style, ...]:
    """Read the styles in ``folder``; their network is checked later, when it is loaded.

    Raises:
        StyleError: the card is damaged or from a newer version.
    """
    return of_cards(folder, layout.cards(folder))


def of_cards(folder: Path, cards: Sequence[Card]) -> tuple[Style, ...]:
    """Make the styles that the cards in ``folder`` describe."""
    return tuple(
        Style(card, folder, tuple(float(card is other) for other in cards)) for card in cards
    )


class LearntWith(NamedTuple):
    """What a style's training made small, and how it saw the painting."""

    loss: LossOptions
    size: int
    """Long side of the painting, in pixels."""
    crop: str
    smoothing: float
    """Deviation of the Gaussian over it, in pixels."""


def learnt_with(style: Style) -> LearntWith:
    """Return what the style's card says of these.

    A card that does not tell of a Gaussian is older than it.

    Raises:
        OptionError: the loss is one of a newer version.
    """
    card, defaults = style.card, TrainOptions()
    training = card.training or TrainingRecord()
    if "loss" in training.unread:
        raise OptionError(
            f"the card of {style.name} tells of a loss that is not known here",
            hint="update with pip install -U impasto",
        )
    loss = training.loss or PLAIN_LOSS
    if card.style_weight is not None:  # one style of several may have its own
        loss = replace(loss, style_weight=card.style_weight)
    size = card.style_size or training.style_size or defaults.style_size
    crop = card.style_crop or training.style_crop or defaults.style_crop
    return LearntWith(loss, size, crop, training.style_smoothing or 0)

"""Any painting as a style: a hypernetwork makes its network at once."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from impasto import images
from impasto.catalog import hypernetwork
from impasto.catalog.card import Artwork, Card, Prediction
from impasto.catalog.hypernetwork import Hypernetwork, Weights
from impasto.catalog.part import LONGEST
from impasto.catalog.style import Shares, Style
from impasto.errors import OptionError, PictureError
from impasto.images import operations
from impasto.images.crop import cropped
from impasto.options import StyleOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.picture import Picture
    from impasto.images.raster import PictureSource, Size
    from impasto.inference.onnx_proto import Network

_SMALLEST = 32
"""Pixels that each side of a painting has at least."""
_NARROWEST = 16
"""The same for the painting at the size at which the network sees it."""
_FLAT = 3
"""Levels of 255 within which a picture is of a single colour."""
_LONGEST = 48
"""The most letters that a style's name takes from a file's name."""
_UNKNOWN = ("unknown",) * 3
"""Artist, year and licence of a painting that is only a file."""
_LICENCE = "MIT"
"""The licence of a network that was made, as of the hypernetwork that made it."""
_REMEMBERED = 8
"""How many paintings' networks are kept; each takes half a megabyte."""


def style_of(
    painting: PictureSource, options: StyleOptions | None = None, *, name: str = ""
) -> Style:
    """Make the style of a painting: of anything that holds a picture.

    The style is called ``name``, or like its file. The same painting with the same options gives
    the same style, bit for bit.

    Raises:
        OptionError: a value that is not allowed, or ``painting`` holds no picture.
        PictureError: it cannot be read, is too small, or has a single colour.
        StyleError: the hypernetwork is missing or damaged.
    """
    options = options or StyleOptions()
    maker = _chosen(options.hypernetwork)
    picture = seen(painting, options.style_size or maker.card.style_size, options.style_crop)
    size, pixels = (picture.height, picture.width), picture.pixels.tobytes()
    embedding = _embedding(maker, size, pixels, options.boldness)
    title = _printable(name or _stem(painting))
    called = plain_name(title) or f"painting-{picture.sha256[:6]}"
    card = replace(
        card_of(maker, called, title or called),
        style_size=max(size),
        style_crop=options.style_crop,
        painting_sha256=picture.sha256,
    )
    return _style(maker, card, _prediction(maker, options.boldness, embedding))


def card_of(maker: Hypernetwork, name: str, title: str) -> Card:
    """Return the card of a style that ``maker`` makes of a painting."""
    return Card(
        name=name,
        title=title,
        artwork=Artwork(title, *_UNKNOWN),
        preview=f"{name}.jpg",
        licence=_LICENCE,
        model=maker.card.template,
        network=maker.card.network,
    )


def seen(painting: PictureSource, size: int, crop: str, smoothing: float = 0) -> Picture:
    """Return the part of a painting that gives the style, with ``size`` pixels along its longer
    side.

    A Gaussian removes finer detail. Its deviation is ``smoothing``, in pixels.

    Raises:
        OptionError: ``crop`` is no part of a picture.
        PictureError: it cannot be read, or there is no style in it.
    """
    picture = cropped(operations.opaque(images.open_any(painting)), crop, aspect=1)
    what = os.fspath(painting) if isinstance(painting, (str, os.PathLike)) else "the painting"
    width, height = picture.width, picture.height
    if min(width, height) < _SMALLEST:
        raise PictureError(
            f"{what} is {width}x{height}, too small to learn a style from",
            hint=f"each side should have {_SMALLEST} pixels or more",
        )
    if min(width, height) * size < _NARROWEST * max(width, height):
        raise PictureError(
            f"{what} is {width}x{height}, too narrow to learn a style from",
            hint="use a part of it, such as --style-crop center",
        )
    picture = picture.resized(size)
    low, high = picture.pixels.min((0, 1)).astype(int), picture.pixels.max((0, 1))
    if (high - low).max() <= _FLAT:
        raise PictureError(
            f"{what} has a single colour, and so no style", hint="give another picture"
        )
    return picture.with_pixels(images.smoothed(picture.pixels, smoothing))


def plain_name(text: str) -> str:
    """Make the name of a style from a text; empty where the text has no letter or digit."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower())
    return plain[:_LONGEST].strip("-")


def mixed(card: Card, shares: Shares) -> Style | None:
    """Mix several styles of one hypernetwork: the mean of their embeddings gives the style.

    ``card`` describes the blend; ``shares`` add up to 1. The result is None if the hypernetwork
    that made the styles is not at hand.

    Raises:
        StyleError: the hypernetwork is damaged, or an embedding is none of its own.
    """
    maker = _maker_of(shares[0][0])
    predictions = [style.card.prediction for style, _ in shares]
    if maker is None or None in predictions:
        return None
    parts = [share for _, share in shares]
    made = [each for each in predictions if each]
    embedding = np.average([each.embedding for each in made], 0, parts)
    boldness = float(np.average([each.boldness for each in made], 0, parts))
    return _style(maker, card, _prediction(maker, boldness, embedding))


def weights(style: Style) -> Weights:
    """Return the weights that a hypernetwork made of a painting.

    Raises:
        OptionError: another hypernetwork made the style, or none did.
        StyleError: the hypernetwork is damaged.
    """
    made_by, prediction = _maker_of(style), style.card.prediction
    if made_by is None or prediction is None:
        raise OptionError(
            f"{style.name} was not made of a painting at once", hint="give a painting's file"
        )
    return made_by.weights(prediction.embedding)


def template(style: Style) -> Network:
    """Return the network, without weights, of a style that is in no folder."""
    return hypernetwork.read(style.folder).template()


def maker(style: Style) -> str:
    """Say which hypernetwork made a style; empty if none did, or if the style learnt more
    afterwards."""
    prediction = style.card.prediction
    return prediction.sha256 if prediction and not style.card.training else ""


def _maker_of(style: Style) -> Hypernetwork | None:
    candidates = [hypernetwork.bundled()]
    if style.network is not None:
        candidates.append(hypernetwork.read(style.folder))
    return next((each for each in candidates if each.card.model.sha256 == maker(style)), None)


def _chosen(folder: str | None) -> Hypernetwork:
    return hypernetwork.read(Path(folder)) if folder else hypernetwork.bundled()


def _stem(painting: PictureSource) -> str:
    return Path(painting).stem if isinstance(painting, (str, os.PathLike)) else ""


def _printable(text: str) -> str:
    """Return the letters of a file's name that a card may contain."""
    return "".join(each for each in text if each.isprintable())[:LONGEST]


def _prediction(
    maker: Hypernetwork, boldness: float, embedding: NDArray[np.floating]
) -> Prediction:
    numbers = tuple(float(each) for each in embedding.astype(np.float32))
    return Prediction(maker.card.name, maker.card.model.sha256, boldness, numbers)


def _style(maker: Hypernetwork, card: Card, prediction: Prediction) -> Style:
    """Make the style of an embedding; ``card`` describes the style."""
    network = _network(maker, prediction.embedding)
    model = maker.card.template.holding(network)
    return Style(replace(card, model=model, prediction=prediction), maker.folder, network=network)


@lru_cache(maxsize=_REMEMBERED)
def _network(maker: Hypernetwork, embedding: tuple[float, ...]) -> bytes:
    return maker.model(embedding)


@lru_cache(maxsize=_REMEMBERED)
def _embedding(
    maker: Hypernetwork, size: Size, pixels: bytes, boldness: float
) -> NDArray[np.float32]:
    return maker.embedding(np.frombuffer(pixels, np.uint8).reshape(*size, 3), boldness)

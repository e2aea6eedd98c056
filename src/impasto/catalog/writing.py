"""Writes a style's folder: one ONNX file, previews, and last the card that makes it a style."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from impasto import images
from impasto.assets import demo_photo
from impasto.catalog import layout
from impasto.catalog.card import Card, Model, valid_text
from impasto.catalog.layout import CARD
from impasto.errors import StyleError
from impasto.files import atomic
from impasto.images.grain import grained
from impasto.inference import network
from impasto.inference.engine import OnnxEngine
from impasto.options import StylizeOptions, WriteOptions

FILE = "style.onnx"
LEARNABLE = "network.safetensors"
"""File in the folder of a trained style: the network as it was learnt, to learn on from."""
_PREVIEW_SIDE = 384
_PREVIEW_QUALITY = WriteOptions(quality=85, strip=True)
_MARK = 8
"""Digits of the SHA-256 in the name of a network that replaces another."""
_MARKED = re.compile(r"style(-[0-9a-f]{8})\.onnx")


def write_network(folder: Path, model: bytes, card: Card, learnable: bytes | None = None) -> Path:
    """Write one style; ``card`` says everything except the name of its file.

    See :func:`write_folder`.

    Raises:
        OptionError: a text of the artwork cannot be in a card.
    """
    for what in ("title", "artist", "year", "licence"):
        valid_text(what, getattr(card.artwork, what))
    file = Model.written(FILE, model, card.model.opset)
    return write_folder(
        folder, model, [replace(card, preview=f"{card.name}.jpg", model=file)], learnable
    )


def write_folder(
    folder: Path, model: bytes, cards: Sequence[Card], learnable: bytes | None = None
) -> Path:
    """Write network, previews and, last, the card that names them.

    ``learnable`` is the file that a training learns on from. An existing style stays whole until
    its card is replaced. New files have other names than the old card has. Files that no card names
    any more are removed afterwards.

    Raises:
        StyleError: the network is not one that impasto accepts.
    """
    network.read(model)
    old = _files(_there(folder))
    if old & _files(cards):
        cards = _marked(cards, f"-{cards[0].model.sha256[:_MARK]}")
    atomic.write(folder / cards[0].model.file, model, overwrite=True)
    start = folder / beside(cards[0].model.file)
    if learnable:
        atomic.write(start, learnable, overwrite=True)
    elif start.exists():  # an interrupted write left it
        start.unlink()
    for name, data in _previews(model, cards):
        atomic.write(folder / name, data, overwrite=True)
    text = json.dumps(layout.record(cards), indent=2, ensure_ascii=False)
    atomic.write(folder / CARD, f"{text}\n".encode("utf-8", "replace"), overwrite=True)
    _tidy(folder, cards, old)
    return folder


def _previews(model: bytes, cards: Sequence[Card]) -> Iterator[tuple[str, bytes]]:
    """Paint the demo photograph in each style of a network, by the names of files."""
    engine = OnnxEngine(model, device="cpu")
    photo = images.read(demo_photo()).resized(_PREVIEW_SIDE)
    ground = grained(photo.pixels, StylizeOptions.grain)
    for weights, each in zip(np.eye(len(cards)), cards, strict=True):
        preview = photo.with_pixels(engine.paint(ground, weights.tolist()))
        yield each.preview, preview.encode("JPEG", _PREVIEW_QUALITY)


def beside(model: str) -> str:
    """Return the name of the file to learn on from, from the name of its network."""
    return f"network{match[1]}.safetensors" if (match := _MARKED.fullmatch(model)) else LEARNABLE


def _there(folder: Path) -> list[Card]:
    """Return the cards in a folder; none, where no style can be read."""
    try:
        return layout.cards(folder)
    except StyleError:
        return []


def _files(cards: Sequence[Card]) -> set[str]:
    """Return the files that cards name."""
    return {
        name for each in cards for name in (each.model.file, each.preview, beside(each.model.file))
    }


def _marked(cards: Sequence[Card], mark: str) -> list[Card]:
    """Return the cards, with ``mark`` in the names of their files."""
    return [
        replace(
            each,
            preview=f"{each.name}{mark}.jpg",
            model=replace(each.model, file=f"style{mark}.onnx"),
        )
        for each in cards
    ]


def _tidy(folder: Path, cards: Sequence[Card], old: set[str]) -> None:
    """Remove the files of the old card, and marked files of interrupted writes."""
    there = {path.name for path in folder.iterdir()}
    marks = [match[1] for name in there if (match := _MARKED.fullmatch(name))]
    begun = {name for mark in marks for name in _files(_marked(cards, mark))}
    left = (begun | old) & there - _files(cards) - {CARD}
    for name in sorted(left, key=lambda name: name.endswith(".onnx")):  # last: they name the rest
        with contextlib.suppress(OSError):
            (folder / name).unlink()

"""A style folder written: one ONNX file, previews, and last the card that makes it a style."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from impasto import atomic, catalog, images
from impasto.assets import demo_photo
from impasto.catalog import verify
from impasto.errors import StyleError
from impasto.inference.engine import OnnxEngine
from impasto.options import WriteOptions
from impasto.studio.export.fp16 import halved
from impasto.studio.export.onnx import OPSET, to_onnx
from impasto.studio.networks import TransformNetwork
from impasto.stylization.stylizer import paint

FILE = "style.onnx"


_PREVIEW_SIDE = 384


_PREVIEW_QUALITY = WriteOptions(quality=85, strip=True)


_MARK = 8
"""Digits of its SHA-256 in the name of a network that replaces another."""


_MARKED = re.compile(r"style(-[0-9a-f]{8})\.onnx")


def write_style(
    folder: Path,
    network: TransformNetwork,
    styles: Sequence[Mapping[str, Any]],
    details: Mapping[str, Any],
) -> Path:
    """Write the style ``folder``, its card last: without a card it is not a style.

    ``styles`` say of each style of the network its ``name``, ``title`` and ``artwork``;
    ``details`` go on the card as they are.

    Raises:
        TrainingError: the exported graph does not paint what the network paints.
    """
    model = halved(to_onnx(network))
    entries = [{**style, "preview": f"{style['name']}.jpg"} for style in styles]
    return write_folder(folder, model, _card(network, model, entries, details))


def write_folder(folder: Path, model: bytes, card: Mapping[str, Any]) -> Path:
    """Write network, previews and, last, the card that names them.

    A style that is there stays whole until its card is replaced: new files have other names
    than the card there names. What no card names any more goes afterwards.

    Raises:
        StyleError: the network is not one that the store lets through.
    """
    verify.check(model, "the network")
    old = _files(_there(folder))
    if old & _files(card):
        card = _marked(card, f"-{card['model']['sha256'][:_MARK]}")
    atomic.write(folder / card["model"]["file"], model, overwrite=True)
    for name, data in _previews(model, card):
        atomic.write(folder / name, data, overwrite=True)
    text = json.dumps(card, indent=2, ensure_ascii=False)
    atomic.write(folder / catalog.CARD, f"{text}\n".encode(), overwrite=True)
    _tidy(folder, card, old)
    return folder


def _previews(model: bytes, card: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The demo photograph in each style of a card, under its file's name."""
    engine, entries = OnnxEngine(model, device="cpu"), _entries(card)
    photo = images.read(demo_photo()).resized(_PREVIEW_SIDE)
    for weights, entry in zip(np.eye(len(entries)), entries, strict=True):
        preview = photo.with_pixels(paint(engine, photo.pixels, weights.tolist()))
        yield entry["preview"], preview.encode("JPEG", _PREVIEW_QUALITY)


def _there(folder: Path) -> Mapping[str, Any]:
    """The card in a folder; nothing, where no style can be read."""
    try:
        catalog.read(folder)
    except StyleError:
        return {}
    found: dict[str, Any] = json.loads((folder / catalog.CARD).read_bytes())
    return found


def _entries(card: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = card.get("styles", [card] if card else [])
    return found


def _files(card: Mapping[str, Any]) -> set[str]:
    """The files that a card names."""
    networks = {card["model"]["file"]} if card else set()
    return networks | {str(entry["preview"]) for entry in _entries(card)}


def _marked(card: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """The card, with ``mark`` in the names of its files."""

    def entry(one: Mapping[str, Any]) -> dict[str, Any]:
        return {**one, "preview": f"{one['name']}{mark}.jpg"}

    several = {"styles": [entry(each) for each in card["styles"]]} if "styles" in card else {}
    model = {**card["model"], "file": f"style{mark}.onnx"}
    return {**(card if several else entry(card)), **several, "model": model}


def _tidy(folder: Path, card: Mapping[str, Any], old: set[str]) -> None:
    """Remove what the card before named, and marked files of writings that were broken off."""
    marks = [found[1] for each in folder.iterdir() if (found := _MARKED.fullmatch(each.name))]
    begun = {name for mark in marks for name in _files(_marked(card, mark))}
    for name in sorted((begun | old) - _files(card)):  # networks last: they tell of the previews
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def _card(
    network: TransformNetwork,
    model: bytes,
    entries: Sequence[Mapping[str, Any]],
    details: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "format": catalog.FORMAT,
        **(entries[0] if len(entries) == 1 else {"styles": list(entries)}),
        "licence": "MIT",
        "model": {
            "file": FILE,
            "sha256": hashlib.sha256(model).hexdigest(),
            "bytes": len(model),
            "opset": OPSET,
        },
        "network": {
            **asdict(network.options),
            "strength": network.strength,
            "stride": network.stride,
            "parameters": sum(weight.numel() for weight in network.parameters()),
        },
        **details,
    }

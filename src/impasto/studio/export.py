"""From a trained network to a style folder: one ONNX file, one card, previews.

The graph goes from bytes to bytes: 8-bit ``(1, H, W, 3)`` in and out, any height and
width, so that no pixel passes through Python. Before anything is written, the graph is
run beside the network that it came from.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from impasto import catalog, codecs, files, finish, store
from impasto.assets import demo_photo
from impasto.engine import OnnxEngine
from impasto.errors import StyleError, TrainingError
from impasto.options import StylizeOptions, WriteOptions
from impasto.studio import deployed
from impasto.studio.halves import halved
from impasto.studio.networks import TransformNetwork

OPSET = 18
PARITY = 1e-3
"""Largest difference between graph and network, as a part of the range."""
PARITY_SIZES = ((256, 256), (131, 149), (97, 320))
"""Heights and widths at which the graph must equal the network."""

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
    store.check(model, "the network")
    old = _files(_there(folder))
    if old & _files(card):
        card = _marked(card, f"-{card['model']['sha256'][:_MARK]}")
    files.write(folder / card["model"]["file"], model, overwrite=True)
    for name, data in _previews(model, card):
        files.write(folder / name, data, overwrite=True)
    text = json.dumps(card, indent=2, ensure_ascii=False)
    files.write(folder / catalog.CARD, f"{text}\n".encode(), overwrite=True)
    _tidy(folder, card, old)
    return folder


def _previews(model: bytes, card: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The demo photograph in each style of a card, under its file's name."""
    engine, entries = OnnxEngine(model, device="cpu"), _entries(card)
    photo = codecs.read(demo_photo()).resized(_PREVIEW_SIDE)
    grained = finish.grained(photo.pixels, StylizeOptions.grain)
    for weights, entry in zip(np.eye(len(entries)), entries, strict=True):
        preview = photo.with_pixels(engine.paint(grained, weights.tolist()))
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
    left = (begun | old) - _files(card) - {catalog.CARD}
    for name in sorted(left, key=lambda name: name.endswith(".onnx")):  # they tell of previews
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def to_onnx(network: TransformNetwork) -> bytes:
    """The network as an ONNX file, checked against the network at three sizes.

    A network of several styles, or of one with a strength, takes ``style_weights`` beside
    the photograph.

    Raises:
        TrainingError: they differ by more than :data:`PARITY` anywhere.
    """
    graph = deployed.graph(network)
    photo = torch.zeros(1, *PARITY_SIZES[1], 3, dtype=torch.uint8)
    free = torch.export.Dim.DYNAMIC
    weighted = takes_weights(network)
    with quiet("torch.onnx"):
        program = torch.onnx.export(
            graph,
            (photo, torch.ones(network.styles)) if weighted else (photo,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["photo", "style_weights"] if weighted else ["photo"],
            output_names=["painting"],
            dynamic_shapes={"photo": {1: free, 2: free}} | ({"mix": None} if weighted else {}),
            verbose=False,
        )
    assert program is not None
    for node in program.model.graph:  # source lines and stack traces of this machine
        node.metadata_props.clear()
    model = bytes(program.model_proto.SerializeToString())
    _require_parity(network, model)
    return model


def takes_weights(network: TransformNetwork) -> bool:
    return network.styles > 1 or network.strength


def _require_parity(network: TransformNetwork, model: bytes) -> None:
    """Compare graph and network where rounding hides nothing.

    A byte ``r`` that the graph rounded from ``v'`` lies within a half of ``v'``; so if it
    lies further than a half from the network's own, unrounded ``v``, the excess is a
    difference of the two.
    """
    engine = OnnxEngine(model, device="cpu")
    rng = np.random.default_rng(0)
    for number, (height, width) in enumerate(PARITY_SIZES):
        coarse = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
        photo = coarse.repeat(16, 0).repeat(16, 1)[:height, :width]
        weights = np.roll(np.eye(network.styles)[0], number).tolist()
        exact = reference(network, photo, weights) * 255
        excess = (np.abs(engine.paint(photo, weights) - exact) - 0.5).max() / 255
        if not excess < PARITY:
            raise TrainingError(
                f"at {width}x{height} the exported network is {excess:.1e} off the trained one"
            )


def reference(
    network: TransformNetwork, photo: np.ndarray, weights: Sequence[float] | None = None
) -> np.ndarray:
    """What the network itself paints of ``(H, W, 3)`` bytes: floats, 0..1, no graph."""
    height, width = photo.shape[:2]
    x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    x = F.pad(x, (0, -width % network.stride, 0, -height % network.stride), mode="replicate")
    mix = None if weights is None else torch.tensor(weights, dtype=torch.float32)
    with torch.no_grad():
        painted = network(x, mix)[0, :, :height, :width].clamp(0, 1)
    return np.asarray(painted.permute(1, 2, 0))


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


@contextmanager
def quiet(logger_name: str) -> Iterator[None]:
    """For libraries that warn and log about their own inside."""
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

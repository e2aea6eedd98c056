"""A style folder written: one ONNX file, previews, and last the card that makes it a style."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from impasto import atomic, catalog, images
from impasto.assets import demo_photo
from impasto.catalog import verify
from impasto.images import operations
from impasto.inference.engine import OnnxEngine
from impasto.options import StylizeOptions, WriteOptions
from impasto.studio.export.fp16 import halved
from impasto.studio.export.onnx import OPSET, to_onnx
from impasto.studio.networks import TransformNetwork

_PREVIEW_SIDE = 384


_PREVIEW_QUALITY = WriteOptions(quality=85, strip=True)


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

    Raises:
        StyleError: the network is not one that the store lets through.
    """
    verify.check(model, "the network")
    entries = card.get("styles", [card])
    engine = OnnxEngine(model, device="cpu")
    photo = images.read(demo_photo()).resized(_PREVIEW_SIDE)
    grained = operations.grained(photo.pixels, StylizeOptions.grain)
    atomic.write(folder / card["model"]["file"], model, overwrite=True)
    for weights, entry in zip(np.eye(len(entries)), entries, strict=True):
        preview = photo.with_pixels(engine.paint(grained, weights.tolist()))
        data = preview.encode("JPEG", _PREVIEW_QUALITY)
        atomic.write(folder / entry["preview"], data, overwrite=True)
    text = json.dumps(card, indent=2, ensure_ascii=False)
    atomic.write(folder / catalog.CARD, f"{text}\n".encode(), overwrite=True)
    return folder


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
            "file": "style.onnx",
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

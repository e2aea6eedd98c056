"""From a trained network to a style folder: one ONNX file, one card, previews.

The graph goes from bytes to bytes: 8-bit ``(1, H, W, 3)`` in and out, any height and
width, so that no pixel passes through Python. Before anything is written, the graph is
run beside the network that it came from.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from impasto import atomic, catalog, images
from impasto.assets import demo_photo
from impasto.catalog import verify
from impasto.errors import TrainingError
from impasto.images import operations
from impasto.inference.engine import OnnxEngine
from impasto.options import StylizeOptions, WriteOptions
from impasto.studio import deployed
from impasto.studio.halves import halved
from impasto.studio.networks import TransformNetwork

OPSET = 18
PARITY = 1e-3
"""Largest difference between graph and network, as a part of the range."""
PARITY_SIZES = ((256, 256), (131, 149), (97, 320))
"""Heights and widths at which the graph must equal the network."""

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

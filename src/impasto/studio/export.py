"""From a trained network to a style: one ONNX file, one card, one preview.

The graph goes from bytes to bytes: 8-bit ``(1, H, W, 3)`` in and out, any height and
width, so that no pixel passes through Python. Before anything is written, the graph is
run beside the network that it came from.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto import catalog, codecs, files, store
from impasto.assets import demo_photo
from impasto.engine import OnnxEngine
from impasto.errors import TrainingError
from impasto.options import WriteOptions
from impasto.studio.networks import TransformNetwork

OPSET = 18
PARITY = 1e-3
"""Largest difference between graph and network, as a part of the range."""
PARITY_SIZES = ((256, 256), (131, 149), (97, 320))
"""Heights and widths at which the graph must equal the network."""

_PREVIEW_SIDE = 384
_PREVIEW_QUALITY = WriteOptions(quality=85, strip=True)


def write_style(
    folder: Path, network: TransformNetwork, details: Mapping[str, Any], card: Mapping[str, Any]
) -> Path:
    """Write the style ``folder``, its card last: without a card it is not a style.

    ``details`` go on the card as they are; ``card`` is what the user says of the artwork.

    Raises:
        TrainingError: the exported graph does not paint what the network paints.
    """
    model = to_onnx(network)
    store.check(model, "the exported network")
    engine = OnnxEngine(model, device="cpu")
    photo = codecs.read(demo_photo()).resized(_PREVIEW_SIDE)
    preview = photo.with_pixels(engine.paint(photo.pixels))
    files.write(folder / "style.onnx", model, overwrite=True)
    files.write(folder / "preview.jpg", preview.encode("JPEG", _PREVIEW_QUALITY), overwrite=True)
    content = _card(folder.name, network, model, details, card)
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    files.write(folder / catalog.CARD, text.encode(), overwrite=True)
    return folder


def to_onnx(network: TransformNetwork) -> bytes:
    """The network as an ONNX file, checked against the network at three sizes.

    Raises:
        TrainingError: they differ by more than :data:`PARITY` anywhere.
    """
    graph = Graph(network)
    example = torch.zeros(1, *PARITY_SIZES[1], 3, dtype=torch.uint8)
    free = torch.export.Dim.DYNAMIC
    with _quiet():
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["photo"],
            output_names=["painting"],
            dynamic_shapes={"photo": {1: free, 2: free}},
            verbose=False,
        )
    assert program is not None
    for node in program.model.graph:  # source lines and stack traces of this machine
        node.metadata_props.clear()
    model = bytes(program.model_proto.SerializeToString())
    _require_parity(network, model)
    return model


class Graph(nn.Module):
    """What is exported: from bytes to bytes, ``(1, H, W, 3)``, with padding to the stride.

    Rounding comes before the last depth-to-space, so that bytes are moved, not floats.
    """

    def __init__(self, network: TransformNetwork) -> None:
        super().__init__()
        self.stride = network.stride
        self.network = network.folded()

    def forward(self, photo: Tensor) -> Tensor:
        height, width = photo.shape[1], photo.shape[2]
        x = photo.permute(0, 3, 1, 2).float()
        below, right = -height % self.stride, -width % self.stride
        x = F.pad(x, (0, right, 0, below), mode="reflect")
        y = self.network(x).round().clamp(0, 255).to(torch.uint8)
        n, _, h, w = y.shape
        rows = y.reshape(n, 2, 6, h, w).permute(0, 1, 3, 4, 2).reshape(n, 2, h, 6 * w)
        return rows.transpose(1, 2).reshape(n, 2 * h, 2 * w, 3)[:, :height, :width]


def _require_parity(network: TransformNetwork, model: bytes) -> None:
    """Compare graph and network where rounding hides nothing.

    A byte ``r`` that the graph rounded from ``v'`` lies within a half of ``v'``; so if it
    lies further than a half from the network's own, unrounded ``v``, the excess is a
    difference of the two.
    """
    engine = OnnxEngine(model, device="cpu")
    rng = np.random.default_rng(0)
    for height, width in PARITY_SIZES:
        coarse = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
        photo = coarse.repeat(16, 0).repeat(16, 1)[:height, :width]
        exact = reference(network, photo) * 255
        excess = (np.abs(engine.paint(photo) - exact) - 0.5).max() / 255
        if not excess < PARITY:
            raise TrainingError(
                f"at {width}x{height} the exported network is {excess:.1e} off the trained one"
            )


def reference(network: TransformNetwork, photo: np.ndarray) -> np.ndarray:
    """What the network itself paints of ``(H, W, 3)`` bytes: floats, 0..1, no graph."""
    height, width = photo.shape[:2]
    x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    x = F.pad(x, (0, -width % network.stride, 0, -height % network.stride), mode="reflect")
    with torch.no_grad():
        painted = network(x)[0, :, :height, :width].clamp(0, 1)
    return np.asarray(painted.permute(1, 2, 0))


def _card(
    name: str,
    network: TransformNetwork,
    model: bytes,
    details: Mapping[str, Any],
    card: Mapping[str, Any],
) -> dict[str, Any]:
    artwork = {key: str(card.get(key) or "unknown") for key in ("artist", "year", "licence")}
    title = str(card.get("title") or name.replace("-", " ").title())
    return {
        "format": catalog.FORMAT,
        "name": name,
        "title": title,
        "artwork": {"title": title, **artwork},
        "licence": "MIT",
        "preview": "preview.jpg",
        "model": {
            "file": "style.onnx",
            "sha256": hashlib.sha256(model).hexdigest(),
            "bytes": len(model),
            "opset": OPSET,
        },
        "network": {
            **asdict(network.options),
            "stride": network.stride,
            "parameters": sum(weight.numel() for weight in network.parameters()),
        },
        **details,
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporter warns and logs about its own inside."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

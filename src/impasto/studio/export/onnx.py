"""From a trained network to a style folder: one ONNX file, one card, previews.

The graph goes from bytes to bytes: 8-bit ``(1, H, W, 3)`` in and out, any height and width. So no
pixel passes through Python. Before anything is written, the graph runs beside the network that it
came from.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F

from impasto.errors import TrainingError
from impasto.inference.engine import OnnxEngine
from impasto.studio.export import folding
from impasto.studio.networks import TransformNetwork

OPSET = 18
PARITY = 1e-3
"""Largest difference between graph and network, as a part of the range."""
PARITY_SIZES = ((256, 256), (131, 149), (97, 320))
"""Heights and widths at which the graph must equal the network."""


def to_onnx(network: TransformNetwork) -> bytes:
    """Export the network as an ONNX file, checked against the network at three sizes.

    A network of several styles, or of one with a strength, takes ``style_weights`` beside the
    photograph.

    Raises:
        TrainingError: they differ by more than :data:`PARITY` anywhere.
    """
    graph = folding.graph(network)
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

    A byte ``r`` that the graph rounded from ``v'`` lies within a half of ``v'``. It may lie further
    than a half from the network's own, unrounded ``v``. Then the excess is a difference of the two.
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
    """Paint ``(H, W, 3)`` bytes with the network itself: floats, 0..1, no graph."""
    height, width = photo.shape[:2]
    x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    x = F.pad(x, (0, -width % network.stride, 0, -height % network.stride), mode="replicate")
    mix = None if weights is None else torch.tensor(weights, dtype=torch.float32)
    with torch.no_grad():
        painted = network(x, mix)[0, :, :height, :width].clamp(0, 1)
    return np.asarray(painted.permute(1, 2, 0))


@contextmanager
def quiet(logger_name: str) -> Iterator[None]:
    """Silence libraries that warn and log about their own insides."""
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

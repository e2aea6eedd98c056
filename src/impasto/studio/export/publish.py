"""A network of the studio as a style folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from impasto.catalog.card import Entry, Model, NetworkShape, Teacher, TrainingRecord
from impasto.catalog.writing import FILE, write_folder
from impasto.studio.export.fp16 import halved
from impasto.studio.export.onnx import OPSET, to_onnx
from impasto.studio.networks import TransformNetwork

_LICENCE = "MIT"
"""Of what is exported."""


def write_style(
    folder: Path,
    network: TransformNetwork,
    styles: Sequence[Entry],
    training: TrainingRecord | None = None,
    distilled: Teacher | None = None,
    learnable: bytes | None = None,
) -> Path:
    """Write the style ``folder``, its card last: without a card it is not a style.

    ``styles`` are those of the network, in its order; ``learnable`` is the file that another
    training learns on from.

    Raises:
        TrainingError: the exported graph does not paint what the network paints.
    """
    model = halved(to_onnx(network))
    file, shape = Model.written(FILE, model, OPSET), _shape(network)
    cards = [style.card(file, shape, _LICENCE, training, distilled) for style in styles]
    return write_folder(folder, model, cards, learnable)


def _shape(network: TransformNetwork) -> NetworkShape:
    parameters = sum(weight.numel() for weight in network.parameters())
    return NetworkShape(network.options, parameters, network.strength, network.stride)

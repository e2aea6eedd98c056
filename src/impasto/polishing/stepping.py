"""What a step of the polish computes, and how the core computes it.

A :class:`Stepper` knows the painting and the weights of the losses. It gets the network's weights
and a photograph. There are two. :class:`GraphStepper` runs the graph that comes with impasto
(:mod:`impasto.catalog.step`). The stepper of :mod:`impasto.studio.training.stepper` uses torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from impasto.catalog import step
from impasto.inference import runtimes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.catalog.hypernetwork import Weights
    from impasto.options import LossOptions

    Pixels = NDArray[np.uint8]
    Levels = NDArray[np.int16]

_GRADIENT = "gradient."
"""The beginning of the names of the gradients that the graph gives."""
_PAINTED = "painted"


Step: TypeAlias = "tuple[Mapping[str, float], Weights, Pixels]"
"""The result for one photograph: losses, gradients, and the painting.

The losses are ``total``, ``content``, ``style``, ``tv``, ``tone`` and each layer's own. The
gradients are those of ``total``, by the names of the weights. The painting is ``(H, W, 3)``.
"""


class Stepper(Protocol):
    """Computes steps for one painting."""

    versions: Mapping[str, str]
    """Versions of the libraries that it computes with, for the card."""

    def __call__(self, weights: Weights, photograph: Pixels, grain: Levels) -> Step:
        """Paint a photograph with grain, and compare the painting with the photograph without
        grain.

        ``photograph`` is ``(H, W, 3)`` bytes, ``grain`` ``(H, W)`` levels that are added. The
        network's stride divides the sides.

        Raises:
            DeviceError: it fails.
        """


class GraphStepper:
    """A stepper with onnxruntime. ``painting`` is ``(H, W, 3)`` bytes, as the network shall see it.

    Raises:
        StyleError: a file that came with impasto is missing or damaged.
    """

    def __init__(self, painting: Pixels, loss: LossOptions, threads: int | None = None) -> None:
        self.versions: Mapping[str, str] = runtimes.versions()
        weights = loss.content_weight, loss.style_weight, loss.tv_weight, loss.tone_weight
        graphs = step.graphs(threads)
        self._target = {
            "loss_weights": np.array(weights, np.float32),
            **graphs.statistics(painting[None], {}),
        }
        self._run = graphs.step

    def __call__(self, weights: Weights, photograph: Pixels, grain: Levels) -> Step:
        levels = grain[None, :, :, None].astype(np.float32)
        found = {**self._run(photograph[None], {"grain": levels, **self._target, **weights})}
        painted = found.pop(_PAINTED)[0].clip(0, 1).transpose(1, 2, 0)
        gradients = {
            name.removeprefix(_GRADIENT): found.pop(name)
            for name in list(found)
            if name.startswith(_GRADIENT)
        }
        losses = {name: float(value) for name, value in found.items()}
        return losses, gradients, (painted * 255).round().astype(np.uint8)

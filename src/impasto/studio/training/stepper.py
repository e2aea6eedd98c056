"""The steps of a polish in torch, where that is faster: on a GPU, or on bfloat16's units.

:mod:`impasto.polishing.stepping` says what a step is; the graph there computes the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from impasto.options import LossOptions, NetworkOptions
from impasto.studio import networks
from impasto.studio.device import in_bfloat16, torch_device
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_pixels, to_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.catalog.hypernetwork import Weights

    Pixels = NDArray[np.uint8]


class TorchStepper:
    """A stepper towards a painting, ``(H, W, 3)`` bytes as the network shall see it.

    It runs on one of torch's devices.

    Raises:
        DeviceError: there is no such device.
        MissingExtraError: the loss network's weights are not installed.
    """

    @torch.inference_mode(False)  # a caller, such as ComfyUI, may have switched gradients off
    def __init__(self, painting: Pixels, loss: LossOptions, device: str = "auto") -> None:
        self.versions: Mapping[str, str] = {"torch": str(torch.__version__)}
        self._device = torch_device(device)
        objective = Objective(loss, learning=True)
        objective.network.to(self._device)
        self._objective = objective.towards([StylePicture(self._tensor(painting))])
        self._network = networks.build(NetworkOptions()).to(self._device)

    @torch.inference_mode(False)
    def __call__(
        self, weights: Weights, photograph: Pixels, grain: NDArray[np.int16]
    ) -> tuple[dict[str, float], Weights, Pixels]:
        """Return losses, gradients, and the painting of a photograph."""
        self._network.load_state_dict(
            {name: torch.from_numpy(np.array(each)) for name, each in weights.items()}
        )
        target = self._tensor(photograph)
        levels = torch.from_numpy(grain).to(self._device) / 255
        kind = self._device.type
        with torch.autocast(kind, torch.bfloat16, enabled=in_bfloat16(kind)):
            painted = self._network((target + levels).clamp(0, 1))
        losses = self._objective(painted.float(), self._objective.content(target))
        self._network.zero_grad()
        losses.total.backward()  # type: ignore[no-untyped-call]
        gradients = {
            name: np.asarray(weight.grad.cpu())
            for name, weight in self._network.named_parameters()
            if weight.grad is not None
        }
        return losses.numbers(), gradients, to_pixels(painted[0].float())

    def _tensor(self, pixels: Pixels) -> torch.Tensor:
        """Convert to ``(1, 3, H, W)``, 0..1."""
        return to_tensor(pixels)[None].to(self._device)

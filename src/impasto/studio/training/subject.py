"""The subject of a training: paintings, and the photographs to paint like them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from accelerate import Accelerator
from torch import Tensor

from impasto.files.kept_steps import WORK
from impasto.images.picture import Picture
from impasto.options import TrainOptions
from impasto.progress import OnProgress
from impasto.studio.perceptual.objective import Features, Objective, StylePicture
from impasto.studio.tensors import to_tensor
from impasto.studio.training import init_from, loop
from impasto.studio.training.dataset import Photos
from impasto.studio.training.loop import evaluating
from impasto.studio.training.paintings import Painting

_TRIED = 3
"""Number of steps whose photographs compare two starts."""


@dataclass(frozen=True)
class Subject:
    """Paintings and photographs, opened and compared on a device."""

    options: TrainOptions
    wanted: list[Painting]
    pictures: list[Picture]
    """The paintings as the loss sees them."""
    objectives: list[Objective]
    """One for each painting; they share the loss network."""
    dataset: Photos
    accelerator: Accelerator

    @classmethod
    def of(
        cls,
        wanted: list[Painting],
        photos: str | Path,
        folder: Path,
        options: TrainOptions,
        on_progress: OnProgress,
    ) -> Self:
        """Open them, for a training that keeps its state in ``folder``.

        Raises:
            PictureError: a painting cannot be read, or there is no style in it.
            DeviceError: there is no such device.
            TrainingError: there are no photographs.
        """
        pictures = [
            each.picture(options.style_size, options.style_crop, options.style_smoothing)
            for each in wanted
        ]
        accelerator = loop.accelerator(
            options.device, folder / WORK, tensorboard=options.tensorboard
        )
        dataset = Photos.of(photos, options, folder, accelerator.device)
        dataset.tell(on_progress, options.steps)
        objectives = _objectives(wanted, pictures, options, accelerator.device)
        return cls(options, wanted, pictures, objectives, dataset, accelerator)

    @cached_property
    def _tried(self) -> tuple[Tensor, Features]:
        """Return a few photographs that compare starts, and the content to recognise in them."""
        batches = [self.dataset.batch(number) for number in range(_TRIED)]
        photographs = torch.cat(batches).to(self.accelerator.device)
        return photographs, self.objectives[0].content(photographs)

    def best(self, index: int) -> str:
        """Return the good start with the lower loss for a painting, on a few photographs."""
        device, objective = self.accelerator.device, self.objectives[index]
        (photographs, content), losses = self._tried, {}
        for start in init_from.GOOD:
            origin = init_from.find(start, Path(), restart=False)
            trunk = init_from.trunk(start, origin, [self.wanted[index]], self.options.style_crop)
            network = init_from.begun(self.options, 1, trunk).to(device)
            with evaluating(network):
                painted = network(photographs, torch.ones(1, device=device))
                losses[start] = float(objective(painted, content).total)
        return min(losses, key=losses.__getitem__)


def _objectives(
    wanted: list[Painting], pictures: list[Picture], options: TrainOptions, device: torch.device
) -> list[Objective]:
    objectives: list[Objective] = []
    for painting, picture in zip(wanted, pictures, strict=True):
        loss = options.loss
        if painting.style_weight is not None:
            loss = replace(loss, style_weight=painting.style_weight)
        network = objectives[0].network if objectives else None
        objective = Objective(loss, network=network, learning=True)
        objective.network.to(device)
        style = StylePicture(to_tensor(picture.pixels)[None].to(device))
        objectives.append(objective.towards([style]))
    return objectives

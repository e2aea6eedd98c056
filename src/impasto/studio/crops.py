"""Training crops with their content features; on request kept on disk and used again.

The features of a photograph never change, so computing them again in every epoch, and for
every style, is waste: what it saves is measured in ``docs/training.md``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from impasto import files
from impasto.options import TrainOptions
from impasto.studio.objective import Features, Objective
from impasto.studio.photos import Photos

_FORMAT = 1
"""Part of every key: to be raised when the same photographs would be cropped in another way."""


class Crops:
    """``crops(number)``: photographs ``(N, 3, crop, crop)`` and what is to be recognised in them.

    With ``options.precompute`` there are only so many, and each is computed once: kept in
    the user's cache, as bytes and bfloat16, for every training that has the same
    photographs, crops, seed and content layers.
    """

    def __init__(self, photos: Photos, objective: Objective, options: TrainOptions) -> None:
        self._photos, self._objective, self._options = photos, objective, options
        self._folder = files.cache_folder("crops") / _key(photos, objective, options)
        self.from_disk = False
        """Whether the last ones were."""

    def __call__(self, number: int, device: torch.device) -> tuple[Tensor, Features]:
        keep = self._options.precompute
        if not keep:
            return self._computed(number, device)
        path = self._folder / f"{number % keep:06}.safetensors"
        kept = _read(path)
        self.from_disk = kept is not None
        if kept is None:
            photographs, content = self._computed(number % keep, device)
            kept = {layer: f.to("cpu", torch.bfloat16).contiguous() for layer, f in content.items()}
            kept["photographs"] = (photographs * 255).round().to("cpu", torch.uint8)
            files.write(path, safetensors.torch.save(kept), overwrite=True)
        # Learnt from as it was kept, so that nothing depends on whether it came from the disk.
        photographs = kept.pop("photographs").to(device).float() / 255
        return photographs, {layer: f.to(device).float() for layer, f in kept.items()}

    def _computed(self, number: int, device: torch.device) -> tuple[Tensor, Features]:
        photographs = self._photos.batch(number).to(device)
        return photographs, self._objective.content(photographs, style=self._options.strength)


def _read(path: Path) -> dict[str, Tensor] | None:
    """What is kept, or None: nothing yet, or damaged, and then it is computed again."""
    try:
        return safetensors.torch.load(path.read_bytes())
    except (OSError, SafetensorError):
        return None


def _key(photos: Photos, objective: Objective, options: TrainOptions) -> str:
    loss = asdict(options.loss)
    parts = [loss[name] for name in ("loss_network", "weights", "pooling", "padding")]
    own = [_FORMAT, photos.digest(), options.seed, options.batch, options.crop]
    text = json.dumps([*own, *parts, list(objective.content_layers)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""Training crops with their content features; on request kept on disk and used again.

The features of a photograph never change. It is waste to compute them again in every epoch and for
every style. ``docs/how-to/training.md`` says what this saves.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from impasto.files import atomic, places
from impasto.files.sealed import BrokenError, Header, Kind
from impasto.options import TrainOptions
from impasto.studio import sealed
from impasto.studio.perceptual import backbone
from impasto.studio.perceptual.objective import LIGHT, Features, Objective
from impasto.studio.training.dataset import Photos

_PHOTOGRAPHS = "photographs"
_FORMAT = 3
"""Part of every key; raise it when crops of the same photographs change, or their storage."""


@dataclass(frozen=True)
class Crops:
    """Photographs of a step, ``(N, 3, crop, crop)``, 0..1.

    Or what was ``kept`` of them: photographs as bytes, and content features by layer.
    """

    number: int
    photographs: Tensor | None = None
    kept: dict[str, Tensor] | None = None

    @property
    def from_disk(self) -> bool:
        return self.kept is not None


class FeatureCache:
    """Crops by number, and the content to recognise in them.

    With ``options.precompute`` there is only that number of crops, and each is computed once. The
    user's cache keeps them as bytes and bfloat16. Every training with the same photographs, crops,
    seed and content layers uses them.
    """

    def __init__(self, photos: Photos, objective: Objective, options: TrainOptions) -> None:
        self._photos, self._objective, self._options = photos, objective, options
        self._folder = _key(photos, objective, options)

    def fetch(self, number: int) -> Crops:
        """Return the crops of this number, from the disk or from the photographs."""
        keep = self._options.precompute
        number = number % keep if keep else number
        kept = self._read(self._path(number)) if keep else None
        return Crops(number, None if kept else self._photos.batch(number), kept)

    def content(self, crops: Crops, device: torch.device) -> tuple[Tensor, Features]:
        """Return the photographs on ``device``, and their features; compute and store them if
        needed."""
        kept = crops.kept
        if kept is None:
            assert crops.photographs is not None
            photographs = crops.photographs.to(device)
            content = self._objective.content(photographs, style=self._options.learn_strength)
            if not self._options.precompute:
                return photographs, content
            kept = {
                layer: f.to("cpu", torch.bfloat16).contiguous()
                for layer, f in content.items()
                if layer != LIGHT
            }
            kept[_PHOTOGRAPHS] = (photographs * 255).round().to("cpu", torch.uint8)
            path = self._path(crops.number)
            atomic.write(path, sealed.encode(kept, {}), overwrite=True)
        # The training uses what was stored, so that nothing depends on whether it came from the
        # disk.
        tensors = {name: each.to(device).float() for name, each in kept.items()}
        photographs = tensors.pop(_PHOTOGRAPHS) / 255
        return photographs, {**tensors, **self._objective.light(photographs)}

    def _path(self, number: int) -> Path:
        return places.cache_folder("crops") / self._folder / f"{number:06}.safetensors"

    def _read(self, path: Path) -> dict[str, Tensor] | None:
        """Read what is stored; None if nothing is, or it is damaged. Then it is computed again."""

        def check(header: Header) -> None:
            if header.kinds != self._kinds or not header.checksum:
                raise ValueError("it holds something else")

        try:
            return sealed.read(path, check)[1]
        except BrokenError:
            return None

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        """Return the kinds of tensors that are stored for the crops of a step."""
        count, crop = self._options.batch, self._options.crop
        layers = backbone.shapes(self._objective.network, crop, self._objective.content_layers)
        kinds = {name: Kind((count, *shape), "BF16") for name, shape in layers.items()}
        return {_PHOTOGRAPHS: Kind((count, 3, crop, crop), "U8"), **kinds}


def _key(photos: Photos, objective: Objective, options: TrainOptions) -> str:
    loss = asdict(options.loss)
    parts = [loss[name] for name in ("loss_network", "weights", "pooling", "padding")]
    own = [_FORMAT, photos.digest(), options.seed, options.batch, options.crop]
    own += [options.paper] if options.paper else []
    text = json.dumps([*own, *parts, list(objective.content_layers)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""The state of a polish between its steps, and its file.

It is the file of a training's checkpoint (:mod:`impasto.studio.training.checkpoint_file`), so that
``impasto train --start`` learns on from it. This module writes and reads it without torch.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors.numpy

from impasto.catalog import Entry
from impasto.catalog.hypernetwork import Weights
from impasto.errors import TrainingError
from impasto.files import kept_steps, sealed
from impasto.files.sealed import BrokenError, Header, Kind
from impasto.options.fields import Json, flattened
from impasto.polishing import muon
from impasto.untrusted import parse_json

_FORMAT = "2"
_NETWORK, _OPTIMISER = "network.", "optimiser."
_FREE = "steps", "save every", "device", "tensorboard"
"""Options that may change when a polish goes on."""


@dataclass(frozen=True)
class Course:
    """What must be equal for a polish to go on from another's state."""

    options: Mapping[str, Json]
    """Options as of :class:`~impasto.options.TrainOptions`, by name."""
    style: Entry
    sources: Mapping[str, str]

    @property
    def steps(self) -> int:
        return int(str(self.options["steps"]))

    @property
    def save_every(self) -> int:
        return int(str(self.options["save_every"]))

    def metadata(self, step: int) -> dict[str, str]:
        """Write the metadata of a file's header."""
        return {
            "format": _FORMAT,
            "step": str(step),
            "strength": "false",
            "options": json.dumps(self.options),
            "styles": json.dumps([self.style.record()]),
            "sources": json.dumps(dict(self.sources)),
        }

    def require(self, metadata: Mapping[str, str]) -> None:
        """Check metadata.

        Raises:
            TrainingError: they are of another polish.
        """
        wanted, there = (dict(flattened(_told(each))) for each in (self.metadata(0), metadata))
        changed = [
            f"{key} was {there.get(key)}, is {wanted.get(key)}"
            for key in sorted({*wanted, *there} - {*_FREE})
            if there.get(key) != wanted.get(key)
        ]
        if changed:
            raise TrainingError(
                f"the interrupted training had other options: {'; '.join(changed)}",
                hint="use the same options to go on, or --overwrite to begin anew",
            )


@dataclass(frozen=True)
class State:
    """A network as it learns, after ``step`` steps."""

    step: int
    weights: Weights
    moments: muon.State = field(default_factory=dict)

    def encoded(self, course: Course) -> bytes:
        """Write the file."""
        tensors = {f"{_NETWORK}{name}": each for name, each in self.weights.items()}
        for name, moments in self.moments.items():
            tensors |= {f"{_OPTIMISER}{name}.{key}": each for key, each in moments.items()}
        whole = {name: np.array(each, np.float32, order="C") for name, each in tensors.items()}
        plain = safetensors.numpy.save(whole, course.metadata(self.step))
        return sealed.sealed(plain)


def save(work: Path, state: State, course: Course) -> None:
    """Write a state; keep the last two."""
    kept_steps.write(work, state.step, state.encoded(course))


def planned(work: Path) -> int | None:
    """Return how many steps the polish in a folder plans; None without one that can go on."""
    for path in reversed(kept_steps.paths(work)):
        with contextlib.suppress(KeyError, ValueError, TypeError):
            options = parse_json(sealed.metadata(path)["options"])
            if isinstance(options, dict):
                return int(str(options["steps"]))
    return None


def latest(work: Path, course: Course, weights: Weights) -> tuple[State | None, list[str]]:
    """Return the newest whole state in a folder, and sentences about damaged files.

    Its network has the shapes of ``weights``.

    Raises:
        TrainingError: it is of another polish.
    """
    damaged = list[str]()
    for path in reversed(kept_steps.paths(work)):
        try:
            return _read(path, course, weights), damaged
        except BrokenError as error:
            damaged.append(f"{path} is not a whole checkpoint: {error}")
    return None, damaged


def empty(work: Path) -> None:
    """Drop what another polish left."""
    with kept_steps.alone(work):
        for old in work.glob("*"):
            if old.is_file() and old.name != kept_steps.LOCK:
                old.unlink()


def _read(path: Path, course: Course, weights: Weights) -> State:
    def check(header: Header) -> None:
        step = header.metadata.get("step", "")
        if header.checksum is None or header.metadata.get("format") != _FORMAT:
            raise ValueError("it is of another version")
        if not (step.isascii() and step.isdecimal() and len(step) < 10):
            raise ValueError(f"its step is {step[:40]!r}")
        course.require(header.metadata)
        if header.kinds != _kinds(weights):
            raise ValueError("its tensors are not those of the network that learns")

    header, tensors = sealed.read(path, check, safetensors.numpy.load)
    if not all(np.isfinite(each).all() for each in tensors.values()):
        raise BrokenError("it has weights that are no numbers")
    moments = {
        name: {key: tensors[f"{_OPTIMISER}{name}.{key}"] for key in muon.state_shapes(each.shape)}
        for name, each in weights.items()
    }
    learnt = {name: tensors[f"{_NETWORK}{name}"] for name in weights}
    return State(int(header.metadata["step"]), learnt, moments)


def _kinds(weights: Weights) -> dict[str, Kind]:
    """Return the kinds of the tensors of a state."""
    kinds = {f"{_NETWORK}{name}": Kind(each.shape) for name, each in weights.items()}
    for name, each in weights.items():
        for key, shape in muon.state_shapes(each.shape).items():
            kinds[f"{_OPTIMISER}{name}.{key}"] = Kind(shape)
    return kinds


def _told(metadata: Mapping[str, str]) -> dict[str, Json]:
    """Read what a header says of its polish."""
    options, styles, sources = (
        parse_json(metadata.get(name, "null")) for name in ("options", "styles", "sources")
    )
    if not isinstance(options, dict) or not isinstance(sources, dict):
        raise ValueError("its header is damaged")
    paintings: dict[str, Json] = {}
    for style in styles if isinstance(styles, list) else []:
        if isinstance(style, dict):
            paintings[str(style.get("name"))] = style.get("painting_sha256")
    return {**options, "paintings": paintings, **sources}

"""The whole state of a training, written so that a kill at any moment loses little.

One safetensors file per checkpoint, network and optimiser together, with the step and the
options in its header; written to a temporary name and renamed, the last two kept.
Photographs and learning rate follow from the step (:mod:`impasto.studio.photos`), so
there is no other state.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn, optim

from impasto import files
from impasto.errors import TrainingError
from impasto.options import TrainOptions, flattened

_KEEP = 2


@dataclass(frozen=True)
class Checkpoint:
    """A training after ``step`` steps."""

    step: int
    tensors: dict[str, Tensor]
    options: dict[str, Any]

    def restore_network(self, network: nn.Module) -> None:
        """Put only the network's weights back.

        Raises:
            TrainingError: they belong to a network of another shape.
        """
        try:
            network.load_state_dict(_part(self.tensors, "network."))
        except RuntimeError as error:
            raise TrainingError(f"the checkpoint is of another network: {error}") from error

    def restore(self, network: nn.Module, optimiser: optim.Adam) -> None:
        """Put the state back, as if the training had never stopped."""
        self.restore_network(network)
        state = optimiser.state_dict()
        moments = _part(self.tensors, "optimiser.")
        state["state"] = {
            index: {key: moments[f"{index}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
            for index in range(len(state["param_groups"][0]["params"]))
        }
        optimiser.load_state_dict(state)


def save(
    folder: Path, step: int, network: nn.Module, optimiser: optim.Adam, options: TrainOptions
) -> Path:
    """Write the state after ``step`` steps; afterwards drop all but the last two."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{key}": moment for key, moment in moments.items()}
    header = {"step": str(step), "options": json.dumps(asdict(options))}
    path = folder / f"step-{step:07}.safetensors"
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    files.write(path, safetensors.torch.save(tensors, header), overwrite=True)
    for old in _paths(folder)[:-_KEEP]:
        old.unlink(missing_ok=True)
    return path


def latest(folder: Path, options: TrainOptions) -> Checkpoint | None:
    """The newest whole checkpoint in ``folder``, or None.

    Raises:
        TrainingError: it was made with other options.
    """
    for path in reversed(_paths(folder)):
        try:
            checkpoint = read(path)
        except TrainingError:
            continue  # cut short by a crash of the disk; the one before it is whole
        _check_same(checkpoint.options, json.loads(json.dumps(asdict(options))))
        return checkpoint
    return None


def read(path: Path) -> Checkpoint:
    """The checkpoint in ``path``.

    Raises:
        TrainingError: the file is not a checkpoint, or damaged.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Checkpoint(int(header["step"]), tensors, json.loads(header["options"]))
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise TrainingError(f"{path} is not a checkpoint: {error}") from error


def _check_same(before: dict[str, Any], now: dict[str, Any]) -> None:
    old, new = dict(flattened(before)), dict(flattened(now))
    changed = [
        f"{key} was {old.get(key)}, is {new.get(key)}"
        for key in sorted({*old, *new} - {"save every"})
        if old.get(key) != new.get(key)
    ]
    if changed:
        raise TrainingError(
            f"the interrupted training had other options: {'; '.join(changed)}",
            hint="use the same options to go on, or --restart to begin anew",
        )


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.safetensors"))


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

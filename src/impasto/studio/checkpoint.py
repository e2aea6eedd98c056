"""The whole state of a training, written so that a kill at any moment loses little.

One safetensors file per checkpoint, network and optimiser together, with the step and the
options in its header; written to a temporary name and renamed, the last two kept.
Photographs and learning rate follow from the step (:mod:`impasto.studio.photos`), so
there is no other state.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, optim

from impasto import catalog, files
from impasto.errors import TrainingError
from impasto.knobs import flattened
from impasto.options import NetworkOptions, TrainOptions
from impasto.studio.networks import TransformNetwork, norms

NETWORK = "network.safetensors"
"""In a style's folder: the network alone, to learn on from."""

_KEEP = 2

Entries = Sequence[dict[str, Any]]
"""What the card says of each style of a network."""


@dataclass(frozen=True)
class Checkpoint:
    """A training after ``step`` steps."""

    step: int
    tensors: dict[str, Tensor]
    options: dict[str, Any]
    styles: list[dict[str, Any]]

    @property
    def network(self) -> NetworkOptions:
        return NetworkOptions(**self.options["network"])

    @property
    def strength(self) -> bool:
        return bool(self.options["strength"])

    def begin(self, network: TransformNetwork) -> None:
        """Put the weights into ``network``, whose styles may be others, or more.

        A style of the same place keeps its norms; a new one begins with the mean of all.

        Raises:
            TrainingError: they belong to a network of another shape.
        """
        tensors = _part(self.tensors, "network.")
        for name in norms(network):
            if name in tensors:
                tensors[name] = self._rows(tensors[name], network)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise TrainingError(f"the checkpoint is of another network: {error}") from error

    def _rows(self, known: Tensor, network: TransformNetwork) -> Tensor:
        count = len(known) - self.strength
        styles, own = known[:count], known[count:]
        mean = styles.mean(0, keepdim=True)
        if count > network.styles or network.styles == 1:
            styles = mean
        rows = [styles, *[mean] * (network.styles - len(styles))]
        if network.strength:
            rows.append(own if len(own) else mean)
        return torch.cat(rows)

    def restore(self, network: TransformNetwork, optimiser: optim.Optimizer) -> None:
        """Put the state back, as if the training had never stopped."""
        network.load_state_dict(_part(self.tensors, "network."))
        state = optimiser.state_dict()
        moments = _part(self.tensors, "optimiser.")
        state["state"] = {
            index: _part(moments, f"{index}.")
            for group in state["param_groups"]
            for index in group["params"]
        }
        optimiser.load_state_dict(state)


def save(
    folder: Path,
    step: int,
    network: TransformNetwork,
    optimiser: optim.Optimizer,
    options: TrainOptions,
    styles: Entries,
) -> Path:
    """Write the state after ``step`` steps; afterwards drop all but the last two."""
    tensors: dict[str, Tensor] = {}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{key}": moment for key, moment in moments.items()}
    path = folder / f"step-{step:07}.safetensors"
    write(path, step, network, options, styles, tensors)
    for old in _paths(folder)[:-_KEEP]:
        old.unlink(missing_ok=True)
    return path


def write(
    path: Path,
    step: int,
    network: TransformNetwork,
    options: TrainOptions,
    styles: Entries,
    more: dict[str, Tensor] | None = None,
) -> None:
    """The network, with ``more`` beside it, as one safetensors file."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors = {name: each.contiguous() for name, each in (tensors | (more or {})).items()}
    header = {
        "step": str(step),
        "options": json.dumps(asdict(options)),
        "styles": json.dumps(list(styles)),
    }
    files.write(path, safetensors.torch.save(tensors, header), overwrite=True)


def latest(folder: Path, options: TrainOptions, styles: Entries) -> Checkpoint | None:
    """The newest whole checkpoint in ``folder``, or None.

    Raises:
        TrainingError: it was made with other options, or other paintings.
    """
    for path in reversed(_paths(folder)):
        try:
            checkpoint = read(path)
        except TrainingError:
            continue  # cut short by a crash of the disk; the one before it is whole
        now = json.loads(json.dumps({**asdict(options), "paintings": _paintings(styles)}))
        _check_same({**checkpoint.options, "paintings": _paintings(checkpoint.styles)}, now)
        return checkpoint
    return None


def find(start: str | Path) -> Path:
    """The file to learn on from: a checkpoint, or the network of a style's name or folder.

    Raises:
        OptionError: no such style, or a blend of several networks.
        TrainingError: it came without.
    """
    folder = Path(start)
    if folder.is_file():
        return folder
    if not (folder / NETWORK).is_file():
        folder = catalog.of_one_network(start).folder
    if not (folder / NETWORK).is_file():
        raise TrainingError(
            f"{start} cannot be learnt on from: it has no {NETWORK}",
            hint="give another style, or a checkpoint of a training",
        )
    return folder / NETWORK


def read(path: Path) -> Checkpoint:
    """The checkpoint in ``path``.

    Raises:
        TrainingError: the file is not a checkpoint, or damaged.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Checkpoint(
            int(header["step"]),
            tensors,
            json.loads(header["options"]),
            json.loads(header["styles"]),
        )
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise TrainingError(f"{path} is not a checkpoint: {error}") from error


def _paintings(styles: Entries) -> dict[str, str]:
    return {style["name"]: style.get("painting_sha256", "") for style in styles}


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

"""The whole state of a training, written so that a kill at any moment loses little.

One safetensors file per checkpoint, network and optimiser together, with the step and the
options in its header; written to a temporary name and renamed, the last two kept.
Photographs and learning rate follow from the step (:mod:`impasto.studio.training.dataset`), so
there is no other state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, optim

from impasto import atomic, catalog, places
from impasto.catalog import Entry
from impasto.errors import OptionError, TrainingError
from impasto.options import NetworkOptions, TrainOptions
from impasto.options.fields import Json, current_record, flattened, restored
from impasto.studio import networks
from impasto.studio.networks import NETWORKS, TransformNetwork, norms

WORK = "training"
"""In a style's folder: all that a training keeps to go on."""
NETWORK = "network.safetensors"
"""In a style's folder: the network alone, to learn on from."""

FORMAT = 1
"""Version of the header; 0 is a file that does not name one. A newer one is refused."""

_KEEP = 2
_FREE = {"save every", "tensorboard", "device"}
"""Options that change nothing in what is learnt."""


class DamagedError(TrainingError):
    """A file that is not a checkpoint, or not a whole one."""


@dataclass(frozen=True)
class Training:
    """What a training has to be, to go on where one was."""

    options: Mapping[str, Json]
    """Those of :class:`~impasto.options.TrainOptions`, by name."""
    styles: Sequence[Entry]
    sources: Mapping[str, str] = field(default_factory=dict)
    """What it learns from, in words: where it began, and which photographs. Older checkpoints
    do not know, and take any."""

    def require_same(self, now: Training) -> None:
        """Raises: TrainingError: ``now`` has other options, paintings or sources."""
        sources = {**now.sources, **self.sources}
        old, new = self._compared(sources), now._compared(now.sources)
        changed = [
            f"{key} was {old.get(key)}, is {new.get(key)}"
            for key in sorted({*old, *new} - _FREE)
            if old.get(key) != new.get(key)
        ]
        if changed:
            raise TrainingError(
                f"the interrupted training had other options: {'; '.join(changed)}",
                hint="use the same options to go on, or --restart to begin anew",
            )

    def _compared(self, sources: Mapping[str, str]) -> dict[str, Json]:
        paintings = {style.name: style.painting_sha256 or "" for style in self.styles}
        record = {**self.options, "paintings": paintings, **sources}
        return dict(flattened(json.loads(json.dumps(record))))


@dataclass(frozen=True)
class Checkpoint:
    """A training after ``step`` steps."""

    step: int
    tensors: dict[str, Tensor]
    training: Training

    @property
    def network(self) -> NetworkOptions:
        """Raises: TrainingError: it has options of a network that this version does not know."""
        try:
            return restored(NetworkOptions, self.training.options["network"])
        except (OptionError, KeyError) as error:
            raise TrainingError(
                f"the checkpoint describes a network that is not known here: {error}",
                hint="train it anew, or use the version of impasto that wrote it",
            ) from error

    @property
    def strength(self) -> bool:
        return bool(self.training.options["learn_strength"])

    @property
    def styles(self) -> list[Entry]:
        return list(self.training.styles)

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

    def require_network(self, options: NetworkOptions) -> None:
        """Raises: OptionError: these are the options of another network."""
        old, new = asdict(self.network), asdict(options)
        if changed := [f"{key} {old[key]}, not {new[key]}" for key in old if old[key] != new[key]]:
            tiers = [name for name, each in NETWORKS.items() if each == self.network]
            raise OptionError(
                f"the network of --start has {'; '.join(changed)}",
                hint=f"add --tier {tiers[0]}" if tiers else "give the same options",
            )

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

    def built(self) -> TransformNetwork:
        """The network itself, as it is used."""
        network = networks.build(self.network, len(self.styles), strength=self.strength)
        network.load_state_dict(_part(self.tensors, "network."))
        return network.eval()

    def encoded(self) -> bytes:
        """As a safetensors file."""
        training = self.training
        header = {
            "format": str(FORMAT),
            "step": str(self.step),
            "options": json.dumps(training.options),
            "styles": json.dumps([style.record() for style in training.styles]),
            "sources": json.dumps(dict(training.sources)),
        }
        tensors = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        return safetensors.torch.save(tensors, header)

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


def of(
    network: TransformNetwork,
    step: int,
    training: Training,
    optimiser: optim.Optimizer | None = None,
) -> Checkpoint:
    """The network after ``step`` steps, on the CPU; with the optimiser's state to go on from."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    moments = optimiser.state_dict()["state"] if optimiser else {}
    for index, each in moments.items():
        tensors |= {f"optimiser.{index}.{key}": moment for key, moment in each.items()}
    kept = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    return Checkpoint(step, kept, training)


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, and drop all but the last two."""
    path = folder / f"step-{checkpoint.step:07}.safetensors"
    atomic.write(path, checkpoint.encoded(), overwrite=True)
    for old in paths(folder)[:-_KEEP]:
        old.unlink(missing_ok=True)
    return path


def latest(folder: Path, training: Training) -> Checkpoint | None:
    """The newest whole checkpoint in ``folder``, or None.

    Raises:
        TrainingError: it was made with other options, paintings or photographs, or began
            elsewhere.
    """
    for path in reversed(paths(folder)):
        try:
            checkpoint = read(path)
        except DamagedError:
            continue  # cut short by a crash of the disk; the one before it is whole
        checkpoint.training.require_same(training)
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
        folder = (
            places.styles_folder() or folder
        ) / start  # of several styles, its name is none of theirs
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
        DamagedError: the file is not a checkpoint, or not a whole one.
        TrainingError: a newer version has written it.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            header = file.metadata() or {}
            _require_known(path, int(header.get("format", 0)))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        training = Training(
            _options(json.loads(header["options"])),
            [Entry.of(style) for style in json.loads(header["styles"])],
            json.loads(header.get("sources", "{}")),
        )
        return Checkpoint(int(header["step"]), tensors, training)
    except (OSError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise DamagedError(f"{path} is not a checkpoint: {error}") from error


def _require_known(path: Path, format: int) -> None:
    """Raises: TrainingError: a newer version has written it."""
    if format > FORMAT:
        raise TrainingError(
            f"{path} was written by a newer impasto (its format is {format})",
            hint="update with pip install -U impasto",
        )


def _options(record: dict[str, Json]) -> dict[str, Json]:
    """Options of a header, which may have older names. Those of a distillation, which tell of a
    training's strength as well, have none but that."""
    return current_record(TrainOptions(), record)


def paths(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, the newest last."""
    return sorted(folder.glob("step-*.safetensors"))


def steps(folder: Path) -> int:
    """After how many steps the newest checkpoint in ``folder`` was written; 0 without one."""
    return max((int(path.stem.removeprefix("step-")) for path in paths(folder)), default=0)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

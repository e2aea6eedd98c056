"""The whole state of a training: network and optimiser together, the step and the options.

Photographs and learning rate follow from the step (:mod:`impasto.studio.training.dataset`), so
there is no other state. :mod:`impasto.studio.training.checkpoint_file` describes its file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn, optim

from impasto.catalog import Entry
from impasto.errors import OptionError, TrainingError
from impasto.options import NetworkOptions
from impasto.options.fields import Json, flattened, restored
from impasto.studio import networks
from impasto.studio.networks import NETWORKS, TransformNetwork, norms
from impasto.studio.training import muon

_FREE = {"steps", "save every", "tensorboard", "device"}
"""Options that may change when a training goes on."""


class DamagedError(TrainingError):
    """A file that is not a checkpoint, or not a whole one."""


@dataclass(frozen=True)
class Training:
    """What must be equal for a training to go on from another's checkpoint."""

    options: Mapping[str, Json]
    """Options of :class:`~impasto.options.TrainOptions` or of another kind of training, by name."""
    styles: Sequence[Entry]
    sources: Mapping[str, str] = field(default_factory=dict)
    """Its sources in words: the start, and the photographs.

    Older checkpoints do not know them, and take any.
    """

    @property
    def network(self) -> NetworkOptions:
        """Return the options of the network.

        Raises:
            TrainingError: it has options of a network that this version does not know.
        """
        try:
            return restored(NetworkOptions, self.options["network"])
        except (OptionError, KeyError) as error:
            raise TrainingError(
                f"the checkpoint describes a network that is not known here: {error}",
                hint="train it anew, or use the version of impasto that wrote it",
            ) from error

    def require_same(self, now: Training) -> None:
        """Check that ``now`` is the same training.

        Raises:
            TrainingError: it has other options, paintings or sources.
        """
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
    strength: bool
    """Whether the network has learnt strengths."""

    @property
    def network(self) -> NetworkOptions:
        return self.training.network

    @property
    def styles(self) -> list[Entry]:
        return list(self.training.styles)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin so, under the rest of their names."""
        return _part(self.tensors, prefix)

    def begin(self, network: TransformNetwork) -> None:
        """Put the weights into ``network``, whose styles may be others, or more.

        A style at the same place keeps its norms. A new one begins with the mean of all.

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
        """Check the options of a network.

        Raises:
            OptionError: they are those of another network.
        """
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
        """Build the network as it is used."""
        network = networks.build(self.network, len(self.styles), strength=self.strength)
        network.load_state_dict(_part(self.tensors, "network."))
        return network.eval()

    def restore(self, network: nn.Module, optimiser: optim.Optimizer) -> int:
        """Restore the state, as if the training had never stopped; return its step.

        Raises:
            DamagedError: it is the state of another optimiser.
        """
        network.load_state_dict(_part(self.tensors, "network."))
        moments, state = _part(self.tensors, "optimiser."), optimiser.state_dict()
        state["state"] = {
            index: _part(moments, f"{name}.") or _part(moments, f"{index}.")
            for index, name in enumerate(_learnt(network, optimiser))
        }
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        for weight, each in zip(weights, state["state"].values(), strict=True):
            shapes = {name: tuple(moment.shape) for name, moment in each.items()}
            if shapes not in ({}, muon.state_shapes(weight.shape)):
                raise DamagedError("the checkpoint has the state of another optimiser")
        optimiser.load_state_dict(state)
        return self.step


def of(
    network: nn.Module,
    step: int,
    training: Training,
    optimiser: optim.Optimizer | None = None,
) -> Checkpoint:
    """Take the network after ``step`` steps, on the CPU, with the optimiser's state."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    if optimiser:
        names, moments = _learnt(network, optimiser), optimiser.state_dict()["state"]
        for index, each in moments.items():
            tensors |= {f"optimiser.{names[index]}.{key}": moment for key, moment in each.items()}
    kept = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    strength = isinstance(network, TransformNetwork) and network.strength
    return Checkpoint(step, kept, training, strength)


def _learnt(network: nn.Module, optimiser: optim.Optimizer) -> list[str]:
    """Return the names of the weights that an optimiser learns, in its order."""
    names = {id(weight): name for name, weight in network.named_parameters()}
    return [names[id(w)] for group in optimiser.param_groups for w in group["params"]]


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

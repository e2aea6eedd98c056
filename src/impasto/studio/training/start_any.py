"""The start of a hypernetwork's training: a style's network, or another hypernetwork."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import torch

from impasto import assets
from impasto.catalog import hypernetwork as at_hand
from impasto.catalog.layout import CARD
from impasto.errors import OptionError
from impasto.files import checksums
from impasto.files.sealed import metadata
from impasto.options import HypernetworkOptions, NetworkOptions, TrainAnyOptions
from impasto.options.fields import restored as restored_options
from impasto.studio import hypernetwork as hypernetworks
from impasto.studio import networks
from impasto.studio.export.hypernetwork import restored
from impasto.studio.export.publish import HYPERNETWORK
from impasto.studio.hypernetwork import Hypernetwork
from impasto.studio.training import checkpoint_file, checkpoints, init_from
from impasto.studio.training.averaged import Averaged
from impasto.studio.training.checkpoint import Checkpoint

LEARNABLE = "any.safetensors"
"""File in the folder of a trained hypernetwork, to learn on from."""
_FIRST = "starry-night"
"""The style whose network is the start of all networks, if they have its shape."""


def find(start: str | Path | None, work: Path, restart: bool) -> Path | None:
    """Find the file to learn on from, for a training that keeps its own in ``work``.

    Raises:
        OptionError: there is none.
    """
    return None if start is None else init_from.kept(Path(start), work, restart) or _file(start)


def named(origin: Path | None) -> str:
    """Return the start as a text, which differs for another start."""
    return "none" if origin is None else f"hypernetwork {checksums.sha256(origin)[:16]}"


def learnt(origin: Path | None) -> at_hand.Learnt:
    """Return what the start has learnt, as far as a card beside it says.

    Raises:
        StyleError: the card is damaged, or is none of a hypernetwork.
    """
    if origin is None or not (origin.parent / CARD).is_file():
        return at_hand.Learnt()
    return at_hand.read(origin.parent).card.training or at_hand.Learnt()


def options_of(origin: Path | None) -> TrainAnyOptions:
    """Return the default options of a training that begins there.

    Raises:
        StyleError, TrainingError: the start is none, or damaged.
    """
    if origin is None:
        return TrainAnyOptions()
    made = read(origin)
    return TrainAnyOptions(hypernetwork=made.options, network=made.network)


def begun(
    options: TrainAnyOptions | None, origin: Path | None
) -> tuple[TrainAnyOptions, Hypernetwork]:
    """Build the hypernetwork as it begins; return it with the options of its shape.

    Raises:
        OptionError: options of another shape than the start's.
        TrainingError: the start is none, or damaged.
    """
    if origin is None:
        options = options or TrainAnyOptions()
        return options, _from_nothing(options)
    options, made = options or TrainAnyOptions(), read(origin)
    for name, own in (("hypernetwork", made.options), ("network", made.network)):
        if getattr(options, name) not in (own, type(own)()):  # defaults: none is given
            raise OptionError(
                f"the {name} of --start has another shape",
                hint="leave out the options of its shape, or --start",
            )
    return replace(
        options, hypernetwork=made.options, network=made.network
    ), made.train().requires_grad_()


def read(path: Path) -> Hypernetwork:
    """Read the hypernetwork in a file: a shipped folder's, one to learn on from, or a checkpoint.

    Raises:
        StyleError, TrainingError: it is none of these, or damaged.
    """
    if path.suffix == ".onnx":
        card = at_hand.read(path.parent).card
        return restored(path.read_bytes(), card.network.options or NetworkOptions())
    if "step" not in metadata(path):
        return hypernetworks.read(path)
    checkpoint = checkpoint_file.read(path, follow=True)
    if "hypernetwork" not in checkpoint.training.options:
        raise OptionError(
            f"{path} is the checkpoint of a style, not of a hypernetwork",
            hint="give the folder of a hypernetwork, or a checkpoint of impasto train-any",
        )
    return averaged(checkpoint).current


def averaged(checkpoint: Checkpoint) -> Averaged:
    """Return the hypernetwork of a checkpoint, with the average of its weights."""
    own = restored_options(HypernetworkOptions, checkpoint.training.options["hypernetwork"])
    network = Averaged(Hypernetwork(own, checkpoint.network)).eval()
    network.load_state_dict(checkpoint.part("network."))
    return network


def _file(start: str | Path) -> Path:
    path = assets.ANY if start == init_from.ANY else Path(start)
    inside = [path / LEARNABLE, path / HYPERNETWORK] if (path / CARD).is_file() else []
    found = next((each for each in [path, *inside] if each.is_file()), None)
    if found is None:
        raise OptionError(
            f"{start} is no hypernetwork",
            hint="give its folder, a checkpoint, or any: the one that came with impasto",
        )
    return Path(os.path.realpath(found))


def _from_nothing(options: TrainAnyOptions) -> Hypernetwork:
    """Build a hypernetwork whose networks begin at one that paints, where one has their shape."""
    torch.manual_seed(options.seed)
    first = checkpoint_file.read(checkpoints.find(_FIRST))
    network = networks.build(options.network)
    if first.network == options.network:
        first.begin(network)
    return Hypernetwork(options.hypernetwork, options.network, network.state_dict())

"""Where a training begins: with nothing, another network, or a checkpoint of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from impasto import paths
from impasto.errors import OptionError
from impasto.options import TrainOptions
from impasto.studio import networks
from impasto.studio.networks import TransformNetwork
from impasto.studio.training import checkpoint
from impasto.studio.training.checkpoint import Checkpoint
from impasto.studio.training.paintings import OWN

WORK = "training"
"""In a style's folder: all that a training keeps to go on."""
_ORIGIN = "start.safetensors"
"""In it: the checkpoint of a training that was begun anew from there."""


def find(start: str | Path | None, work: Path, restart: bool) -> Path | None:
    """The file to learn on from.

    A checkpoint from which its own training was begun anew is no longer where it was, or
    another has its name now: it was kept.
    """
    if start is None:
        return None
    kept, path = work / _ORIGIN, Path(start)
    own = path.resolve().parent == work.resolve()
    if own and kept.is_file() and not (restart and path.is_file()):
        return kept
    return checkpoint.find(start)


def name(start: str | Path | None) -> str | None:
    """The style that was learnt on from, for the card."""
    if start is None:
        return None
    path = Path(start).absolute()
    return path.parents[1].name if path.parent.name == WORK else path.stem


def named(start: str | Path | None, origin: Path | None) -> str:
    """The start in words, another for another file."""
    if origin is None:
        return "none"
    return f"{name(start)} ({paths.sha256(origin)[:12]})"


def empty(work: Path, origin: Path | None) -> None:
    """Drop what a training left, and keep the checkpoint that is learnt on from, if it is there."""
    own = origin if origin and origin.resolve().parent == work.resolve() else None
    for old in work.glob("*"):
        if old.is_file() and not (own and old.name == own.name):
            old.unlink()
    if own:
        own.replace(work / _ORIGIN)


def with_trunk(
    options: TrainOptions, trunk: Checkpoint | None
) -> tuple[TrainOptions, list[dict[str, Any]]]:
    """The options that the trunk allows, and the styles that stay in it."""
    kept: list[dict[str, Any]] = []
    if options.tune == "norms":
        if trunk is None:
            raise OptionError("--tune norms needs a network to tune", hint="add --start STYLE")
        if options.strength and not trunk.strength:
            raise OptionError(
                "the network of --start has not learnt strengths",
                hint="leave out --strength, or --tune norms",
            )
        options = replace(options, network=trunk.network, strength=trunk.strength)
        kept = [{**_own(trunk.training.options), **style} for style in trunk.styles]
    elif trunk:
        trunk.require_network(options.network)
    if options.precompute and options.strength:
        raise OptionError(
            "content features are not kept for networks that learn strengths",
            hint="leave out --precompute",
        )
    return options, kept


def _own(options: Mapping[str, Any]) -> dict[str, Any]:
    """What a painting may have of its own, of a training that had it for all."""
    given = {**options, **options.get("loss", {})}
    return {key: given[key] for key in OWN if key in given}


def built(options: TrainOptions, styles: int) -> TransformNetwork:
    """The network as it begins from nothing: always the same for one seed.

    Raises:
        OptionError: crops that its stride does not divide, or what its design does not have.
    """
    torch.manual_seed(options.seed)
    network = networks.build(options.network, styles, strength=options.strength)
    over = -options.crop % network.stride
    if over:
        raise OptionError(
            f"this network cannot paint crops of {options.crop} pixels",
            hint=f"use a multiple of {network.stride}, such as --crop {options.crop + over}",
        )
    return network

"""The file of a checkpoint: tensors, and in the header the step, the options and the styles.

Everything in it is checked. A style's name becomes a file's name, and the header describes a
network that is built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from impasto.catalog import Entry, TrainingRecord, valid_name
from impasto.errors import OptionError, TrainingError
from impasto.files.sealed import BrokenError, Header, Kind
from impasto.options import DistillOptions, HypernetworkOptions, TrainAnyOptions, TrainOptions
from impasto.options.fields import Checked, Json, changed, current_record, restored
from impasto.studio import networks, sealed
from impasto.studio.hypernetwork import Hypernetwork
from impasto.studio.networks.grouped import Grouped
from impasto.studio.training import muon
from impasto.studio.training.averaged import Averaged
from impasto.studio.training.checkpoint import Checkpoint, DamagedError, Training
from impasto.studio.training.paintings import own
from impasto.untrusted import parse_json

FORMAT = 2
"""Version of the header; 0 is a file that does not name one. A newer one is refused.

Since version 2 there is a checksum, and a network says itself whether it has learnt strengths. What
the optimiser remembers is named after its weights. Before, it was named after their places.
"""

_NETWORK, _OPTIMISER = "network.", "optimiser."
_KINDS: Mapping[str, type[Checked]] = {"calm": DistillOptions, "hypernetwork": TrainAnyOptions}
"""Other kinds of trainings than the usual one, by an option that no other kind has."""


@dataclass(frozen=True)
class _Said:
    """The content of a header."""

    step: int
    training: Training
    strength: bool
    by_place: bool
    """Whether what the optimiser remembers is named after places."""


def encode(checkpoint: Checkpoint) -> bytes:
    """Write the file of a checkpoint."""
    training = checkpoint.training
    metadata = {
        "format": str(FORMAT),
        "step": str(checkpoint.step),
        "strength": str(checkpoint.strength).lower(),
        "options": json.dumps(training.options),
        "styles": json.dumps([style.record() for style in training.styles]),
        "sources": json.dumps(dict(training.sources)),
    }
    return sealed.encode(checkpoint.tensors, metadata)


def read(path: Path, *, follow: bool = False) -> Checkpoint:
    """Read the checkpoint in ``path``, which is no link unless ``follow`` is on.

    Raises:
        DamagedError: the file is not a checkpoint, or not a whole one.
        TrainingError: a newer version has written it, or its network is not known here.
    """
    try:
        header, tensors = sealed.read(path, _require_tensors, follow=follow)
        said = _said(header)
    except BrokenError as error:
        raise DamagedError(f"{path} is not a whole checkpoint: {error}") from error
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise DamagedError(f"{path} is not a whole checkpoint: it has weights that are no numbers")
    return Checkpoint(said.step, tensors, said.training, said.strength)


def _said(header: Header) -> _Said:
    """Read a header.

    Raises:
        ValueError: it is not the header of a checkpoint.
        TrainingError: a newer version has written it.
    """
    metadata = header.metadata
    format = _number(metadata.get("format", "0"), "format")
    if format > FORMAT:
        raise TrainingError(
            f"the checkpoint was written by a newer impasto (its format is {format})",
            hint="update with pip install -U impasto",
        )
    if format == FORMAT and header.checksum is None:
        raise ValueError("it has no checksum")
    try:
        options = _options(_object(metadata["options"], "options"))
        strength = options.get("learn_strength") is True
        if format < FORMAT and "calm" in options:  # an older distillation says so, too
            for name in ("strength", "learn_strength"):
                options.pop(name, None)
        if format == FORMAT:
            strength = {"true": True, "false": False}[metadata["strength"]]
        styles = [_style(style) for style in _list(metadata["styles"], "styles")]
        _require_kind(options, styles)
        sources = _object(metadata.get("sources", "{}"), "sources")
        step = _number(metadata["step"], "step")
    except (KeyError, TypeError, OptionError) as error:
        raise ValueError(f"its header is damaged: {error}") from error
    training = Training(options, styles, {key: str(value) for key, value in sources.items()})
    return _Said(step, training, strength, by_place=format < FORMAT)


def _require_kind(options: Mapping[str, Json], styles: Sequence[Entry]) -> None:
    """Check options and styles.

    Raises:
        TypeError, OptionError: an option is not of its kind. Or a hypernetwork has styles of its
            own, or a network has none.
    """
    if "hypernetwork" in options:
        restored(TrainAnyOptions, options)
    else:
        TrainingRecord.of(options)
    if bool(styles) == ("hypernetwork" in options):
        raise TypeError("its styles are not those of its kind")


def _options(record: Mapping[str, Json]) -> dict[str, Json]:
    """Return all options of a training, by the names that they have now.

    Options that are newer than the file get their defaults.
    """
    kind = next((kind for name, kind in _KINDS.items() if name in record), TrainOptions)
    return _filled(asdict(kind()), current_record(kind(), record))


def _filled(defaults: Mapping[str, Json], record: Mapping[str, Json]) -> dict[str, Json]:
    filled = {**defaults, **record}
    for name, default in defaults.items():
        inner = record.get(name)
        if isinstance(default, dict) and isinstance(inner, dict):
            filled[name] = _filled(default, inner)
    return filled


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(f"its {what} is {text[:40]!r}")
    return int(text)


def _object(text: str, what: str) -> dict[str, Json]:
    record = parse_json(text)
    if not isinstance(record, dict):
        raise TypeError(f"{what} is not an object")
    return record


def _list(text: str, what: str) -> list[Json]:
    record = parse_json(text)
    if not isinstance(record, list):
        raise TypeError(f"{what} is not a list")
    return record


def _style(record: Json) -> Entry:
    """Read a style.

    Raises:
        OptionError: its name or its options are not allowed.
    """
    style = Entry.of(record)
    valid_name(style.name)
    changed(TrainOptions(), own(style))
    return style


def _require_tensors(header: Header) -> None:
    """Check tensors against the network that the header describes, and its optimiser.

    Raises:
        ValueError: tensors are missing or strange, or have another shape or type.
        TrainingError: that network is not known here.
    """
    said = _said(header)
    try:
        with torch.device("meta"):
            network = _described(said)
    except OptionError as error:
        raise ValueError(f"there is no such network: {error}") from error
    kinds = _of(_NETWORK, header.kinds)
    wanted = {name: sealed.kind(tensor) for name, tensor in network.state_dict().items()}
    for name in [*wanted, *kinds]:
        if kinds.get(name) != wanted.get(name):
            raise ValueError(f"{name} is missing, unknown, or has another shape or type")
    moments = _of(_OPTIMISER, header.kinds)
    if len(kinds) + len(moments) < len(header.kinds):
        raise ValueError("it has tensors that are of no network and of no optimiser")
    weights = {name: tuple(weight.shape) for name, weight in network.named_parameters()}
    _require_moments(moments, weights, by_place=said.by_place)


def _described(said: _Said) -> nn.Module:
    """Build the network that learns, from the header's description.

    Raises:
        OptionError: there is no such network.
        TrainingError: it is of a network that is not known here.
    """
    training = said.training
    if "hypernetwork" not in training.options:
        if training.options.get("apart") is True:
            alone = networks.build(training.network).state_dict()
            return Grouped(training.network, [alone] * len(training.styles))
        return networks.build(training.network, len(training.styles), strength=said.strength)
    own = restored(HypernetworkOptions, training.options["hypernetwork"])
    return Averaged(Hypernetwork(own, training.network))


def _require_moments(
    moments: Mapping[str, Kind], weights: Mapping[str, tuple[int, ...]], *, by_place: bool
) -> None:
    """Check the moments of an optimiser.

    Raises:
        ValueError: they are not those of ``weights``.
    """
    states: dict[str, dict[str, Kind]] = {}
    for name, kind in moments.items():
        weight, _, what = name.rpartition(".")
        states.setdefault(weight, {})[what] = kind
    for weight, state in states.items():
        shapes = [weights[weight]] if weight in weights else []
        if by_place and weight.isdecimal() and int(weight) < len(weights):
            shapes = list(weights.values())
        remembered = [muon.state_shapes(shape) for shape in shapes]
        if state not in [{what: Kind(each) for what, each in r.items()} for r in remembered]:
            raise ValueError(f"what its optimiser remembers of {weight} is damaged")


def _of(prefix: str, kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    return {k.removeprefix(prefix): v for k, v in kinds.items() if k.startswith(prefix)}

"""An experiment as data: pictures, a base configuration, and axes to vary.

A TOML file::

    title = "Style loss from one layer at a time"
    question = "What does each layer of the style loss paint?"
    contents = ["photo.jpg"]        # beside the file; may be given on the command line
    styles = ["painting.jpg"]
    paired = false                  # true: the first values together, the second ones, ...

    [base]                          # any option of impasto optimize, and preset
    size = 256
    init = "uniform"

    [[axis]]
    option = "style_layers"
    values = ["conv1_1", "conv2_1"]

    [[axis]]                        # or several options at once, under a label
    name = "loss network"
    values = [
        { label = "VGG19", loss_network = "vgg19" },
        { label = "ResNet", loss_network = "resnet18" },
    ]
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from impasto import images
from impasto.errors import OptionError
from impasto.files import checksums
from impasto.options import OptimizeOptions, tables
from impasto.options.fields import Json, changed, former
from impasto.options.losses import KINDS
from impasto.studio.optimization.presets import preset
from impasto.studio.optimization.pyramid import INITS

FORMAT = 1
"""Part of every run's key; raise it when equal options paint another picture."""

PHOTOGRAPH, PAINTING = "photograph", "painting"
"""Names of the axes of several photographs, or of several style pictures."""
_TAKEN = {PHOTOGRAPH, PAINTING, *KINDS, "evaluations", "seconds", "memory MB", "picture", "error"}
"""Columns that every report has."""
_MOST_RUNS = 10_000
_KEYS = {"title", "question", "contents", "styles", "paired", "base", "axis"}
_AXIS_KEYS = {"option", "name", "values"}


@dataclass(frozen=True)
class Value:
    """One place on an axis: its label, and the options that it sets."""

    label: str
    knobs: Mapping[str, Json]


@dataclass(frozen=True)
class Axis:
    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Trial:
    """One run: its pictures and options, and its place on each axis."""

    content: Path
    style: Path
    options: OptimizeOptions
    labels: Mapping[str, str]

    @property
    def key(self) -> str:
        """A hash of all that decides what is painted."""
        record = {
            "format": FORMAT,
            "content": _hash(self.content),
            "style": _hash(self.style),
            "options": former(self._of_files()),
        }
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]

    def _of_files(self) -> OptimizeOptions:
        """Return the options; files count by their content."""
        options, loss = self.options, self.options.loss
        if loss.weights:
            loss = replace(loss, weights=_content(Path(loss.weights)))
        init = options.init if options.init in INITS else _content(Path(options.init))
        return replace(options, init=init, loss=loss)


@dataclass(frozen=True)
class Experiment:
    """The content of a recipe; :meth:`trials` are its runs."""

    title: str
    question: str
    contents: tuple[Path, ...]
    styles: tuple[Path, ...]
    base: OptimizeOptions
    axes: tuple[Axis, ...]
    notes: tuple[str, ...] = ()
    """Sentences on what its author should change."""

    def with_pictures(
        self, contents: Sequence[str | Path] = (), styles: Sequence[str | Path] = ()
    ) -> Experiment:
        """Replace pictures, where some are given."""
        return replace(
            self,
            contents=tuple(map(Path, contents)) or self.contents,
            styles=tuple(map(Path, styles)) or self.styles,
        )

    def with_base(self, knobs: Mapping[str, Json]) -> Experiment:
        """Change options of the base."""
        return replace(self, base=changed(self.base, knobs))

    def trials(self) -> list[Trial]:
        """Return every run, in the order of the axes, the last one fastest.

        Raises:
            OptionError: no picture, or options that do not go together.
        """
        for kind, pictures, flag in (
            ("photograph", self.contents, "--content"),
            ("style picture", self.styles, "--style"),
        ):
            if not pictures:
                raise OptionError(f"the experiment names no {kind}", hint=f"give {flag} FILE")
        trials = []
        for content, style in itertools.product(self.contents, self.styles):
            shown = _shown(PHOTOGRAPH, content, self.contents)
            shown |= _shown(PAINTING, style, self.styles)
            for labels, knobs in self._points():
                options = changed(self.base, knobs)
                trials.append(Trial(content, style, options, shown | labels))
        return trials

    def rows_and_columns(self) -> tuple[list[str], list[str]]:
        """Return the names of the axes that a sheet shows downwards, and of those across."""
        pictures = {PHOTOGRAPH: self.contents, PAINTING: self.styles}
        names = [name for name, paths in pictures.items() if len(paths) > 1]
        names += [axis.name for axis in self.axes]
        return names[:-1], names[-1:]

    def _points(self) -> Iterator[tuple[dict[str, str], dict[str, Json]]]:
        for values in itertools.product(*(axis.values for axis in self.axes)):
            labels = {axis.name: value.label for axis, value in zip(self.axes, values, strict=True)}
            yield labels, _merged(values)


def shipped() -> dict[str, str]:
    """Return names and titles of the experiments that come with impasto."""
    return {path.stem: read(path).title for path in _shipped()}


def find(name: str | Path) -> Experiment:
    """Find the experiment in a file, or a shipped one by its name.

    Raises:
        OptionError: there is none, or it says what impasto does not understand.
    """
    if Path(name).suffix == ".toml":
        return read(Path(name))
    for path in _shipped():
        if path.stem == str(name):
            return read(path)
    raise OptionError(
        f"there is no experiment {name}", hint="impasto lab --list names them; or give a .toml file"
    )


def read(path: Path) -> Experiment:
    """Read the experiment in ``path``.

    Raises:
        OptionError: it cannot be read, or says what impasto does not understand.
    """
    text = tables.read(path, "an experiment", _KEYS)
    base, notes = tables.table(text, "base", path), list[str]()
    options = preset(tables.text(base, "preset", path) or "impasto")
    base.pop("preset", None)
    options = changed(options, tables.knobs(options, base, path, notes))
    listed = text.get("axis")
    if not isinstance(listed, list) or not listed:
        raise OptionError(f"{path} varies nothing", hint="add [[axis]] with option and values")
    axes = tuple(_current(_axis(axis, path), path, notes) for axis in listed)
    if (count := math.prod(len(axis.values) for axis in axes)) > _MOST_RUNS:
        raise OptionError(f"{path} asks for {count:,} runs", hint="leave out values of an axis")
    if len({axis.name for axis in axes}) < len(axes):
        raise OptionError(f"{path} has two axes of one name", hint="give one a name of its own")
    paired = text.get("paired", False)
    if not isinstance(paired, bool):
        raise OptionError(f"paired in {path} is {paired!r}", hint="it must be true or false")
    if paired:
        if len({len(axis.values) for axis in axes}) > 1:
            raise OptionError(
                f"{path} pairs axes of different lengths", hint="or set paired = false"
            )
        axes = (_paired(axes),)
    experiment = Experiment(
        tables.text(text, "title", path) or path.stem,
        tables.text(text, "question", path) or "",
        _files(text, "contents", path),
        _files(text, "styles", path),
        options,
        axes,
        tuple(notes),
    )
    for _, knobs in experiment._points():
        changed(options, knobs)  # fail now, not after minutes
    return experiment


def _files(text: Mapping[str, Json], key: str, path: Path) -> tuple[Path, ...]:
    names = text.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise OptionError(f"{key} in {path} is {names!r}", hint=f'use a list: {key} = ["FILE"]')
    return tuple(path.parent / name for name in names)


def _paired(axes: Sequence[Axis]) -> Axis:
    """Join axes into one: its first value is their first values, and so on."""
    together = zip(*(axis.values for axis in axes), strict=True)
    values = [Value(" / ".join(value.label for value in row), _merged(row)) for row in together]
    return Axis(" / ".join(axis.name for axis in axes), tuple(values))


def _merged(values: Sequence[Value]) -> dict[str, Json]:
    return {name: knob for value in values for name, knob in value.knobs.items()}


def _axis(axis: Json, path: Path) -> Axis:
    axis = tables.only(axis, _AXIS_KEYS, path)
    option, values = axis.get("option"), axis.get("values")
    if not isinstance(values, list) or not values:
        raise OptionError(f"an axis of {path} has no values", hint="add values = [...]")
    name = str(axis.get("name", option or "")).replace("_", " ")
    places = []
    for value in values:
        if isinstance(value, dict):
            knobs = {key: knob for key, knob in value.items() if key != "label"}
            label = value.get("label") or ", ".join(_text(knob) for knob in knobs.values())
            places.append(Value(str(label), knobs))
        elif option:
            places.append(Value(_text(value), {str(option): value}))
        else:
            raise OptionError(
                f"an axis of {path} does not say which option {value!r} is of",
                hint='add option = "..."',
            )
    if not name:
        raise OptionError(f"an axis of {path} has no name", hint='add name = "..."')
    if name in _TAKEN:
        raise OptionError(
            f"an axis of {path} is called {name}, as a column of every report is",
            hint="give it another name",
        )
    if len({value.label for value in places}) < len(places):
        raise OptionError(f"the axis {name} of {path} has one label twice")
    return Axis(name, tuple(places))


def _current(axis: Axis, path: Path, notes: list[str]) -> Axis:
    """Return the axis, with the present names of its options."""
    values = [
        replace(value, knobs=tables.knobs(OptimizeOptions(), value.knobs, path, notes))
        for value in axis.values
    ]
    return replace(axis, values=tuple(values))


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _shown(name: str, path: Path, paths: Sequence[Path]) -> dict[str, str]:
    if len(paths) < 2:
        return {}
    alone = [each.stem for each in paths].count(path.stem) == 1
    return {name: path.stem if alone else str(path)}


def _shipped() -> list[Path]:
    folder = Path(str(resources.files("impasto.lab") / "recipes"))
    return sorted(folder.glob("*.toml"))


def _hash(path: Path) -> str:
    """Hash the picture's pixels; the file is read once, unless it changes."""
    return _hash_of(path, path.stat().st_mtime_ns if path.is_file() else 0)


@functools.lru_cache
def _hash_of(path: Path, _changed: int) -> str:
    return images.read(path).sha256


def _content(path: Path) -> str:
    """Hash the file; give its name if it is none, as its later use will report it."""
    return _content_of(path, path.stat().st_mtime_ns) if path.is_file() else str(path)


@functools.lru_cache
def _content_of(path: Path, _changed: int) -> str:
    return checksums.sha256(path)

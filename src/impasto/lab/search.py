"""Search layers and weights with the optimiser on small pictures, before a training takes hours.

Another measure than the loss itself judges the paintings. Else the least loss would win because it
asks for nothing. The measure has distances in a second network, total variation, and the colours.
None of these is best for itself. So the search keeps each balance that no other beats in everything
(a Pareto front), and the eye chooses. The sampler is Optuna's (Akiba et al. 2019, arXiv
1907.10902), with trees of Parzen estimators (Bergstra et al. 2011).
"""

from __future__ import annotations

import hashlib
import json
import os
import string
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
import optuna
import torch
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError  # Optuna's own way to databases

from impasto import images
from impasto.errors import ImpastoError, OptionError, TrainingError, in_memory
from impasto.files import atomic
from impasto.images import metrics
from impasto.images.picture import Picture
from impasto.options import LossOptions, OptimizeOptions, SearchOptions, WriteOptions
from impasto.options.fields import former
from impasto.progress import CancelToken, OnProgress, Progress, silent
from impasto.studio.optimization.optimize import optimize
from impasto.studio.perceptual import loading
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_tensor

SHEET, DATABASE = "sheet.jpg", "search.db"
VALUES = ("content", "style", "roughness", "palette")
"""The values that the search makes small.

``content`` and ``style`` are relative distances in the judge. ``roughness`` is the mean absolute
difference of neighbours, 0..1. ``palette`` is the distance of the colours' distributions, in
levels.
"""

_OF_DATABASES = optuna.exceptions.OptunaError, SQLAlchemyError
_STYLE_WEIGHTS = (1.0, 64.0)
_TV_WEIGHTS = (0.03, 3.0)
_SEEDS = 1 << 32
"""Number of seeds that Optuna's sampler takes."""
_AGAIN = 1.0
"""Seconds before a second try."""


@dataclass(frozen=True)
class Choice:
    """One of the best balances."""

    name: str
    values: Mapping[str, float]
    loss: LossOptions
    picture: Picture

    @property
    def what(self) -> str:
        """Return its layers and weights in a line."""
        loss = self.loss
        return (
            f"content {','.join(loss.content_layers)}  style {','.join(loss.style_layers)}  "
            f"style weight {loss.style_weight:g}  TV {loss.tv_weight:g}"
        )


@in_memory("the search", hint="use a smaller --size", kind=TrainingError)
def search(
    content: str | Path,
    style: str | Path,
    folder: str | Path,
    *,
    options: SearchOptions | None = None,
    storage: str | None = None,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> list[Choice]:
    """Try layers and weights until there are ``options.trials`` trials, with those of earlier
    calls.

    It writes a sheet of the best balances into ``folder``. Each balance is also written as the
    recipe of a training: ``A.toml``, ``B.toml``, ....

    Args:
        content: the photograph's file.
        style: the style picture's file.
        folder: for the sheet and the recipes, and by default for the database.
        options: see :class:`~impasto.options.SearchOptions`.
        storage: URL of a database that Optuna can use; several machines may share one.
        on_progress: called after each trial.
        cancel: stops after the evaluation at hand.

    Returns:
        The best balances, as on the sheet. There are none if ``cancel`` came before they were
        painted. The sheet of an earlier call then stays.

    Raises:
        OptionError: the judge is the network that is searched, or the database cannot be used.
        PictureError: a picture cannot be read.
        OutputError: ``folder`` is a file, or nothing can be written to it.
    """
    options, folder = options or SearchOptions(), Path(folder)
    if options.judge == options.loss_network:
        raise OptionError(
            f"{options.loss_network} would judge itself", hint="give another network as --judge"
        )
    atomic.require_places([folder / SHEET], [content, style], overwrite=True)
    run = _Search(Path(content), Path(style), options, cancel or CancelToken())
    with _study(storage or _beside(folder), run.key) as study:
        while (count := len(_complete(study))) < options.trials and not run.cancel.cancelled:
            _one(study, run)
            on_progress(Progress(min(count + 1, options.trials), options.trials))
        best = _balanced(study)[: options.choices]
    choices = []
    for name, trial in zip(string.ascii_uppercase, best, strict=False):
        loss = run.loss(cast("Point", trial.params))
        if (picture := run.paint(loss)) is None:
            return []
        choices.append(Choice(name, dict(zip(VALUES, trial.values, strict=True)), loss, picture))
    if choices:
        _write(choices, Path(style), folder)
    return choices


def _one(study: optuna.Study, run: _Search) -> None:
    trial = study.ask()
    # The seed follows from the trial. Machines, and calls that go on with a study, all begin alike.
    seed = (run.seed + trial.number) % _SEEDS
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    try:
        values = run.judged(run.loss(run.suggested(trial)))
    except ImpastoError:
        study.tell(trial, state=TrialState.FAIL)
        raise
    if values is None:
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, values)


class Point(TypedDict):
    """A point of the space that is searched."""

    content_layer: str
    deepest: int
    """How deep the style layers go."""
    layers: int
    """How many of those layers are taken, the deepest ones."""
    style_weight: float
    tv_weight: float


class _Search:
    """What is searched, and the judge."""

    def __init__(
        self, content: Path, style: Path, options: SearchOptions, cancel: CancelToken
    ) -> None:
        self._options, self.cancel, self.seed = options, cancel, options.seed
        self._content = images.read(content).resized(options.size)
        self._style = images.read(style).resized(options.size)
        base = LossOptions(loss_network=options.loss_network, weights=options.weights)
        self._base = OptimizeOptions(
            size=options.size, steps=options.steps, seed=options.seed, loss=base
        )
        self._network = loading.load(
            options.loss_network,
            pooling=base.pooling,
            padding=base.padding,
            weights=options.weights,
        )
        self._judge = Judge(
            self._content, self._style, options.judge, weights=options.judge_weights
        )
        self._paintings: dict[LossOptions, Picture] = {}

    @property
    def key(self) -> str:
        """Return the study's name: the same for all calls and machines that search the same."""
        record = former(self._options)
        for name in ("trials", "choices", "weights", "judge_weights"):
            del record[name]
        for name, picture in (("content", self._content), ("style", self._style)):
            record[name] = picture.sha256
        text = json.dumps(record, sort_keys=True)
        return f"impasto-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def suggested(self, trial: Trial) -> Point:
        """Suggest a point of the space."""
        style, content = self._network.style_layers, self._content_layers()
        return {
            "content_layer": trial.suggest_categorical("content_layer", content),
            # How many layers, and which is the deepest: neighbours in the space paint alike.
            "deepest": trial.suggest_int("deepest", 1, len(style)),
            "layers": trial.suggest_int("layers", 1, len(style)),
            "style_weight": trial.suggest_float("style_weight", *_STYLE_WEIGHTS, log=True),
            "tv_weight": trial.suggest_float("tv_weight", *_TV_WEIGHTS, log=True),
        }

    def loss(self, point: Point) -> LossOptions:
        """Return the loss at a point."""
        deepest = point["deepest"]
        chosen = self._network.style_layers[max(0, deepest - point["layers"]) : deepest]
        return replace(
            self._base.loss,
            content_layers=(point["content_layer"],),
            style_layers=tuple(chosen),
            style_weight=float(f"{point['style_weight']:.3g}"),
            tv_weight=float(f"{point['tv_weight']:.3g}"),
        )

    def _content_layers(self) -> list[str]:
        """Return the layers that either loss takes by default; the first still has every pixel."""
        used = {*self._network.content_layers, *self._network.style_layers[1:]}
        return [layer for layer in self._network.layers if layer in used]

    def paint(self, loss: LossOptions) -> Picture | None:
        """Paint with the optimiser, the same again for the same loss; None if it was stopped."""
        if loss not in self._paintings and not self.cancel.cancelled:
            painted = optimize(
                self._content,
                self._style,
                options=replace(self._base, loss=loss),
                network=self._network,
                cancel=self.cancel,
            )
            if self.cancel.cancelled:
                return None
            self._paintings[loss] = painted
        return self._paintings.get(loss)

    def judged(self, loss: LossOptions) -> list[float] | None:
        """Return the :data:`VALUES` of a painting with this loss; None if it was stopped."""
        painting = self.paint(loss)
        return None if painting is None else self._judge(painting)


class Judge:
    """Measures paintings of one photograph in one style in other ways than their loss.

    Args:
        content, style: the pictures, as large as the paintings.
        network: the loss network that measures distances; not the one that painted.
        weights: file with its weights; found by default.
    """

    def __init__(
        self, content: Picture, style: Picture, network: str, *, weights: str | None = None
    ) -> None:
        self._style = style
        self._objective = Objective(
            LossOptions(loss_network=network, weights=weights),
            [StylePicture(to_tensor(style.pixels)[None])],
        )
        self._content = self._objective.content(to_tensor(content.pixels)[None])

    def __call__(self, painting: Picture) -> list[float]:
        """Return the :data:`VALUES` of ``painting``."""
        with torch.no_grad():
            losses = self._objective(to_tensor(painting.pixels)[None], self._content).numbers()
        palette = metrics.palette_distance(painting.pixels, self._style.pixels)
        return [losses["content"], losses["style"], losses["tv"], palette]


@contextmanager
def _study(url: str, name: str) -> Iterator[optuna.Study]:
    """Open the study of a name.

    Raises:
        OptionError: the database cannot be used, or holds something else.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = _storage(url)
    try:
        yield optuna.create_study(
            storage=storage,
            study_name=name,
            directions=["minimize"] * len(VALUES),
            load_if_exists=True,
        )
    except _OF_DATABASES as error:
        raise _unusable(error) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _storage(url: str) -> optuna.storages.RDBStorage:
    for last in (False, False, True):
        try:
            return optuna.storages.RDBStorage(url)
        except (ImportError, *_OF_DATABASES) as error:
            if last:
                raise _unusable(error) from error
        time.sleep(_AGAIN)  # another machine may make the tables at this moment
    raise AssertionError


def _unusable(error: Exception) -> OptionError:
    return OptionError(
        f"the database cannot be used: {str(error).splitlines()[0]}",
        hint="check the URL and its driver, such as pip install psycopg[binary]",
    )


def _beside(folder: Path) -> str:
    """Return the URL of the database in the folder.

    Raises:
        OptionError: what is there is no file; to open a pipe would wait for ever.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(os.path.realpath(folder)) / DATABASE
    if path.exists() and not path.is_file():
        raise OptionError(f"{path} is not a file", hint="give another folder, or remove it")
    return f"sqlite:///{path}"


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _balanced(study: optuna.Study) -> list[FrozenTrial]:
    """Return the Pareto front; first come trials that are good at everything, by the mean of their
    ranks."""
    front = study.best_trials
    if not front:
        return []
    values = np.array([trial.values for trial in front])
    ranks = values.argsort(0).argsort(0).mean(1)
    return [front[index] for index in np.argsort(ranks, kind="stable")]


def _write(choices: Sequence[Choice], style: Path, folder: Path) -> None:
    cells = [
        (f"{each.name}: {'  '.join(f'{k} {v:.2g}' for k, v in each.values.items())}", each.picture)
        for each in choices
    ]
    for each in choices:
        text = recipe(each, style)
        atomic.write(folder / f"{each.name}.toml", text.encode(), overwrite=True)
    images.compose(cells).save(
        folder / SHEET, overwrite=True, options=WriteOptions(quality=90, strip=True)
    )


def recipe(choice: Choice, style: Path) -> str:
    """Write a recipe that ``impasto train --recipe`` takes."""
    loss = choice.loss
    knobs = {
        "loss_network": loss.loss_network,
        "content_layers": list(loss.content_layers),
        "style_layers": list(loss.style_layers),
        "style_weight": loss.style_weight,
        "tv_weight": loss.tv_weight,
        "style_statistic": loss.style_statistic,
        "tone_weight": loss.tone_weight,
    }
    if loss.weights:
        knobs["weights"] = loss.weights
    # Texts, numbers and lists of texts look the same in JSON and in TOML.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in knobs.items()]
    painting = json.dumps(os.path.realpath(style), ensure_ascii=False)
    return "\n".join(["[train]", *lines, "", "[[style]]", f"painting = {painting}", ""])

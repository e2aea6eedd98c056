"""Makes a painting's style better than the style made at once.

Each step has one photograph. It compares the painting's covariances beside its Gram matrices, and
keeps the photograph's tone (:mod:`impasto.studio.perceptual.losses`). It needs no photographs of
the user, because some come with impasto. The network is written into the hypernetwork's template,
so nothing is exported anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from impasto import assets, catalog
from impasto.catalog import Artwork, Entry, Style, TrainingRecord, painted, step
from impasto.catalog.hypernetwork import Weights, filled, parameters
from impasto.catalog.layout import CARD
from impasto.distribution import VERSION
from impasto.errors import OptionError, OutputError, TrainingError, in_memory
from impasto.files import kept_steps, lookup
from impasto.files.kept_steps import WORK
from impasto.images.photographs import PhotographBytes
from impasto.options import PolishOptions, StyleOptions, TrainOptions
from impasto.polishing import engine, muon, state
from impasto.polishing.folded import with_exported
from impasto.polishing.learning import Lesson, Tell, learn
from impasto.polishing.state import Course, State
from impasto.progress import CancelToken, OnProgress, Progress, silent
from impasto.studio.training.log import Log
from impasto.untrusted import whole

if TYPE_CHECKING:
    from impasto.images.raster import PictureSource

START = "any"
"""The start that the card of a polished style names."""
FEWEST = 8
"""Fewest steps, however short the time is."""
_SAVES = 3
"""How many states are saved while it runs, each with a look at what was learnt."""
_TIMED = 3
"""Steps that are timed, the optimiser's part with them."""
_LAST = 2.0
"""Seconds for the loss curves and the style's files."""
_NAMED = 1000
"""Most left-out files whose names the card has."""
LOSS = replace(TrainOptions().loss, style_statistic="gram-covariance", tone_weight=2.0)
OPTIONS = TrainOptions(
    batch=1,
    style_size=512,
    style_smoothing=1.0,
    learning_rate=5e-3,
    held_out=1,
    paper=0.0,
    loss=LOSS,
)


@dataclass(frozen=True, kw_only=True)
class SoFar(Progress):
    """A step of a polish, and the style after it."""

    style: Callable[[], Style]


OnStep = Callable[[SoFar], None]


@dataclass(frozen=True)
class Polished:
    """A polished style, and the results of the polish."""

    style: Style
    steps: int
    """Steps that it has learnt for; 0 if nothing was better than the style made at once."""
    learnable: bytes
    """The file that a training learns on from."""
    before: float | None
    """The objective of photographs that are in no step, before and after; None without such."""
    after: float | None
    stopped: bool = False
    """Whether it was stopped before all steps were taken."""


@in_memory("the polish", hint="close other programs", kind=TrainingError)
def polish(
    painting: PictureSource,
    folder: Path,
    options: PolishOptions,
    *,
    style: StyleOptions | None = None,
    more: Sequence[Path] = (),
    restart: bool = False,
    on_progress: OnProgress = silent,
    on_step: OnStep | None = None,
    cancel: CancelToken | None = None,
) -> Polished:
    """Polish the style of a painting, from what the hypernetwork makes of it.

    ``folder`` keeps what a later call needs to go on, in ``training``. The style is not written
    there. ``more`` are photographs to learn from, beside those that came with impasto and those of
    ``options.photos``. ``on_step`` is called after each step with the style at that time. When
    ``cancel`` stops it, it gives the best so far.

    Raises:
        OptionError: ``painting`` is a style already, or a value that is not allowed.
        PictureError: there is no style in the painting.
        StyleError: a file that came with impasto is missing or damaged.
        TrainingError: a loss that is not a number, another stopped training in ``folder``, or a
            process that learns there.
    """
    began = time.monotonic()
    made = catalog.find(painting, style)
    if made.network is None or made.card.blend:
        raise OptionError(f"{made.name} is not one painting", hint="polish a painting's file")
    photographs, work = _photographs(options, more), folder / WORK
    lesson, begun = _lesson(painting, made, photographs), _begun(made)
    if restart:
        state.empty(work)
    before = lesson.look(begun, 0).validation
    course = _course(made, lesson, _steps(options, lesson, begun, work, began))
    tell = _telling(made, on_progress, on_step)
    learnt = learn(lesson, course, begun, folder, tell, cancel or CancelToken())
    last, stopped = learnt.state, learnt.stopped
    after = (learnt.seen or lesson.look(last.weights, last.step)).validation
    if not last.step or (before is not None and after is not None and after > before):
        return Polished(made, 0, State(0, begun).encoded(course), before, before, stopped)
    polished = _style(made, last.weights, _record(lesson, course, last.step, work))
    return Polished(polished, last.step, last.encoded(course), before, after, stopped)


def require_place(folder: Path, *, overwrite: bool) -> None:
    """Check the place of the style.

    Raises:
        OutputError: a style is there, and no polish that was stopped.
    """
    if overwrite or not (folder / CARD).exists():
        return
    if (state.planned(folder / WORK) or 0) <= kept_steps.steps(folder / WORK):
        raise OutputError(f"{folder} is a style already", hint="--overwrite replaces it")


def save(
    polished: Polished, folder: Path, artwork: Artwork | None = None, *, overwrite: bool = False
) -> Path:
    """Write the style, and its network to learn on from.

    Raises:
        OutputError: as :func:`require_place`.
    """
    require_place(folder, overwrite=overwrite)
    return polished.style.save(
        folder, artwork=artwork, overwrite=True, learnable=polished.learnable
    )


def _telling(made: Style, on_progress: OnProgress, on_step: OnStep | None) -> Tell:
    def tell(progress: Progress, weights: Weights) -> None:
        on_progress(progress)
        if on_step:
            on_step(SoFar(**vars(progress), style=lambda: _so_far(made, weights)))

    return tell


def _photographs(options: PolishOptions, more: Sequence[Path]) -> PhotographBytes:
    own = lookup.pictures(options.photos).paths if options.photos else []
    files = [*lookup.pictures(assets.PHOTOGRAPHS).paths, *own, *more]
    return PhotographBytes(files, crop=OPTIONS.crop, seed=OPTIONS.seed, held_out=OPTIONS.held_out)


def _begun(made: Style) -> Weights:
    """Return the weights that the hypernetwork made.

    Raises:
        OptionError: their network has another shape than those that can be polished.
    """
    shape, known = made.card.network.options, step.read().network.options
    if shape != known:
        raise OptionError(
            f"{made.card.prediction and made.card.prediction.hypernetwork} makes networks of a "
            "shape that cannot be polished",
            hint="use the hypernetwork that came with impasto",
        )
    return parameters(painted.weights(made))


def _lesson(painting: PictureSource, made: Style, photographs: PhotographBytes) -> Lesson:
    prediction = made.card.prediction
    boldness = prediction.boldness if prediction else 1.0
    loss = replace(LOSS, style_weight=LOSS.style_weight * boldness)
    options = replace(OPTIONS, loss=loss, style_crop=made.card.style_crop or "whole")
    picture = painted.seen(
        painting, options.style_size, options.style_crop, options.style_smoothing
    )
    return Lesson(options, photographs, engine.stepper(picture.pixels, loss))


def _steps(options: PolishOptions, lesson: Lesson, begun: Weights, work: Path, began: float) -> int:
    """Return how many steps there are; a polish that goes on keeps its number.

    A time is that of the whole polish, which ``began`` then. A look takes as long as a step.
    """
    if planned := state.planned(work):
        return planned
    steps, seconds = options.amount()
    if steps:
        return steps
    weights, started = dict(begun), time.monotonic()
    moments: muon.State = {}
    for number in range(_TIMED):
        _, gradients, _ = lesson.step(weights, number)
        muon.step(weights, gradients, moments, 0)
    now = time.monotonic()
    left = seconds - (now - began) - _LAST
    return max(FEWEST, int(left * _TIMED / (now - started)) - _SAVES)


def _course(made: Style, lesson: Lesson, steps: int) -> Course:
    options = replace(lesson.options, steps=steps, save_every=max(FEWEST, -(-steps // _SAVES)))
    prediction = made.card.prediction
    began = f"{prediction.hypernetwork} ({prediction.sha256[:12]})" if prediction else "none"
    sources = {"start": began, "photographs": lesson.photographs.digest(), "processes": "1"}
    about = Entry(**{each.name: getattr(made.card, each.name) for each in fields(Entry)})
    return Course(asdict(options), about, sources)


def _record(lesson: Lesson, course: Course, steps: int, work: Path) -> TrainingRecord:
    """Describe the polish for the card."""
    summary = Log(work / "losses.jsonl", steps, here=False).summary()
    skipped = sorted(whole(path.name) for path in lesson.photographs.skipped)
    return replace(
        TrainingRecord.of(course.options),
        steps=steps,  # fewer, if it was stopped
        source={},
        start=START,
        photographs=len(lesson.photographs),
        skipped=tuple(skipped[:_NAMED]),
        losses=summary.losses,
        seconds=summary.seconds,
        validation=summary.validation,
        seconds_per_step=summary.seconds_per_step,
        versions={"impasto": VERSION, **lesson.stepper.versions},
    )


def _style(made: Style, weights: Weights, training: TrainingRecord) -> Style:
    """Make the style of what was learnt."""
    card = replace(made.card, training=training, style_size=training.style_size)
    return _so_far(replace(made, card=card), weights)


def _so_far(made: Style, weights: Weights) -> Style:
    """Make the style of a network as it is now."""
    network = filled(painted.template(made), with_exported(weights)).encoded()
    card = replace(made.card, model=made.card.model.holding(network))
    return replace(made, card=card, network=network)

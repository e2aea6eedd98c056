"""Learn the styles of many paintings at once, each in a network of its own.

The networks run as one of grouped convolutions. They share the photographs, and the loss network's
pass over their paintings. :func:`impasto.studio.training.train.train` is the entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from impasto import catalog
from impasto.errors import OptionError
from impasto.files.kept_steps import WORK
from impasto.options import TrainOptions
from impasto.progress import CancelToken, OnProgress
from impasto.studio.networks.grouped import Grouped, one
from impasto.studio.training import init_from, loop
from impasto.studio.training.apart_lesson import ApartLesson
from impasto.studio.training.checkpoint import Checkpoint, Training
from impasto.studio.training.loop import Course
from impasto.studio.training.paintings import Painting, entries
from impasto.studio.training.publish import publish, record
from impasto.studio.training.subject import Subject


def train_apart(
    wanted: list[Painting],
    photos: str | Path,
    folder: Path,
    options: TrainOptions,
    *,
    start: str | Path | None,
    restart: bool,
    on_progress: OnProgress,
    cancel: CancelToken | None,
) -> Path:
    """Learn the styles of ``wanted``; ``folder`` gets a style folder for each.

    Raises:
        As :func:`impasto.studio.training.train.train`.
    """
    places = _places(wanted, folder)
    subject = Subject.of(wanted, photos, folder, options, on_progress)
    dataset, accelerator = subject.dataset, subject.accelerator
    starts = _starts(subject, start)
    trunks, origin = _trunks(subject, starts, folder / WORK, restart)
    networks = [init_from.begun(options, 1, trunk).state_dict() for trunk in trunks]
    grouped = Grouped(options.network, networks).to(accelerator.device)
    lesson = ApartLesson(options, dataset, subject.objectives, accelerator.device).balanced(grouped)
    began = {each: init_from.began(each, origin) for each in dict.fromkeys(starts)}
    told = [began[each] for each in (starts if len(began) > 1 else began)]
    sources = init_from.sources(", ".join(told), dataset, accelerator.num_processes)
    training = Training(asdict(options), entries(wanted, subject.pictures, []), sources)
    course = Course(
        lesson, training, folder, options.steps, options.save_every, networks=len(wanted)
    )
    teachers = [init_from.taught_by(origin, [entry]) for entry in training.styles]
    resumed = init_from.resumed(
        course, origin, accelerator, restart=restart, on_progress=on_progress, owned=places
    )
    learnt = loop.learn(
        grouped, course, resumed, accelerator, on_progress=on_progress, cancel=cancel
    )
    if accelerator.is_main_process:
        validations = lesson.validations(grouped)
        shared = replace(record(learnt, course.work, None, dataset), losses=None)  # means over all
        for index, (place, begun_with) in enumerate(zip(places, starts, strict=True)):
            own = validations[index] if validations else None
            about = replace(shared, start=init_from.name(begun_with), validation=own)
            publish(_of(learnt, index), place, about, teachers[index])
    loop.end(accelerator)
    return folder


def _places(wanted: Sequence[Painting], folder: Path) -> list[Path]:
    """Return the folder of each style.

    Raises:
        OptionError: one has the name of another folder, or of a bundled style that would hide it.
    """
    names = [each.name for each in wanted]
    if WORK in names:
        raise OptionError(
            f"a style of several cannot be called {WORK}: that folder keeps the training itself",
            hint="rename the painting's file",
        )
    catalog.require_free(names, folder)
    return [folder / name for name in names]


def _starts(subject: Subject, start: str | Path | None) -> list[str | Path | None]:
    """Return the start of each network."""
    count = len(subject.wanted)
    if start == init_from.BEST and init_from.is_good(subject.options, 1):
        return [subject.best(index) for index in range(count)]
    return [None if start in (init_from.BEST, init_from.NOTHING) else start] * count


def _trunks(
    subject: Subject, starts: Sequence[str | Path | None], work: Path, restart: bool
) -> tuple[list[Checkpoint | None], Path | None]:
    """Return what each network begins as, and the file of the start that is one."""
    crop, origin, trunks = subject.options.style_crop, None, list[Checkpoint | None]()
    for painting, start in zip(subject.wanted, starts, strict=True):
        here = init_from.find(start, work, restart)
        trunk = init_from.trunk(start, here, [painting], crop)
        init_from.with_trunk(subject.options, trunk)
        trunks.append(trunk)
        origin = origin or here
    return trunks, origin


def _of(learnt: Checkpoint, index: int) -> Checkpoint:
    """Return one network of several as if it had been trained alone."""
    alone = {name: weight.clone() for name, weight in one(learnt.tensors, index).items()}
    training = learnt.training
    options = {**training.options, "apart": False}
    entry = training.styles[index]
    return Checkpoint(learnt.step, alone, Training(options, [entry], training.sources), False)

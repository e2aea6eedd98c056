"""Many photographs and films, many styles: one result per task, and no task stops the others."""

from __future__ import annotations

import functools
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import TYPE_CHECKING

from impasto import images
from impasto.errors import ImpastoError, PictureLimitError, in_memory
from impasto.files import atomic, checksums, kinds
from impasto.inference import runtimes
from impasto.options import ReadOptions
from impasto.progress import CancelToken, OnProgress, silent
from impasto.stylization import layers
from impasto.stylization.results import Result, Settings, is_there

if TYPE_CHECKING:
    from pathlib import Path

    from impasto.files.naming import Task
    from impasto.images.picture import Picture
    from impasto.stylization.layers import Painter, Styles
    from impasto.video.film import Film


_SMALLER = "use a smaller --size"


def run(
    tasks: Sequence[Task],
    styles: Mapping[str, Styles],
    settings: Settings,
    *,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Iterator[Result]:
    """Do ``tasks`` in order, with ``styles`` by the name that the tasks use.

    Each photograph is read once. Each style is loaded once, for its first photograph.
    ``on_progress`` is called after each frame of a film. ``cancel`` stops after the frame or the
    picture at hand.

    A photograph that cannot be read, or a result that cannot be written, gives a result with an
    error. Where the output exists already and ``overwrite`` is off, the task is skipped before any
    work. Then its style is not looked at.

    Raises:
        StyleError, DeviceError: before any work, for a style or a device that cannot be used. Only
            the first style is tried in a runtime. If a later one fails there, that is an error of
            its tasks.
        MissingExtraError: before any work, for a film without PyAV.
    """
    films, pictures = ([task for task in tasks if task.is_film is kind] for kind in (True, False))
    require_for_films(tasks, settings)
    if require_styles(tasks, styles, settings):
        runtimes.require(settings.device)
    load, cancel = loader(styles, settings), cancel or CancelToken()
    if first := next((task for task in pictures if not is_there(task, settings)), None):
        load(first.style)
    yield from _pictures(pictures, load, settings, cancel)
    taken = places(tasks)
    for task in films:
        if not cancel.cancelled:
            yield film(task, styles[task.style], settings, on_progress, cancel, taken)


def require_for_films(tasks: Sequence[Task], settings: Settings) -> None:
    """Check that films can be painted, if there are any.

    Raises:
        MissingExtraError: a film is to be painted, and PyAV is not installed.
    """
    if any(task.is_film and not is_there(task, settings) for task in tasks):
        from impasto.video import opening

        opening.library()


def require_styles(tasks: Sequence[Task], styles: Mapping[str, Styles], settings: Settings) -> bool:
    """Check the files of the needed styles; say whether something is to be painted.

    Raises:
        StyleError: one is missing, damaged or foreign.
        OptionError: a blend of networks that cannot be averaged.
    """
    wanted = {task.style for task in tasks if not is_there(task, settings)}
    for name in wanted:
        styles[name].loaded()
    return bool(wanted)


Load = Callable[[str], "Painter"]
"""A function that gives the style of a name, ready to paint."""


def loader(styles: Mapping[str, Styles], settings: Settings) -> Load:
    """Make a function that loads each style once, when a task first asks for it."""

    @functools.cache
    def load(name: str) -> Painter:
        return layers.painter(styles[name], device=settings.device, threads=settings.threads)

    return load


def _pictures(
    tasks: Sequence[Task], load: Load, settings: Settings, cancel: CancelToken
) -> Iterator[Result]:
    """Paint pictures. Meanwhile the next one is read, and the last result is written."""
    groups = [list(group) for _, group in groupby(tasks, lambda task: task.input)]
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:

        def read(group: list[Task]) -> Future[_Photo] | None:
            wanted = not all(is_there(task, settings) for task in group)
            return reader.submit(_read, group[0].input, settings.read) if wanted else None

        ahead = chain(map(read, groups), (None,))
        coming = next(ahead)
        for group in groups:
            if cancel.cancelled:
                break
            photo, coming = coming, next(ahead)
            for task in group:
                if cancel.cancelled:
                    break
                if photo is None or is_there(task, settings):
                    painted: tuple[Result, Picture | None] = Result(task, skipped=True), None
                else:
                    painted = _paint(task, photo.result(), load, settings)
                waiting.append(writer.submit(_write, *painted, settings))
                if len(waiting) > 1:
                    yield waiting.popleft().result()
        for each in waiting:
            yield each.result()


@dataclass(frozen=True)
class _Photo:
    """A photograph, or what is wrong with it, which each of its tasks reports once."""

    picture: Picture | ImpastoError
    seconds: float


def _read(path: Path, options: ReadOptions) -> _Photo:
    return _timed(lambda: images.read(path, options))


def _timed(read: Callable[[], Picture]) -> _Photo:
    started = time.perf_counter()
    try:
        picture: Picture | ImpastoError = read()
    except ImpastoError as error:
        picture = error
    return _Photo(picture, time.perf_counter() - started)


def one(task: Task, content: bytes, load: Load, settings: Settings) -> tuple[Result, bytes | None]:
    """Paint one picture, from the ``content`` of its file to the content of its output.

    :func:`written` writes the output.
    """
    photo = _timed(lambda: images.read(content, settings.read, name=str(task.input)))
    return _encoded(*_paint(task, photo, load, settings), settings)


def _paint(
    task: Task, photo: _Photo, load: Load, settings: Settings
) -> tuple[Result, Picture | None]:
    started = time.perf_counter()
    try:
        if isinstance(photo.picture, ImpastoError):
            raise photo.picture
        _require_room(photo.picture, settings)
        stylizer = load(task.style)
        with in_memory(str(task.input), hint=_SMALLER):
            painting = stylizer.painted(photo.picture, settings.stylize)
    except ImpastoError as error:
        return Result(task, seconds=time.perf_counter() - started, error=error), None
    spent = photo.seconds + time.perf_counter() - started
    notes = (*painting.notes, *_named(task))
    return Result(task, spent, device=stylizer.device, notes=notes), painting


def _require_room(photo: Picture, settings: Settings) -> None:
    """Check the size of the painting.

    Raises:
        PictureLimitError: it has more pixels than impasto reads of one picture.
    """
    limit, side = settings.read.max_pixels, settings.stylize.side(photo.width, photo.height)
    pixels = photo.width * photo.height * (side / max(photo.width, photo.height)) ** 2
    if pixels > limit:
        raise PictureLimitError(
            f"it would have {pixels / 1e6:.0f} megapixels; the limit is {limit / 1e6:g}",
            hint="use a smaller --size, or raise --max-pixels if there is memory for it",
        )


def _write(about: Result, painting: Picture | None, settings: Settings) -> Result:
    return written(*_encoded(about, painting, settings), settings)


def _encoded(
    about: Result, painting: Picture | None, settings: Settings
) -> tuple[Result, bytes | None]:
    if painting is None:
        return about, None
    started = time.perf_counter()
    try:
        with in_memory(str(about.task.input), hint=_SMALLER):
            data = images.encode(painting, kinds.format_of(about.task.output), settings.write)
    except ImpastoError as error:
        return replace(about, error=error), None
    return replace(
        about,
        seconds=about.seconds + time.perf_counter() - started,
        width=painting.width,
        height=painting.height,
        sha256=hashlib.sha256(data).hexdigest(),
    ), data


def written(about: Result, data: bytes | None, settings: Settings) -> Result:
    """Write the output of a task, if there is any, and return the result."""
    if data is None:
        return about
    started = time.perf_counter()
    try:
        atomic.write(about.task.output, data, overwrite=settings.overwrite)
    except ImpastoError as error:
        return Result(about.task, about.seconds, notes=about.notes, error=error)
    return replace(about, seconds=about.seconds + time.perf_counter() - started)


def places(tasks: Iterable[Task]) -> frozenset[str]:
    """Return the places of files, now or later, that no result may replace."""
    return frozenset(os.path.realpath(path) for task in tasks for path in (task.input, task.output))


def fitting(task: Task, taken: Container[str]) -> Task:
    """Change the kind of a film to one that holds its sound, if nobody has named the kind."""
    from impasto.stylization import film

    return film.fitting(task, taken) if task.free and task.is_film else task


def film(
    task: Task,
    style: Styles,
    settings: Settings,
    on_progress: OnProgress,
    cancel: CancelToken,
    taken: Container[str] = (),
) -> Result:
    """Paint one film, or go on with it.

    If nobody has named its kind, it becomes a kind that holds its sound. It goes into no place that
    is ``taken``.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    from impasto.stylization.film import stylize_film
    from impasto.video import opening

    if is_there(task, settings):
        return Result(task, skipped=True)
    opening.library()
    task = fitting(task, taken)
    if is_there(task, settings):
        return Result(task, skipped=True)
    started = time.perf_counter()
    try:
        stylizer = layers.painter(
            style, device=settings.device, threads=settings.threads, steady=True
        )
        with in_memory(str(task.input), hint=_SMALLER):
            painted = stylize_film(
                task.input,
                task.output,
                stylizer,
                settings.stylize,
                read=settings.read,
                overwrite=settings.overwrite,
                strip=settings.write.strip,
                on_progress=on_progress,
                cancel=cancel,
            )
        digest = checksums.sha256(task.output)
    except ImpastoError as error:
        return Result(task, seconds=time.perf_counter() - started, error=error)
    return Result(
        task,
        seconds=time.perf_counter() - started,
        width=painted.width,
        height=painted.height,
        device=stylizer.device,
        sha256=digest,
        notes=(*_notes(painted), *_named(task)),
    )


def _named(task: Task) -> tuple[str, ...]:
    return (task.note,) if task.note else ()


def _notes(film: Film) -> Iterator[str]:
    """Say what a person needs to know of a painted film."""
    flicker = f"flicker {film.flicker:.2f} levels; in the film itself {film.noise:.2f}"
    yield f"{film.frames} frames, {flicker}"
    if not film.whole:
        yield "stopped; the same command goes on from here"
    if film.missing:
        yield f"the file tells of {film.missing} more frames; it may be damaged"
    yield from film.notes

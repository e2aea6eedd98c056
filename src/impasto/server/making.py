"""What a job makes, in a process of its own: a picture, a film, and what is told meanwhile."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from impasto import images
from impasto.errors import PictureLimitError
from impasto.files import paths
from impasto.options import (
    OptimizeOptions,
    ReadOptions,
    ServeOptions,
    StyleOptions,
    StylizeOptions,
    WriteOptions,
)
from impasto.options.fields import Json, changed
from impasto.progress import OnProgress, Progress
from impasto.server import styles
from impasto.server.fields import FILM_TYPES, MEDIA_TYPES, WRITTEN, taken
from impasto.server.jobs import Jobs
from impasto.server.painting import OWN, Order, PaintedFile, own_format, painted, read_options
from impasto.server.records import Job

SENT = "the film"
"""What errors call it, and its file."""
_TELL = 0.25
_SHOW = 3.0
"""Seconds between two writings of a job's progress, and of its picture so far."""


@dataclass(frozen=True)
class Wanted:
    """What a job with a style wants."""

    painted: StylizeOptions
    style: StyleOptions
    write: WriteOptions


def wanted(job: Job) -> Wanted:
    """Raises: OptionError: a value that is not allowed."""
    rest = dict(job.options)
    style, write = taken(StyleOptions(), rest), taken(WRITTEN, rest)
    return Wanted(changed(StylizeOptions(), rest), style, write)


def optimization(job: Job) -> tuple[OptimizeOptions, WriteOptions]:
    """What a job with a painting to optimise wants; raises as :func:`wanted` does."""
    rest = dict(job.options)
    write = taken(WRITTEN, rest)
    return changed(OptimizeOptions(), rest), write


def made(options: ServeOptions, job: Job, jobs: Jobs, folder: Path) -> dict[str, Json]:
    """Do a job, keep its result, and say how it ended."""
    image, tell = jobs.part(job.id, "image"), _teller(jobs, job.id)
    sent = [jobs.part(job.id, part).read() for part in styles.parts(job.style)]
    if job.kind == "film":
        image.save(folder / SENT)
        target, notes = _film(options, job, sent, folder, tell)
        media_type = FILM_TYPES[target.suffix[1:]]
        with target.open("rb") as file:
            size = jobs.keep(job.id, "result", file)
    else:
        if job.kind == "stylize":
            made = _stylized(options, job, image.read(), sent)
        else:
            painting = jobs.part(job.id, "painting").read()
            made = _optimized(options, job, image.read(), painting, tell)
        media_type, notes = MEDIA_TYPES[made.format], made.notes
        size = jobs.keep(job.id, "result", BytesIO(made.data))
    return {"state": "done", "media_type": media_type, "bytes": size, "notes": list(notes)}


def _stylized(options: ServeOptions, job: Job, image: bytes, sent: list[bytes]) -> PaintedFile:
    want, formats = wanted(job), (job.format or OWN,)
    order = Order(image, job.style, want.painted, formats, want.write, sent, want.style)
    return painted(order, replace(options, stylize_side=options.job_side))


def _film(
    options: ServeOptions, job: Job, sent: list[bytes], folder: Path, tell: OnProgress
) -> tuple[Path, Sequence[str]]:
    """The painted film of the one that was sent, and what had to be decided."""
    from impasto.stylization.film import fitting, stylize_film
    from impasto.stylization.stylizer import Stylizer

    target = folder / f"painted.{job.format or 'mp4'}"
    name = styles.shown(job.style)
    task = paths.Task(folder / SENT, name, target, free=not job.format)
    task = fitting(task) if task.free else task
    want = wanted(job)
    style = styles.made(job.style, sent, want.style, read_options(options))

    def on_progress(progress: Progress) -> None:
        if progress.total > options.film_frames:
            raise PictureLimitError(
                f"the film has {progress.total} frames; the limit is {options.film_frames}",
                hint="send a shorter one",
            )
        tell(progress)

    film = stylize_film(
        task.input,
        task.output,
        Stylizer(style, device=options.device, steady=True),
        want.painted,
        read=ReadOptions(max_pixels=options.max_pixels, max_side=options.job_side),
        strip=want.write.strip,
        on_progress=on_progress,
    )
    return task.output, (*film.notes, *filter(None, [task.note]))


def _optimized(
    options: ServeOptions, job: Job, image: bytes, painting: bytes, tell: OnProgress
) -> PaintedFile:
    from impasto.studio.optimization.optimize import optimize

    read, (want, write) = read_options(options), optimization(job)
    photo = images.read(image, read, enough=want.size)
    style_size = want.style_size or math.ceil(want.size * want.style_scale)
    style = images.read(painting, read, enough=style_size, name=styles.WHAT)
    painted = optimize(photo, style, options=want, on_step=tell)
    format = job.format or own_format(photo)
    data = images.encode(painted, format, write)
    return PaintedFile(data, format, want.device, {}, [*photo.notes, *style.notes])


def _teller(jobs: Jobs, id: str) -> OnProgress:
    """Writes progress where clients see it, not more often than they look; now and then with
    the picture so far, where a step has one."""
    marked = pictured = time.monotonic()
    shown = 0

    def tell(progress: Progress) -> None:
        nonlocal marked, pictured, shown
        now = time.monotonic()
        if now - marked < _TELL and progress.step < progress.total:
            return
        marked = now
        picture = getattr(progress, "picture", None)
        if picture and now - pictured > _SHOW:
            jobs.mark(id, "preview", picture().encode("JPEG"))
            pictured, shown = now, progress.step
        values = {name: float(value) for name, value in progress.losses.items()}
        losses = {name: round(each, 6) for name, each in values.items() if math.isfinite(each)}
        about = {"step": progress.step, "total": progress.total, "losses": losses, "shown": shown}
        jobs.mark(id, "progress", json.dumps(about).encode())

    return tell

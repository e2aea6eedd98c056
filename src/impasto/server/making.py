"""Makes the result of a job, in a process of its own, and reports progress meanwhile."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto import images
from impasto.errors import PictureLimitError
from impasto.files import naming
from impasto.options import (
    OptimizeOptions,
    PolishOptions,
    ReadOptions,
    ServeOptions,
    StyleOptions,
    StylizeOptions,
    WriteOptions,
)
from impasto.options.fields import Json, changed
from impasto.progress import CancelToken, OnProgress, Progress
from impasto.server import packing, styles
from impasto.server.fields import FILM_TYPES, MEDIA_TYPES, WRITTEN, taken
from impasto.server.jobs import Jobs
from impasto.server.painting import (
    OWN,
    Order,
    PaintedFile,
    own_format,
    painted,
    read_mask,
    read_options,
)
from impasto.server.records import Job, Told
from impasto.stylization.layers import layered, painter
from impasto.stylization.stylizer import Stylizer

if TYPE_CHECKING:
    from impasto.catalog import Style
    from impasto.images.picture import Picture

SENT = "the film"
"""The name of the film in errors, and of its file."""
_TELL = 0.25
_SHOW = 3.0
"""Seconds between two reports of a job's progress, and of its picture so far."""
_SHOWN = 1024
"""Longer side of that picture, in pixels."""
_MOST = 0.8
"""Largest part of a job's time for a polish; the picture is painted afterwards."""


@dataclass(frozen=True)
class Wanted:
    """What a job with a style wants."""

    painted: StylizeOptions
    style: StyleOptions
    polish: PolishOptions
    write: WriteOptions


def wanted(job: Job) -> Wanted:
    """Read what a job with a style wants.

    Raises:
        OptionError: a value that is not allowed.
    """
    rest = dict(job.options)
    style, polish = taken(StyleOptions(), rest), taken(PolishOptions(), rest)
    write = taken(WRITTEN, rest)
    return Wanted(changed(StylizeOptions(), rest), style, polish, write)


def optimization(job: Job) -> tuple[OptimizeOptions, WriteOptions]:
    """Read what a job with a painting to optimise wants; raises as :func:`wanted` does."""
    rest = dict(job.options)
    write = taken(WRITTEN, rest)
    return changed(OptimizeOptions(), rest), write


def made(options: ServeOptions, job: Job, jobs: Jobs, folder: Path) -> dict[str, Json]:
    """Do a job, store its result, and say how it ended."""
    image, tell = jobs.part(job.id, "image"), _Telling(jobs, job.id)
    sent = [jobs.part(job.id, part).read() for part in styles.parts(job.style)]
    mask = jobs.part(job.id, "mask").read() if job.masked else None
    if job.kind == "film":
        image.save(folder / SENT)
        target, notes = _film(options, job, sent, mask, folder, tell)
        media_type = FILM_TYPES[target.suffix[1:]]
        with target.open("rb") as file:
            size = jobs.keep(job.id, "result", file)
        return {"state": "done", "media_type": media_type, "bytes": size, "notes": list(notes)}
    size, learnt = 0, ""
    if job.kind == "optimize":
        painting = jobs.part(job.id, "painting").read()
        made = _optimized(options, job, image.read(), painting, tell)
    else:
        if job.kind == "polish":
            style, learnt = _polished(options, job, image.read(), sent[0], folder, tell)
            size, sent = jobs.keep(job.id, "style", BytesIO(style)), [style]
        made = _stylized(options, job, image.read(), sent, mask)
    size += jobs.keep(job.id, "result", BytesIO(made.data))
    notes = list(filter(None, [*made.notes, learnt]))
    return {"state": "done", "media_type": MEDIA_TYPES[made.format], "bytes": size, "notes": notes}


def _stylized(
    options: ServeOptions, job: Job, image: bytes, sent: list[bytes], mask: bytes | None
) -> PaintedFile:
    want, formats = wanted(job), (job.format or OWN,)
    order = Order(image, job.style, want.painted, formats, want.write, sent, want.style, mask)
    return painted(order, replace(options, stylize_side=options.job_side))


def _film(
    options: ServeOptions,
    job: Job,
    sent: list[bytes],
    mask: bytes | None,
    folder: Path,
    tell: OnProgress,
) -> tuple[Path, Sequence[str]]:
    """Paint the film that was sent; also return what had to be decided."""
    from impasto.stylization.film import fitting, stylize_film

    target = folder / f"painted.{job.format or 'mp4'}"
    name = styles.shown(job.style)
    task = naming.Task(folder / SENT, name, target, free=not job.format)
    task = fitting(task) if task.free else task
    want = wanted(job)
    style = styles.made(job.style, sent, want.style, read_options(options))
    look = layered([(style, read_mask(mask, options))])

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
        painter(look, device=options.device, steady=True),
        want.painted,
        read=ReadOptions(max_pixels=options.max_pixels, max_side=options.job_side),
        strip=want.write.strip,
        on_progress=on_progress,
    )
    return task.output, (*film.notes, *filter(None, [task.note]))


def _optimized(
    options: ServeOptions, job: Job, image: bytes, painting: bytes, tell: _Telling
) -> PaintedFile:
    from impasto.studio.optimization.optimize import optimize

    read, (want, write) = read_options(options), optimization(job)
    photo = images.read(image, read, enough=want.size)
    style_size = want.style_size or math.ceil(want.size * want.style_scale)
    style = images.read(painting, read, enough=style_size, name=styles.WHAT)
    painted = optimize(photo, style, options=want, on_step=tell, cancel=tell.cancel)
    format = job.format or own_format(photo)
    data = images.encode(painted, format, write)
    return PaintedFile(data, format, want.device, {}, [*photo.notes, *style.notes])


@dataclass(frozen=True, kw_only=True)
class _Seen(Progress):
    """A step, with the photograph's look at that time."""

    picture: Callable[[], Picture]


def _polished(
    options: ServeOptions, job: Job, image: bytes, sent: bytes, folder: Path, tell: _Telling
) -> tuple[bytes, str]:
    """Polish the style of a painting; return it as a zip file, with the results."""
    from impasto import polishing

    want, read = wanted(job), read_options(options)
    painting = images.read(sent, read, name=styles.WHAT)
    photo = images.read(image, read, enough=_SHOWN)
    photo = photo.resized(min(_SHOWN, max(photo.width, photo.height)))
    look = asdict(replace(want.painted, size=None))

    def on_step(step: polishing.SoFar) -> None:
        about = {name: value for name, value in vars(step).items() if name != "style"}
        picture = partial(_shown, step.style, photo, look, options.device)
        tell(_Seen(**about, picture=picture))

    tell.until = time.monotonic() + min(options.polish_deadline, _MOST * options.job_deadline)
    more = [photo.save(folder / "photo.png")]
    result = polishing.polish(
        painting, folder, want.polish, style=want.style, more=more, on_step=on_step,
        cancel=tell.cancel,
    )  # fmt: skip
    style = packing.packed(polishing.save(result, folder / result.style.name))
    if result.before is None or result.after is None:
        return style, ""
    steps = result.steps
    return style, f"loss {result.before:.2f} at once, {result.after:.2f} after {steps} steps"


def _shown(
    style: Callable[[], Style], photo: Picture, look: dict[str, Any], device: str
) -> Picture:
    return Stylizer(style(), device=device)(photo, **look)


class _Telling:
    """Writes progress where clients see it, not more often than they look.

    Now and then it adds the picture so far, where a step has one. It also reads whether to
    ``cancel``, and cancels by itself when the time is up.
    """

    def __init__(self, jobs: Jobs, id: str) -> None:
        self.cancel, self.until = CancelToken(), math.inf
        self._jobs, self._id = jobs, id
        self._marked = self._pictured = time.monotonic()
        self._shown = 0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._marked < _TELL and progress.step < progress.total:
            return
        self._marked = now
        if now > self.until or self._jobs.stopped(self._id):
            self.cancel.cancel()
        picture = getattr(progress, "picture", None)
        if picture and now - self._pictured > _SHOW:
            self._jobs.mark(self._id, "preview", picture().encode("JPEG"))
            self._pictured, self._shown = time.monotonic(), progress.step
        values = {name: float(value) for name, value in progress.losses.items()}
        losses = {name: round(each, 6) for name, each in values.items() if math.isfinite(each)}
        told = Told(step=progress.step, total=progress.total, losses=losses, shown=self._shown)
        self._jobs.mark(self._id, "progress", told.model_dump_json().encode())

"""Many photographs and films, many styles: one result per job, and no job stops the others."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from impasto import codecs, files
from impasto.errors import ImpastoError
from impasto.options import ReadOptions, StylizeOptions, WriteOptions
from impasto.progress import CancelToken, OnProgress, silent
from impasto.stylizer import Stylizer

if TYPE_CHECKING:
    from impasto.catalog import Style
    from impasto.files import Job
    from impasto.picture import Picture


@dataclass(frozen=True)
class Result:
    """What became of one job: painted, skipped because its output is there, or failed."""

    job: Job
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    device: str = ""
    sha256: str = ""
    notes: tuple[str, ...] = ()
    skipped: bool = False
    error: ImpastoError | None = None

    @property
    def status(self) -> str:
        """``done``, ``skipped`` or ``error``."""
        return "error" if self.error else "skipped" if self.skipped else "done"


@dataclass(frozen=True)
class Settings:
    """How all jobs of a batch are done."""

    stylize: StylizeOptions = StylizeOptions()
    read: ReadOptions = ReadOptions()
    write: WriteOptions = WriteOptions()
    device: str = "auto"
    threads: int | None = None
    overwrite: bool = False


def run(
    jobs: Sequence[Job],
    styles: Mapping[str, Style],
    settings: Settings,
    *,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Iterator[Result]:
    """Do ``jobs`` in order, with ``styles`` by the name that the jobs use.

    Each photograph is read once, each style loaded once. ``on_progress`` is called after
    each frame of a film; ``cancel`` stops after the frame or the picture at hand.

    A photograph that cannot be read, or a result that cannot be written, is a result with
    an error. Where the output is there already and ``overwrite`` is off, the job is
    skipped before any work.

    Raises:
        StyleError, DeviceError: before any work, for a style or a device that cannot be
            used.
    """
    stylizers = {
        name: Stylizer(style, device=settings.device, threads=settings.threads)
        for name, style in styles.items()
    }
    cancel = cancel or CancelToken()
    films, pictures = ([job for job in jobs if job.is_film is kind] for kind in (True, False))
    for path, group in groupby(pictures, lambda job: job.input):
        if not cancel.cancelled:
            yield from _paint_all(path, list(group), stylizers, settings)
    for job in films:
        if not cancel.cancelled:
            yield _paint_film(job, styles[job.style], settings, on_progress, cancel)


def _paint_all(
    path: Path, jobs: list[Job], stylizers: dict[str, Stylizer], settings: Settings
) -> Iterator[Result]:
    """The jobs of one photograph."""
    photo: Picture | ImpastoError | None = None
    for job in jobs:
        if job.output.exists() and not settings.overwrite:
            yield Result(job, skipped=True)
            continue
        started = time.perf_counter()
        photo = photo or _read(path, settings.read)
        try:
            if isinstance(photo, ImpastoError):
                raise photo
            yield _paint(job, photo, stylizers[job.style], settings, started)
        except ImpastoError as error:
            yield Result(job, seconds=time.perf_counter() - started, error=error)


def _paint_film(
    job: Job, style: Style, settings: Settings, on_progress: OnProgress, cancel: CancelToken
) -> Result:
    from impasto import video

    if job.output.exists() and not (settings.overwrite or video.unfinished(job.output)):
        return Result(job, skipped=True)
    started = time.perf_counter()
    try:
        stylizer = Stylizer(style, device=settings.device, threads=settings.threads, steady=True)
        film = video.paint(
            job.input,
            job.output,
            stylizer,
            settings.stylize,
            read=settings.read,
            overwrite=settings.overwrite,
            on_progress=on_progress,
            cancel=cancel,
        )
        with job.output.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except ImpastoError as error:
        return Result(job, seconds=time.perf_counter() - started, error=error)
    flicker = f"flicker {film.flicker:.2f} levels; in the film itself {film.noise:.2f}"
    stopped = () if film.whole else ("stopped; the same command goes on from here",)
    return Result(
        job,
        seconds=time.perf_counter() - started,
        width=film.width,
        height=film.height,
        device=stylizer.device,
        sha256=digest,
        notes=(f"{film.frames} frames, {flicker}", *stopped),
    )


def _read(path: Path, options: ReadOptions) -> Picture | ImpastoError:
    """The photograph, or what is wrong with it, to be told once for each job."""
    try:
        return codecs.read(path, options)
    except ImpastoError as error:
        return error


def _paint(
    job: Job, photo: Picture, stylizer: Stylizer, settings: Settings, started: float
) -> Result:
    painting = stylizer(photo, **asdict(settings.stylize))
    data = codecs.encode(painting, codecs.format_of(job.output), settings.write)
    files.write(job.output, data, overwrite=settings.overwrite)
    return Result(
        job,
        seconds=time.perf_counter() - started,
        width=painting.width,
        height=painting.height,
        device=stylizer.device,
        sha256=hashlib.sha256(data).hexdigest(),
        notes=photo.notes,
    )

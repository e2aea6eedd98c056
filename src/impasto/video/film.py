"""A film read, painted and written: the course of the work, and how it goes on another day.

Painted frames are encoded in parts of some seconds, each with what the next one needs to go
on from it; a film that was stopped goes on at the last one. In the end the parts and the
packets of what the source holds beside them are put together, without being encoded again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import ImpastoError, OutputError, PictureError, StyleError, reason
from impasto.files import atomic
from impasto.options import ReadOptions
from impasto.progress import CancelToken, OnProgress, silent
from impasto.video.cargo import cargo
from impasto.video.muxing import Whole, join
from impasto.video.opening import library
from impasto.video.pipeline import Look, Pipeline
from impasto.video.reading import Source
from impasto.video.workplace import Work

_VERSION = 2
"""Of the parts: those of another one are not gone on with."""
_OF_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""What FFmpeg says of a disk; of a film that is cut, it says "Input/output error"."""


@dataclass(frozen=True)
class Film:
    """What was painted, ``whole`` unless it was stopped.

    ``flicker`` and ``noise`` are as in :class:`impasto.video.temporal.SteadyEngine`.
    """

    frames: int
    width: int
    height: int
    flicker: float
    noise: float
    whole: bool
    missing: int = 0
    """Frames that the file tells of beside these, and that were not to be had."""
    notes: tuple[str, ...] = ()
    """What was left out, or had to be decided, one sentence each."""


def paint(
    source: Path,
    target: Path,
    look: Look,
    *,
    read: ReadOptions | None = None,
    overwrite: bool = False,
    strip: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Film:
    """Paint a film into a file whose suffix says its kind, one of
    :data:`impasto.files.paths.FILMS`; without titles, places and dates if they are to be stripped.

    Stopped by ``cancel``, it leaves a film of what there is; called again, it goes on.

    Raises:
        PictureError: not a film, a damaged one, or one above the limits.
        OptionError: the kind cannot hold the sound.
        OutputError: ``target`` is there already, or cannot be written; or another process is
            painting it.
        MissingExtraError: PyAV is not installed.
        Cancelled: before the first frame.
    """
    cancel = cancel or CancelToken()
    library()
    with (
        closing(Work(target, _key(source, look))) as work,
        _given_up(work),
        _errors_translated(source, target),
    ):
        if os.path.lexists(target) and not overwrite and not work.is_shown():
            raise atomic.there_already(target)
        with Source(source, read or ReadOptions()) as film:
            held = cargo(film, target.suffix)
            pipeline = Pipeline(film, work, look)
            pipeline.run(on_progress, cancel)
            if not pipeline.frames:
                cancel.check()
                raise PictureError(f"{source} has no frames that can be decoded")
            stopped = cancel.cancelled
            joined = work.folder / f"joined{target.suffix.lower()}"
            whole = Whole(film, work.parts, held, pipeline.end, stopped, strip, pipeline.clear)
            join(whole, joined)
            work.finish(joined, whole=not stopped)
            told = film.stream.frames
    engine = look.engine
    return Film(
        pipeline.frames, pipeline.width, pipeline.height, engine.flicker, engine.noise,
        whole=not stopped,
        missing=0 if stopped else max(0, told - pipeline.frames),
        notes=(*held.notes, *pipeline.notes()),
    )  # fmt: skip


@contextmanager
def _errors_translated(source: Path, target: Path) -> Iterator[None]:
    """Errors of PyAV, and of the disk, as ours."""
    av = library()
    try:
        yield
    except (ImpastoError, MemoryError):  # PyAV's own is one of FFmpeg's errors, too
        raise
    except (av.FFmpegError, OSError) as error:
        if isinstance(error, av.FFmpegError) and error.errno not in _OF_DISK:
            raise PictureError(f"{source} cannot be painted: {reason(error)}") from error
        raise atomic.refused(target, error) from error


@contextmanager
def _given_up(work: Work) -> Iterator[None]:
    """Leave nothing to go on with where the same would happen again; say so where there is."""
    try:
        yield
    except OutputError as error:
        if work.keeps:
            error.hint = f"{error.hint}; then the same command goes on".removeprefix("; then ")
        raise
    except (PictureError, StyleError):
        work.give_up()
        raise


def _key(source: Path, look: Look) -> str:
    """What decides how the frames look."""
    try:
        about = source.stat()
    except OSError as error:
        raise PictureError(f"{source} cannot be read: {reason(error)}") from error
    of_file = [os.fspath(source.resolve()), about.st_size, about.st_mtime_ns]
    text = json.dumps([_VERSION, library().__version__, *of_file, look.key])
    return hashlib.sha256(text.encode()).hexdigest()

"""A film read, painted and written: the course of the work, and how it goes on another day.

Painted frames are encoded in parts of some seconds. Each part comes with what the next one needs to
go on from it. A film that was stopped goes on after the last part. In the end the parts are put
together with what the source holds beside its pictures. Nothing is encoded again.
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
"""Version of the parts; a film with parts of another version begins anew."""
_OF_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""FFmpeg's errors of a disk; of a film that is cut, it says "Input/output error"."""


@dataclass(frozen=True)
class Film:
    """A painted film, ``whole`` unless it was stopped.

    ``flicker`` and ``noise`` are as in :class:`impasto.video.temporal.SteadyEngine`.
    """

    frames: int
    width: int
    height: int
    flicker: float
    noise: float
    whole: bool
    missing: int = 0
    """Frames that the file promises beside these, and that could not be read."""
    notes: tuple[str, ...] = ()
    """What was left out, or what impasto had to decide, one sentence each."""


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
    """Paint a film into a file; the suffix says its kind, one of :data:`impasto.files.kinds.FILMS`.

    ``strip`` leaves out titles, places and dates. When ``cancel`` stops it, it leaves a film of
    what is there. The next call goes on.

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
    """Translate errors of PyAV, and of the disk, into ours."""
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
    """Leave nothing to go on with where the same would happen again. Say so where something is
    left."""
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
    """Return what decides how the frames look."""
    try:
        about = source.stat()
    except OSError as error:
        raise PictureError(f"{source} cannot be read: {reason(error)}") from error
    of_file = [os.fspath(source.resolve()), about.st_size, about.st_mtime_ns]
    text = json.dumps([_VERSION, library().__version__, *of_file, look.key])
    return hashlib.sha256(text.encode()).hexdigest()

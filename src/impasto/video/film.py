"""A film read, painted and written: the course of the work, and how it goes on another day.

Painted frames are encoded in parts of some seconds, each with what the next one needs to go
on from it; a film that was stopped goes on at the last one. In the end the parts and the
packets of the source's sound are put together, without being encoded again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from impasto import atomic
from impasto.errors import OutputError, PictureError, reason
from impasto.images.picture import Picture
from impasto.options import ReadOptions
from impasto.progress import CancelToken, OnProgress, Progress, silent
from impasto.video.encoding import Encoder, Work, even
from impasto.video.muxing import join, require_room_for_sound
from impasto.video.opening import library
from impasto.video.reading import Source, ahead, upright

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from numpy.typing import ArrayLike, NDArray

    from impasto.video.temporal import SteadyEngine

    Frames = Iterable[NDArray[np.uint8]]

PART = 240
"""Frames of a part: what is painted anew, at most, after the machine has stopped."""


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


@dataclass(frozen=True)
class Look:
    """How the frames of a film are painted.

    ``key`` says in a text all that decides what they look like: a film that was stopped goes
    on only with an equal one. ``frames`` paints them in their order, ``(H, W, 3)`` 8-bit sRGB
    each, by ``engine``, whose state is kept with each part.
    """

    key: str
    engine: SteadyEngine
    frames: Callable[[Frames], Generator[Picture, None, None]]


def paint(
    source: Path,
    target: Path,
    look: Look,
    *,
    read: ReadOptions | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Film:
    """Paint a film into a file whose suffix says its kind, one of
    :data:`impasto.paths.FILMS`.

    Stopped by ``cancel``, it leaves a film of what there is; called again, it goes on.

    Raises:
        PictureError: not a film, a damaged one, or one above the limits.
        OptionError: the kind cannot hold the sound.
        OutputError: ``target`` is there already, or cannot be written.
        MissingExtraError: PyAV is not installed.
        Cancelled: before the first frame.
    """
    cancel = cancel or CancelToken()
    with _errors_translated(source, target), closing(Work(target, _key(source, look))) as work:
        if os.path.exists(target) and not overwrite and not work.begun:
            raise atomic.there_already(target)
        with closing(Source(source, read or ReadOptions())) as film:
            require_room_for_sound(film, target)
            pipeline = _FilmPipeline(film, work, look)
            pipeline.run(on_progress, cancel)
            if not pipeline.frames:
                cancel.check()
                raise PictureError(f"{source} has no frames")
            missing = 0 if cancel.cancelled else max(0, film.stream.frames - pipeline.frames)
            end = pipeline.end if cancel.cancelled else math.inf
            work.finish(join(film, work, target, end), target, whole=not cancel.cancelled)
    engine = look.engine
    whole = not cancel.cancelled
    return Film(
        pipeline.frames,
        pipeline.width,
        pipeline.height,
        engine.flicker,
        engine.noise,
        whole,
        missing,
    )


@contextmanager
def _errors_translated(source: Path, target: Path) -> Iterator[None]:
    """Errors of PyAV, and of the disk, as ours."""
    av = library()
    try:
        yield
    except (OutputError, MemoryError):  # PyAV's own is one of FFmpeg's errors, too
        raise
    except (av.FFmpegError, OSError) as error:
        of_source = isinstance(error, av.FFmpegError) and error.errno != errno.ENOSPC
        if of_source:
            raise PictureError(f"{source} cannot be painted: {reason(error)}") from error
        raise OutputError(f"{target} cannot be written: {reason(error)}") from error


def _key(source: Path, look: Look) -> str:
    """What decides how the frames look."""
    try:
        about = source.stat()
    except OSError as error:
        raise PictureError(f"{source} cannot be read: {reason(error)}") from error
    text = json.dumps([str(source.resolve()), about.st_size, about.st_mtime_ns, look.key])
    return hashlib.sha256(text.encode()).hexdigest()


class _FilmPipeline:
    """Reading, painting and encoding, each in threads of its own."""

    def __init__(self, film: Source, work: Work, look: Look) -> None:
        self._film, self._work, self._look = film, work, look
        self.frames = self.width = self.height = 0
        self.end = 0.0
        """Seconds at which what is painted ends."""

    def run(self, on_progress: OnProgress, cancel: CancelToken) -> None:
        engine = self._look.engine
        last = self._resume(engine)
        total = max(self._film.count, self.frames)
        with closing(self._painted(last)) as painted:
            while not cancel.cancelled and (first := next(painted, None)) is not None:
                with Encoder(self._work, self._film) as encoder:
                    for frame, picture in islice(chain((first,), painted), PART):
                        encoder.add(picture.pixels, frame)
                        self.frames += 1
                        self.width, self.height = even(picture.width), even(picture.height)
                        last = frame.pts
                        self.end = self._film.clock.end(frame)
                        on_progress(Progress(self.frames, max(total, self.frames)))
                        if cancel.cancelled:
                            break
                about: dict[str, ArrayLike] = {
                    "last": last or 0,
                    "regular": self._film.regular,
                    "frames": self.frames,
                    "size": (self.width, self.height),
                    "end": self.end,
                }
                self._work.keep(encoder.path, {**engine.state, **about})

    def _resume(self, engine: SteadyEngine) -> int | None:
        """Take up what the last part has left; when its last frame is shown, if there is one."""
        state = self._work.start()
        last = int(state.pop("last")) if state else None
        if not state.pop("regular", False):
            last = None
        self.frames = int(state.pop("frames", 0))
        self.width, self.height = map(int, state.pop("size", (0, 0)))
        self.end = float(state.pop("end", 0))
        engine.state = state
        return last

    def _painted(self, after: int | None) -> Generator[tuple[VideoFrame, Picture], None, None]:
        """The frames to come, each with its painting; ``after`` is when the last one was shown."""
        begun: deque[VideoFrame] = deque()
        frames = ahead((frame, upright(frame)) for frame in self._film.frames(self.frames, after))

        def pixels() -> Iterator[NDArray[np.uint8]]:
            for frame, each in frames:
                begun.append(frame)
                yield each

        with closing(frames), closing(self._look.frames(pixels())) as painted:
            for picture in painted:
                yield begun.popleft(), picture

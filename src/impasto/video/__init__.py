"""Films: frames painted steadily, sound and timing as they were. The only folder that knows PyAV.

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
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto import files
from impasto.errors import OptionError, OutputError, PictureError, reason
from impasto.options import ReadOptions, StylizeOptions
from impasto.picture import Picture
from impasto.progress import CancelToken, OnProgress, Progress, silent
from impasto.video.joining import join, require_room_for_sound
from impasto.video.parts import Encoder, Work, even, unfinished
from impasto.video.reading import Source, ahead, library, upright

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from impasto.steady import SteadyEngine
    from impasto.stylizer import Stylizer

__all__ = ["PART", "Film", "library", "paint", "unfinished"]

PART = 240
"""Frames of a part: what is painted anew, at most, after the machine has stopped."""


@dataclass(frozen=True)
class Film:
    """What was painted. ``flicker`` and ``noise`` as in :class:`impasto.steady.SteadyEngine`;
    ``whole`` unless it was stopped."""

    frames: int
    width: int
    height: int
    flicker: float
    noise: float
    whole: bool
    missing: int = 0
    """Frames that the file tells of beside these, and that were not to be had."""


def paint(
    source: Path,
    target: Path,
    stylizer: Stylizer,
    options: StylizeOptions | None = None,
    *,
    read: ReadOptions | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Film:
    """Paint a film into a file whose suffix says its kind, one of
    :data:`impasto.files.FILMS`.

    Stopped by ``cancel``, it leaves a film of what there is; called again, it goes on.

    Args:
        stylizer: a ``steady`` one.

    Raises:
        PictureError: not a film, a damaged one, or one above the limits.
        OptionError: ``stroke`` is for pictures only; or the kind cannot hold the sound.
        OutputError: ``target`` is there already, or cannot be written.
        MissingExtraError: PyAV is not installed.
        Cancelled: before the first frame.
    """
    options, cancel = options or StylizeOptions(), cancel or CancelToken()
    if options.stroke:
        raise OptionError("films are painted without stroke")
    with (
        _told(source, target),
        closing(Work(target, _key(source, stylizer, options))) as work,
    ):
        if os.path.exists(target) and not overwrite and not work.begun:
            raise files.there_already(target)
        with closing(Source(source, read or ReadOptions())) as film:
            require_room_for_sound(film, target)
            painter = _Painter(film, work, stylizer, options)
            painter.run(on_progress, cancel)
            if not painter.frames:
                cancel.check()
                raise PictureError(f"{source} has no frames")
            missing = 0 if cancel.cancelled else max(0, film.stream.frames - painter.frames)
            end = painter.end if cancel.cancelled else math.inf
            work.finish(join(film, work, target, end), target, whole=not cancel.cancelled)
    engine: Any = stylizer.engine
    whole = not cancel.cancelled
    return Film(painter.frames, *painter.size, engine.flicker, engine.noise, whole, missing)


@contextmanager
def _told(source: Path, target: Path) -> Iterator[None]:
    """Errors of PyAV, and of the disk, as ours."""
    av = library()
    try:
        yield
    except OutputError:
        raise
    except (av.FFmpegError, OSError) as error:
        of_source = isinstance(error, av.FFmpegError) and error.errno != errno.ENOSPC
        if of_source:
            raise PictureError(f"{source} cannot be painted: {reason(error)}") from error
        raise OutputError(f"{target} cannot be written: {reason(error)}") from error


def _key(source: Path, stylizer: Stylizer, options: StylizeOptions) -> str:
    """What decides how the frames look."""
    try:
        about = source.stat()
    except OSError as error:
        raise PictureError(f"{source} cannot be read: {reason(error)}") from error
    style = stylizer.style
    parts = [str(source.resolve()), about.st_size, about.st_mtime_ns, style.card.sha256]
    text = json.dumps([*parts, style.weights, asdict(options)])
    return hashlib.sha256(text.encode()).hexdigest()


class _Painter:
    """Reading, painting and encoding, each in threads of its own."""

    def __init__(
        self, film: Source, work: Work, stylizer: Stylizer, options: StylizeOptions
    ) -> None:
        self._film, self._work, self._stylizer = film, work, stylizer
        self._options = options
        self.frames, self.size = 0, (0, 0)
        self.end = 0.0
        """Seconds at which what is painted ends."""

    def run(self, on_progress: OnProgress, cancel: CancelToken) -> None:
        engine: SteadyEngine = self._stylizer.engine  # type: ignore[assignment]
        last = self._resume(engine)
        total = max(self._film.count, self.frames)
        with closing(self._painted(last)) as painted:
            while not cancel.cancelled and (first := next(painted, None)) is not None:
                with Encoder(self._work, self._film) as encoder:
                    for frame, picture in islice(chain((first,), painted), PART):
                        encoder.add(picture.pixels, frame)
                        self.frames += 1
                        self.size = even(picture.width), even(picture.height)
                        last = frame.pts
                        self.end = float((frame.pts + (frame.duration or 0)) * frame.time_base)
                        on_progress(Progress(self.frames, max(total, self.frames)))
                        if cancel.cancelled:
                            break
                about = {"last": last, "frames": self.frames, "size": self.size, "end": self.end}
                self._work.keep(encoder.path, engine.state | about)

    def _resume(self, engine: SteadyEngine) -> int | None:
        """Take up what the last part has left; when its last frame is shown, if there is one."""
        state = self._work.start()
        last = int(state.pop("last")) if state else None
        self.frames = int(state.pop("frames", 0))
        width, height = state.pop("size", (0, 0))
        self.size = int(width), int(height)
        self.end = float(state.pop("end", 0))
        engine.state = state
        return last

    def _painted(self, after: int | None) -> Generator[tuple[Any, Picture], None, None]:
        """Frames that are shown later than ``after``, each with its painting."""
        begun: deque[Any] = deque()
        frames = ahead((frame, upright(frame)) for frame in self._film.frames(after))

        def pixels() -> Iterator[NDArray[np.uint8]]:
            for frame, each in frames:
                begun.append(frame)
                yield each

        with closing(frames), closing(self._stylizer.film(pixels(), self._options)) as painted:
            for picture in painted:
                yield begun.popleft(), picture

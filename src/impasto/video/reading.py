"""Films that are read: their frames, ahead of when they are painted."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from impasto.distribution import need
from impasto.errors import PictureError, PictureLimitError
from impasto.options import ReadOptions

if TYPE_CHECKING:
    from av import AudioStream, VideoFrame, VideoStream
    from av.container import InputContainer
    from numpy.typing import NDArray

Item = TypeVar("Item")
AHEAD = 4
"""Frames that wait to be painted, and painted ones that wait to be encoded."""


def library() -> ModuleType:
    """PyAV.

    Raises:
        MissingExtraError: it is not installed.
    """
    return need("av", "video", "PyAV, which reads and writes films,")


class Source:
    """A film that is read."""

    def __init__(self, path: Path, limits: ReadOptions) -> None:
        self.path = path
        with contextlib.ExitStack() as stack:
            self.container: InputContainer = stack.enter_context(library().open(str(path)))
            self.stream = self._pictures(limits)
            self.stream.thread_type = "AUTO"
            audio = self.container.streams.audio
            self.sound: list[AudioStream] = [] if path.suffix == ".gif" else list(audio)
            stack.pop_all()  # it stays open

    def _pictures(self, limits: ReadOptions) -> VideoStream:
        if not self.container.streams.video:
            raise PictureError(f"{self.path} has no moving pictures")
        stream = self.container.streams.video[0]
        if stream.width * stream.height > limits.max_pixels:
            size = f"{stream.width}x{stream.height} pixels"
            raise PictureLimitError(
                f"{self.path} has {size}, more than {limits.max_pixels:,}",
                hint="raise --max-pixels",
            )
        return stream

    def close(self) -> None:
        self.container.close()

    @property
    def count(self) -> int:
        """How many frames there are, as far as the file says."""
        stream, seconds = self.stream, (self.container.duration or 0) / 1e6
        return int(stream.frames or seconds * float(stream.average_rate or 0))

    def frames(self, after: int | None) -> Iterator[VideoFrame]:
        """All frames that are shown later than ``after``."""
        for frame in self._decoded(after):
            if frame.pts is not None and (after is None or frame.pts > after):
                yield frame

    def _decoded(self, after: int | None) -> Iterator[VideoFrame]:
        """All frames, or those from ``after`` on and some before it."""
        if after is not None:
            self.container.seek(after, stream=self.stream)
            decoded = self.container.decode(self.stream)
            for first in islice(decoded, 1):
                if first.pts is not None and first.pts <= after:
                    return chain((first,), decoded)
            self.container.seek(0)  # in .ts and .mpg, a place is found roughly or not at all
        return self.container.decode(self.stream)


def upright(frame: VideoFrame) -> NDArray[np.uint8]:
    """Its pixels, as they are to be seen."""
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))


def end(frame: VideoFrame) -> float:
    """Seconds at which a frame is shown no more."""
    return float(((frame.pts or 0) + (frame.duration or 0)) * (frame.time_base or 0))


def ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The items, made some ahead in another thread."""
    ready: queue.Queue[tuple[Item] | Exception | None] = queue.Queue(AHEAD)
    stop = threading.Event()

    def put(entry: tuple[Item] | Exception | None) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(entry, timeout=0.1)
                return

    def make() -> None:
        try:
            for item in items:
                put((item,))
                if stop.is_set():
                    return
            put(None)
        except Exception as error:  # told where the items are used
            put(error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            entry = ready.get()
            if entry is None:
                return
            if isinstance(entry, Exception):
                raise entry
            yield entry[0]
    finally:
        stop.set()
        thread.join()

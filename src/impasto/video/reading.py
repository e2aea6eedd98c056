"""Reads films: their frames, upright, before they are painted."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from impasto.errors import PictureError, PictureLimitError
from impasto.options import ReadOptions
from impasto.video.opening import library, opened
from impasto.video.timing import Clock, Timeline, rate

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoCodecContext, VideoFormat, VideoFrame, VideoStream
    from av.container import InputContainer
    from av.stream import Stream
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

Item = TypeVar("Item")
_AHEAD = 4
"""Most frames that wait to be painted, and most painted ones that wait to be encoded."""
_FULL_HD = 1920 * 1088
"""Largest frames, in pixels, of which so many wait."""
_SEES_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_INDEXED = ("mov", "matroska")
"""Kinds in which an index finds a place exactly. In .ts and .mpg it does so roughly, or not at all.
"""


class Source(contextlib.ExitStack):
    """A film that is read until it is closed.

    Raises:
        PictureError: no film, or one without moving pictures.
        PictureLimitError: it has more pixels than are read.
    """

    def __init__(self, path: Path, limits: ReadOptions) -> None:
        super().__init__()
        self.path, self.limits = path, limits
        self.damaged = 0
        """Packets that could not be decoded."""
        with contextlib.ExitStack() as stack:
            self.container: InputContainer = stack.enter_context(
                opened(path, pixels=limits.max_pixels)
            )
            self.stream = self._pictures(limits)
            # Several frames are not decoded at once. Where one is damaged, those beside it would be
            # lost. Decoding takes far less time than painting.
            self.stream.thread_type = "SLICE"
            self.stream.codec_context.options = self._bounds()
            self._decoder = self._own_decoder()
            self.rate = rate(self.stream)
            self.clock = Clock(self.stream.time_base, self.rate)
            self._timeline = Timeline(self.container)
            self.sound: list[AudioStream] = list(self.container.streams.audio)
            self.push(stack.pop_all())  # it stays open

    def _pictures(self, limits: ReadOptions) -> VideoStream:
        streams = [each for each in self.container.streams.video if not is_cover(each)]
        if not streams:
            raise PictureError(f"{self.path} has no moving pictures")
        best = self.container.streams.best("video")
        stream = next((each for each in streams if each == best), streams[0])
        if not stream.codec_context:
            raise PictureError(f"{self.path} cannot be painted: its coding is not known")
        if stream.width * stream.height > limits.max_pixels:
            size = f"{stream.width}x{stream.height} pixels"
            raise PictureLimitError(
                f"{self.path} has {size}, more than {limits.max_pixels:,}",
                hint="raise --max-pixels",
            )
        return stream

    def _own_decoder(self) -> VideoCodecContext | None:
        """Return a decoder that sees transparency in VP8 and VP9, where FFmpeg's own does not."""
        name = _SEES_ALPHA.get(self.stream.codec_context.name)
        if not name or self.stream.metadata.get("alpha_mode") != "1":
            return None
        decoder = cast("VideoCodecContext", library().CodecContext.create(name, "r"))
        decoder.options = self._bounds()
        return decoder

    def _bounds(self) -> dict[str, str]:
        """Return decoder options that limit frames, which may be larger than their film says."""
        return {"max_pixels": str(self.limits.max_pixels)}

    @property
    def ratio(self) -> Fraction:
        """The width of a pixel over its height, as the film is shown."""
        return self.stream.sample_aspect_ratio or Fraction(1)

    @property
    def may_be_clear(self) -> bool:
        """Whether its frames can have transparent places."""
        return bool(self._decoder) or _has_alpha(self.stream.codec_context.format)

    @property
    def count(self) -> int:
        """Return how many frames there are, as far as the file says."""
        seconds = (self.container.duration or 0) / 1e6
        return int(self.stream.frames or seconds * self.rate)

    @property
    def regular(self) -> bool:
        """Whether all times so far were the file's own, each later than the one before."""
        return self.clock.regular and self._timeline.straight

    def frames(self, done: int = 0, last: int | None = None) -> Iterator[VideoFrame]:
        """All frames behind the first ``done``, with their times.

        ``last`` is when the last of these is shown, if all of them were regular.
        """
        if done and last is not None and (found := self._found(last)):
            return found
        return islice(map(self.clock.place, self._decoded()), done, None)

    def _found(self, last: int) -> Iterator[VideoFrame] | None:
        """Find the frames after the one that is shown at ``last``, if an index leads there."""
        if not self.container.format.name.startswith(_INDEXED):
            return None
        with contextlib.suppress(library().FFmpegError):
            self.container.seek(last, stream=self.stream)
            decoded = self._decoded()
            passed = takewhile(lambda frame: frame.pts is None or frame.pts <= last, decoded)
            if any(frame.pts == last for frame in passed):
                self.clock.last = last
                return map(self.clock.place, decoded)
        self.container.seek(0)
        return None

    def _decoded(self) -> Iterator[VideoFrame]:
        """Give frames as they come, at times that may be wrong; leave out undecodable data."""
        av = library()
        with contextlib.suppress(av.EOFError):
            for packet in self.packets():
                if packet.stream.index == self.stream.index:
                    try:
                        yield from self._frames(packet)
                    except av.MemoryError:
                        raise
                    except av.FFmpegError:
                        self.damaged += 1

    def _frames(self, packet: Packet[Stream]) -> list[VideoFrame]:
        if self._decoder:
            return self._decoder.decode(packet if packet.size else None)
        return cast("list[VideoFrame]", packet.decode())

    def packets(self, also: Iterable[int] = ()) -> Iterator[Packet[Stream]]:
        """Give the packets of pictures and sound, and of more streams by index, as far as they can
        be read.

        Pictures and sound always count: what one of them says of time is true of all.
        """
        streams = {self.stream.index, *(each.index for each in self.sound), *also}
        demuxed = self.container.demux([self.container.streams[index] for index in sorted(streams)])
        try:
            yield from self._timeline.packets(demuxed)
        except library().InvalidDataError:
            self.damaged += 1


def is_cover(stream: Stream) -> bool:
    """Say whether it is one picture: what players show for the film."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def upright(frame: VideoFrame) -> Pixels:
    """Return its pixels as they are shown: turned and mirrored as the film says.

    They are ``(H, W, 3)``, or 4 with alpha if they may be transparent.
    """
    pixels = frame.to_ndarray(format="rgba" if _has_alpha(frame.format) else "rgb24")
    across, down, down_across, across_down = _display(frame)
    if is_turned(frame):
        pixels, across, down = pixels.swapaxes(0, 1), across_down, down_across
    return np.ascontiguousarray(pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])


def _has_alpha(format: VideoFormat | None) -> bool:
    return format is not None and (
        format.has_palette or any(each.is_alpha for each in format.components)
    )


def is_turned(frame: VideoFrame) -> bool:
    """Say whether its rows are shown as columns."""
    across, down, down_across, across_down = map(abs, _display(frame))
    return across + down < down_across + across_down


def _display(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return how a frame is turned and mirrored: two steps, each to the right and down.

    One step to the right in the frame moves so far to the right, and one step down so far down.
    These are the first two numbers. The third says how far down a step to the right moves. The
    fourth says how far to the right a step down moves. The four are ``a d b c`` of FFmpeg's display
    matrix ``(a b u; c d v; x y w)``.
    """
    with contextlib.suppress(ValueError):  # some kind of side data that PyAV does not know
        if matrix := frame.side_data.get("DISPLAYMATRIX"):
            a, b, _, c, d, *_ = np.frombuffer(cast("bytes", matrix), np.int32).tolist()
            return a, d, b, c
    return 1, 1, 0, 0


def waiting(width: int, height: int) -> int:
    """Return how many frames of a size may wait: of large ones fewer."""
    return min(_AHEAD, max(1, _AHEAD * _FULL_HD // max(1, width * height)))


def ahead(items: Iterable[Item], most: int) -> Generator[Item, None, None]:
    """Give the items; another thread makes up to ``most`` of them ahead."""
    ready: queue.Queue[tuple[Item] | Exception | None] = queue.Queue(most)
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
        except Exception as error:  # raised where the items are used
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

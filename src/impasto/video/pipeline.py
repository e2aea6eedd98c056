"""Reads, paints and encodes the frames of a film, each in threads of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto import images
from impasto.images import operations
from impasto.images.picture import Picture
from impasto.progress import CancelToken, OnProgress, Progress
from impasto.video.encoding import Encoder, coding, even
from impasto.video.reading import Source, ahead, is_turned, upright, waiting
from impasto.video.workplace import Work

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import ArrayLike, NDArray

    from impasto.video.together import Steady
    from impasto.video.workplace import State

    Pixels = NDArray[np.uint8]
    Frames = Iterable[Pixels]

PART = 240
"""Frames of a part; after a crash of the machine, at most so many are painted anew."""


@dataclass(frozen=True)
class Look:
    """How the frames of a film are painted.

    ``key`` is a text with all that decides what they look like. A stopped film goes on only with an
    equal one. ``frames`` paints them in their order, ``(H, W, 3)`` 8-bit sRGB each, with
    ``engine``. The engine's state is kept with each part.
    """

    key: str
    engine: Steady
    frames: Callable[[Frames], Generator[Picture, None, None]]


@dataclass(frozen=True)
class _Painted:
    """A frame of the film, its painting, and how much of it is visible; None for all."""

    frame: VideoFrame
    picture: Picture
    alpha: Pixels | None


class Pipeline:
    """Reads, paints and encodes, each in threads of its own."""

    def __init__(self, film: Source, work: Work, look: Look) -> None:
        self._film, self._work, self._look = film, work, look
        self.frames = self.width = self.height = 0
        self.end = 0.0
        """Seconds at which the painted part ends."""
        self.clear = False
        """Whether transparency is kept."""
        self._opaque = 0
        """Frames whose transparency is not kept."""
        self._size: tuple[int, ...] = ()
        """Height and width of the frames that are read."""
        self._last: int | None = None
        """When the last of them is shown, if all times were regular."""

    def notes(self) -> Iterator[str]:
        """Give notes on what had to be decided, or was found."""
        kind = self._work.target.suffix.lower()
        if self._work.damaged:
            yield "what was painted before was damaged; it is painted again"
        if about := self.clear and coding(kind, clear=True).about:
            yield f"transparency is kept, in {about}"
        if self._opaque:
            holds = coding(kind, clear=True).clear
            hint = "it begins after the first frame" if holds else "a .mov or .webm holds it"
            yield f"transparency is lost in {self._opaque} frames: {hint}"
        if self._film.damaged:
            yield f"{self._film.damaged} places of the file are damaged, and were left out"

    def run(self, on_progress: OnProgress, cancel: CancelToken) -> None:
        self._work.start(self._accept)
        total = max(self._film.count, self.frames)
        with closing(self._paintings()) as painted:
            while not cancel.cancelled and (first := next(painted, None)) is not None:
                if not self.frames:
                    self.clear = self._keeps(first)
                coded = coding(self._work.target.suffix, clear=self.clear)
                part = self._work.folder / f"part.{coded.parts}"
                with Encoder(part, coded, self._film) as encoder:
                    for each in islice(chain((first,), painted), PART):
                        self._add(each, encoder)
                        on_progress(Progress(self.frames, max(total, self.frames)))
                        if cancel.cancelled:
                            break
                self._work.keep(encoder.path, {**self._look.engine.state, **self._about()})

    def _keeps(self, first: _Painted) -> bool:
        suffix = self._work.target.suffix
        # Frames of a GIF are encoded once more. What begins later shows there, too.
        seen = first.alpha is not None or (suffix.lower() == ".gif" and self._film.may_be_clear)
        return seen and coding(suffix, clear=True).clear

    def _add(self, painted: _Painted, encoder: Encoder) -> None:
        pixels = painted.picture.pixels
        if self.clear:
            alpha = np.full(pixels.shape[:2], 255, np.uint8)
            if painted.alpha is not None:
                alpha = images.resize_pixels(painted.alpha, pixels.shape[:2])
            pixels = np.dstack((pixels, alpha))
        elif painted.alpha is not None:
            self._opaque += 1
        encoder.add(pixels, painted.frame)
        self.frames += 1
        self.height, self.width = map(even, pixels.shape[:2])
        self._last, self.end = painted.frame.pts, self._film.clock.end(painted.frame)

    def _about(self) -> dict[str, ArrayLike]:
        """Return what to go on from, beside the state of the engine."""
        return {
            "last": self._last or 0,
            "regular": self._film.regular,
            "frames": self.frames,
            "size": (self.height, self.width, *self._size),
            "end": self.end,
            "clear": (self.clear, self._opaque),
        }

    def _accept(self, state: State) -> None:
        """Go on from the state that a part has left, or begin.

        Raises:
            ValueError, TypeError, KeyError: it cannot be gone on from.
        """
        about: dict[str, Any] = {name: state.pop(name) for name in self._about() if name in state}
        if about:
            height, width, *size = map(int, about["size"])
            frames, end, last = int(about["frames"]), float(about["end"]), int(about["last"])
            clear, opaque = map(int, about["clear"])
            regular = bool(about["regular"])
        self._look.engine.state = state
        if about:
            self.height, self.width, self._size = height, width, tuple(size)
            self.frames, self.end, self._last = frames, end, last if regular else None
            self.clear, self._opaque = bool(clear), opaque

    def _paintings(self) -> Generator[_Painted, None, None]:
        """Paint the frames to come."""
        begun: deque[tuple[VideoFrame, Pixels | None]] = deque()
        most = waiting(self._film.stream.width, self._film.stream.height)
        frames = ahead(map(self._seen, self._film.frames(self.frames, self._last)), most)

        def pixels() -> Iterator[Pixels]:
            for frame, each, alpha in frames:
                begun.append((frame, alpha))
                yield each

        with closing(frames), closing(self._look.frames(pixels())) as painted:
            for picture in painted:
                frame, alpha = begun.popleft()
                yield _Painted(frame, picture, alpha)

    def _seen(self, frame: VideoFrame) -> tuple[VideoFrame, Pixels, Pixels | None]:
        """Return the visible part of a frame, in the size of the first, and its alpha, if any."""
        pixels = upright(frame)
        self._size = self._size or self._shape(frame, pixels)
        size = self._size[0], self._size[1]
        rgb = images.resize_pixels(np.ascontiguousarray(pixels[..., :3]), size)
        if pixels.shape[2] == 3 or pixels[..., 3].min() == 255:
            return frame, rgb, None
        alpha = images.resize_pixels(np.ascontiguousarray(pixels[..., 3]), size)
        return frame, operations.fill_transparent(rgb, alpha), alpha

    def _shape(self, frame: VideoFrame, pixels: Pixels) -> tuple[int, ...]:
        """Return height and width of all frames; in a GIF, pixels are square."""
        height, width = pixels.shape[:2]
        gif = self._work.target.suffix.lower() == ".gif"
        ratio = self._film.ratio if gif else Fraction(1)
        ratio = 1 / ratio if is_turned(frame) else ratio
        wide = (height, round(width * ratio)) if ratio >= 1 else (round(height / ratio), width)
        return wide if wide[0] * wide[1] <= self._film.limits.max_pixels else (height, width)

"""Painted frames, encoded in parts that are put together at the end."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from impasto.video.opening import library, written
from impasto.video.reading import Source, is_turned, waiting

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from numpy.typing import NDArray

_BT709 = _LIMITED = 1
_HDR = 16, 18  # PQ and HLG
_TAGS = ("color_range", "color_primaries", "color_trc", "colorspace")


@dataclass(frozen=True)
class Coding:
    """How frames are encoded, and FFmpeg's name of the kind of file that the parts are."""

    codec: str
    pixels: str
    options: dict[str, str]
    parts: str = "nut"
    clear: bool = False
    """Whether it keeps transparency."""
    about: str = ""
    """What it is called; empty for the usual one of a kind."""


# As large and nearly as good as "fast", in a third of its time. A second reference finds what a
# painting goes back to. Looking ahead spends bits on what stays; now and then the same frames get
# other bytes by it.
_X264 = {"preset": "superfast", "refs": "2", "x264-params": "mbtree=1:rc-lookahead=10"}
_VP9 = {"crf": "24", "b": "0", "cpu-used": "5", "row-mt": "1"}
_H264 = Coding("libx264", "yuv420p", {"crf": "18", "bf": "0", **_X264})
_OPAQUE = {
    ".webm": Coding("libvpx-vp9", "yuv420p", _VP9),
    ".gif": Coding("ffv1", "bgr0", {}),  # its 256 colours are chosen when all frames are there
}
_CLEAR = {
    # Transparency lies beside the packets, where only this kind of file keeps it. Frames that are
    # never shown (alt-ref) cannot have any.
    ".webm": Coding(
        "libvpx-vp9", "yuva420p", {**_VP9, "auto-alt-ref": "0"}, "webm", True, "VP9 with alpha"
    ),
    ".gif": Coding("ffv1", "bgra", {}, clear=True),
    ".mov": Coding("prores_ks", "yuva444p10le", {"profile": "4444"}, "mov", True, "ProRes 4444"),
}


def coding(suffix: str, *, clear: bool) -> Coding:
    """Return the coding of a kind of file; one with transparency if it is ``clear``, and one
    exists."""
    opaque = _OPAQUE.get(suffix.lower(), _H264)
    return _CLEAR.get(suffix.lower(), opaque) if clear else opaque


class Encoder(ExitStack):
    """One part, encoded in another thread."""

    def __init__(self, path: Path, coding: Coding, film: Source) -> None:
        super().__init__()
        self.path, self._coding, self._film = path, coding, film
        self._container = self.enter_context(written(path, coding.parts))
        self._thread = ThreadPoolExecutor(1)
        self.callback(self._thread.shutdown, cancel_futures=True)
        self.push(self._finish)
        self._stream: VideoStream | None = None
        self._waiting: list[Future[None]] = []

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._settle(0)
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))

    def add(self, pixels: NDArray[np.uint8], like: VideoFrame) -> None:
        """Encode ``(H, W, 3)``, or 4 with alpha, to show at the time of a frame of the film."""
        self._settle(waiting(pixels.shape[1], pixels.shape[0]))
        self._waiting.append(self._thread.submit(self._encode, pixels, like))

    def _settle(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.pop(0).result()

    def _encode(self, pixels: NDArray[np.uint8], like: VideoFrame) -> None:
        more = [even(side) - side for side in pixels.shape[:2]]
        if any(more):
            pixels = np.pad(pixels, ((0, more[0]), (0, more[1]), (0, 0)), mode="edge")
        if self._stream is None:
            self._stream = self._open(pixels.shape[1], pixels.shape[0], like)
        kind = "rgb24" if pixels.shape[2] == 3 else "rgba"
        frame = library().VideoFrame.from_ndarray(pixels, format=kind)
        tags = _tags(like)
        space = {"dst_colorspace": tags["colorspace"], "dst_color_range": tags["color_range"]}
        space = {} if self._coding.codec == "ffv1" else space
        frame = frame.reformat(format=self._coding.pixels, **space)
        frame.pts, frame.time_base = like.pts, like.time_base
        self._container.mux(self._stream.encode(frame))

    def _open(self, width: int, height: int, like: VideoFrame) -> VideoStream:
        options = self._coding.options
        stream = cast(
            "VideoStream", self._container.add_stream(self._coding.codec, options=options)
        )
        stream.width, stream.height, stream.pix_fmt = width, height, self._coding.pixels
        context = stream.codec_context
        if like.time_base:
            context.time_base = like.time_base
        context.framerate = self._film.rate
        ratio = self._film.ratio
        context.sample_aspect_ratio = 1 / ratio if is_turned(like) else ratio
        if self._coding.codec != "ffv1":
            for tag, value in _tags(like).items():
                setattr(context, tag, value)
        return stream


def even(side: int) -> int:
    """A side of a film, whose colours have half the resolution."""
    return side + side % 2


def _tags(like: VideoFrame) -> dict[str, int]:
    """Return the tags for the colours of a painting: those of its film.

    HDR colours are not painted. There, the style's colours are shown as they are. A film in RGB
    says nothing of YUV.
    """
    tags = {tag: int(getattr(like, tag)) for tag in _TAGS}
    if like.format.is_rgb or like.format.has_palette:
        tags |= {"colorspace": _BT709, "color_range": _LIMITED}
    if tags["color_trc"] in _HDR:
        tags |= dict.fromkeys(("color_primaries", "color_trc", "colorspace"), _BT709)
    return tags

"""Painted frames, encoded in parts; each part with what the next one needs to go on from it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from impasto.video.opening import library, written
from impasto.video.reading import AHEAD, Source, is_turned

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from numpy.typing import ArrayLike, NDArray

    from impasto.inference.onnx_proto import Array

_ABOUT = "film.json"
_BT709 = 1
_HDR = 16, 18  # PQ and HLG
_TAGS = ("color_range", "color_primaries", "color_trc", "colorspace")
# As large and nearly as good as "fast", in a third of its time: a second reference finds what
# a painting goes back to, and looking ahead spends bits on what stays.
_X264 = {"preset": "superfast", "refs": "2", "x264-params": "mbtree=1:rc-lookahead=10"}
_H264 = "libx264", "yuv420p", {"crf": "18", "bf": "0", **_X264}
_ENCODERS = {
    ".webm": ("libvpx-vp9", "yuv420p", {"crf": "24", "b": "0", "cpu-used": "5", "row-mt": "1"}),
    ".gif": ("ffv1", "bgr0", {}),  # its 256 colours are chosen once all frames are there
}


def unfinished(target: Path) -> bool:
    """Whether a film of this name was begun and not painted to its end."""
    return os.path.exists(_folder(target) / _ABOUT)


def _folder(target: Path) -> Path:
    return target.parent / f".{target.name}.parts"


class Work:
    """The folder of the parts, beside the target."""

    def __init__(self, target: Path, key: str) -> None:
        self.folder = _folder(target)
        self._suffix, self._key = target.suffix.lower(), key
        try:
            self.begun = json.loads((self.folder / _ABOUT).read_bytes()) == {"key": key}
        except (OSError, ValueError):
            self.begun = False

    def start(self) -> dict[str, Array]:
        """Make the folder, or find what the last part has left."""
        if not self.begun:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            (self.folder / _ABOUT).write_text(json.dumps({"key": self._key}))
            self.begun = True
        states = sorted(self.folder.glob("*.npz"))
        if not states:
            return {}
        with np.load(states[-1], allow_pickle=False) as arrays:
            return dict(arrays)

    @property
    def parts(self) -> list[Path]:
        """Those that are complete: what comes after them is there."""
        return [state.with_suffix(".nut") for state in sorted(self.folder.glob("*.npz"))]

    def keep(self, part: Path, state: Mapping[str, ArrayLike]) -> None:
        """Give a part its name; it counts from when its state has one too."""
        states = sorted(self.folder.glob("*.npz"))
        name = self.folder / f"{len(states):06}.nut"
        part.replace(name)
        saved = self.folder / "state.tmp"
        with saved.open("wb") as file:
            arrays: dict[str, Any] = {name: np.asarray(each) for name, each in state.items()}
            np.savez(file, **arrays)
        saved.replace(name.with_suffix(".npz"))
        for old in states:  # only the last one is gone on from; that they are there counts
            old.write_bytes(b"")

    @property
    def encoder(self) -> tuple[str, str, dict[str, str]]:
        return _ENCODERS.get(self._suffix, _H264)

    def finish(self, joined: Path, target: Path, *, whole: bool) -> None:
        joined.replace(target)
        if whole:
            shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Remove the folder where it has nothing to go on from."""
        if self.begun and not self.parts:
            shutil.rmtree(self.folder, ignore_errors=True)


class Encoder(ExitStack):
    """One part, encoded in another thread."""

    def __init__(self, work: Work, film: Source) -> None:
        super().__init__()
        self.path = work.folder / "part.tmp"
        self._codec, self._pixels, self._options = work.encoder
        self._film = film
        self._container = self.enter_context(written(self.path, "nut"))
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
        self._settle(AHEAD)
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
        frame = library().VideoFrame.from_ndarray(pixels, format="rgb24")
        space = {"dst_colorspace": _tags(like)["colorspace"], "dst_color_range": like.color_range}
        frame = frame.reformat(format=self._pixels, **({} if self._codec == "ffv1" else space))
        frame.pts, frame.time_base = like.pts, like.time_base
        self._container.mux(self._stream.encode(frame))

    def _open(self, width: int, height: int, like: VideoFrame) -> VideoStream:
        stream = cast("VideoStream", self._container.add_stream(self._codec, options=self._options))
        stream.width, stream.height, stream.pix_fmt = width, height, self._pixels
        context = stream.codec_context
        if like.time_base:
            context.time_base = like.time_base
        context.framerate = self._film.rate
        if ratio := self._film.stream.sample_aspect_ratio:
            context.sample_aspect_ratio = 1 / ratio if is_turned(like) else ratio
        if self._codec != "ffv1":
            for tag, value in _tags(like).items():
                setattr(context, tag, value)
        return stream


def even(side: int) -> int:
    """A side of a film, whose colours have half the resolution."""
    return side + side % 2


def _tags(like: VideoFrame) -> dict[str, int]:
    """How the colours of a painting are to be read: as those of its film. Those of HDR are not
    painted; there, the style's are shown as they are."""
    tags = {tag: int(getattr(like, tag)) for tag in _TAGS}
    if tags["color_trc"] in _HDR:
        tags |= dict.fromkeys(("color_primaries", "color_trc", "colorspace"), _BT709)
    return tags

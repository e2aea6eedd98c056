"""Films: frames painted steadily, sound and timing as they were. The only file that knows PyAV.

Painted frames are encoded in parts of some seconds, each with what the next one needs to go
on from it; a film that was stopped goes on at the last one. In the end the parts and the
packets of the source's sound are put together, without being encoded again.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import json
import math
import os
import queue
import shutil
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto.errors import (
    MissingExtraError,
    OptionError,
    OutputError,
    PictureError,
    PictureLimitError,
    reason,
)
from impasto.options import ReadOptions, StylizeOptions
from impasto.picture import Picture
from impasto.progress import CancelToken, OnProgress, Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.steady import SteadyEngine
    from impasto.stylizer import Stylizer

PART = 240
"""Frames of a part: what is painted anew, at most, after the machine has stopped."""
_AHEAD = 4
_ABOUT = "film.json"
_TAGS = ("color_range", "color_primaries", "color_trc", "colorspace")
_H264 = "libx264", "yuv420p", {"crf": "18", "preset": "fast", "bf": "0"}
_ENCODERS = {
    ".webm": ("libvpx-vp9", "yuv420p", {"crf": "24", "b": "0", "cpu-used": "5", "row-mt": "1"}),
    ".gif": ("ffv1", "bgr0", {}),  # its 256 colours are chosen once all frames are there
}


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
    """
    av = _av()
    options = options or StylizeOptions()
    if options.stroke:
        raise OptionError("films are painted without stroke")
    work = _Work(target, _key(source, stylizer, options))
    if target.exists() and not overwrite and not work.begun:
        hint = "--overwrite replaces it, -o names another"
        raise OutputError(f"{target} is there already", hint=hint)
    cancel = cancel or CancelToken()
    try:
        with closing(_Source(source, read or ReadOptions())) as film:
            _require_room_for_sound(film, target)
            painter = _Painter(film, work, stylizer, options)
            painter.run(on_progress, cancel)
            if painter.frames:
                end = painter.end if cancel.cancelled else math.inf
                work.finish(_join(film, work, target, end), target, whole=not cancel.cancelled)
    except av.FFmpegError as error:
        raise PictureError(f"{source} cannot be painted: {reason(error)}") from error
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {reason(error)}") from error
    engine: Any = stylizer.engine
    return Film(painter.frames, *painter.size, engine.flicker, engine.noise, not cancel.cancelled)


def unfinished(target: Path) -> bool:
    """Whether a film of this name was begun and not painted to its end."""
    return (_folder(target) / _ABOUT).exists()


def _folder(target: Path) -> Path:
    return target.parent / f".{target.name}.parts"


def _av() -> Any:
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingExtraError("video", "PyAV, which reads and writes films,") from error
    return av


def _key(source: Path, stylizer: Stylizer, options: StylizeOptions) -> str:
    """What decides how the frames look."""
    try:
        about = source.stat()
    except OSError as error:
        raise PictureError(f"{source} cannot be read: {error.strerror}") from error
    style = stylizer.style
    parts = [str(source.resolve()), about.st_size, about.st_mtime_ns, style.card.sha256]
    text = json.dumps([*parts, style.weights, asdict(options)])
    return hashlib.sha256(text.encode()).hexdigest()


class _Source:
    """A film that is read."""

    def __init__(self, path: Path, limits: ReadOptions) -> None:
        self.path = path
        self.container = _av().open(str(path))
        if not self.container.streams.video:
            self.container.close()
            raise PictureError(f"{path} has no moving pictures")
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"
        width, height = self.stream.width, self.stream.height
        if width * height > limits.max_pixels:
            raise PictureLimitError(
                f"{path} has {width}x{height} pixels, more than {limits.max_pixels:,}",
                hint="raise --max-pixels",
            )
        self.sound = [] if path.suffix == ".gif" else list(self.container.streams.audio)

    def close(self) -> None:
        self.container.close()

    @property
    def count(self) -> int:
        """How many frames there are, as far as the file says."""
        stream, seconds = self.stream, (self.container.duration or 0) / 1e6
        return int(stream.frames or seconds * float(stream.average_rate or 0))

    def frames(self, after: int | None) -> Iterator[Any]:
        """All frames that are shown later than ``after``."""
        if after is not None:
            self.container.seek(after, stream=self.stream)
        for frame in self.container.decode(self.stream):
            if frame.pts is not None and (after is None or frame.pts > after):
                yield frame


def _upright(frame: Any) -> NDArray[np.uint8]:
    """Its pixels, as they are to be seen."""
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))


class _Work:
    """The folder of the parts, beside the target."""

    def __init__(self, target: Path, key: str) -> None:
        self.folder = _folder(target)
        self._suffix, self._key = target.suffix.lower(), key
        try:
            self.begun = json.loads((self.folder / _ABOUT).read_bytes()) == {"key": key}
        except (OSError, ValueError):
            self.begun = False

    def start(self) -> dict[str, Any]:
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

    def keep(self, part: Path, state: dict[str, Any]) -> None:
        """Give a part its name; it counts from when its state has one too."""
        name = self.folder / f"{len(self.parts):06}.nut"
        part.replace(name)
        saved = self.folder / "state.tmp"
        with saved.open("wb") as file:
            np.savez(file, **state)
        saved.replace(name.with_suffix(".npz"))

    @property
    def encoder(self) -> tuple[str, str, dict[str, str]]:
        return _ENCODERS.get(self._suffix, _H264)

    def finish(self, joined: Path, target: Path, *, whole: bool) -> None:
        joined.replace(target)
        if whole:
            shutil.rmtree(self.folder, ignore_errors=True)


class _Painter:
    """Reading, painting and encoding, each in a thread of its own."""

    def __init__(
        self, film: _Source, work: _Work, stylizer: Stylizer, options: StylizeOptions
    ) -> None:
        self._film, self._work, self._stylizer = film, work, stylizer
        self._options = asdict(options)
        self.frames, self.size = 0, (0, 0)
        self.end = 0.0
        """Seconds at which what is painted ends."""

    def run(self, on_progress: OnProgress, cancel: CancelToken) -> None:
        engine: SteadyEngine = self._stylizer.engine  # type: ignore[assignment]
        state = self._work.start()
        last = int(state.pop("last")) if state else None
        self.frames = int(state.pop("frames", 0))
        self.size = tuple(state.pop("size", (0, 0)))
        engine.state = state
        total = max(self._film.count, self.frames)
        with closing(_ahead(self._film.frames(last))) as frames:
            while not cancel.cancelled and (first := next(frames, None)) is not None:
                with _Encoder(self._work, self._film) as encoder:
                    for frame in islice(chain((first,), frames), PART):
                        painted = self._stylizer(Picture(_upright(frame)), **self._options)
                        encoder.add(painted.pixels, frame)
                        self.frames += 1
                        self.size = painted.width, painted.height
                        last = frame.pts
                        self.end = float((frame.pts + (frame.duration or 0)) * frame.time_base)
                        on_progress(Progress(self.frames, max(total, self.frames)))
                        if cancel.cancelled:
                            break
                about = {"last": last, "frames": self.frames, "size": self.size}
                self._work.keep(encoder.path, engine.state | about)


def _ahead(items: Iterable[Any]) -> Generator[Any, None, None]:
    """The items, made some ahead in another thread."""
    made: queue.Queue[tuple[bool, Any]] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def put(entry: tuple[bool, Any]) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                made.put(entry, timeout=0.1)
                return

    def make() -> None:
        try:
            for item in items:
                put((True, item))
                if stop.is_set():
                    return
            put((False, None))
        except Exception as error:  # told where the items are used
            put((False, error))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            more, item = made.get()
            if not more:
                if item is not None:
                    raise item
                return
            yield item
    finally:
        stop.set()
        thread.join()


class _Encoder(ExitStack):
    """One part, encoded in another thread."""

    def __init__(self, work: _Work, film: _Source) -> None:
        super().__init__()
        self.path = work.folder / "part.tmp"
        self._codec, self._pixels, self._options = work.encoder
        self._film = film
        self._container = self.enter_context(_av().open(str(self.path), "w", format="nut"))
        self._thread = self.enter_context(ThreadPoolExecutor(1))
        self._stream: Any = None
        self._waiting: list[Future[None]] = []

    def __exit__(self, *exception: Any) -> bool | None:
        if exception[0] is None:
            self._settle(0)
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
        return super().__exit__(*exception)

    def add(self, pixels: NDArray[np.uint8], like: Any) -> None:
        self._settle(_AHEAD)
        self._waiting.append(self._thread.submit(self._encode, pixels, like))

    def _settle(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.pop(0).result()

    def _encode(self, pixels: NDArray[np.uint8], like: Any) -> None:
        odd = pixels.shape[0] % 2, pixels.shape[1] % 2
        if any(odd):  # chroma has half the resolution
            pixels = np.pad(pixels, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
        if self._stream is None:
            self._stream = self._open(pixels.shape[1], pixels.shape[0], like)
        frame = _av().VideoFrame.from_ndarray(pixels, format="rgb24")
        space = {} if self._codec == "ffv1" else {"dst_colorspace": like.colorspace}
        frame = frame.reformat(format=self._pixels, **space)
        frame.pts, frame.time_base = like.pts, like.time_base
        self._container.mux(self._stream.encode(frame))

    def _open(self, width: int, height: int, like: Any) -> Any:
        stream = self._container.add_stream(self._codec, options=self._options)
        stream.width, stream.height, stream.pix_fmt = width, height, self._pixels
        context = stream.codec_context
        context.time_base = like.time_base
        context.framerate = self._film.stream.average_rate or 25
        if (ratio := self._film.stream.sample_aspect_ratio) and not round(like.rotation / 90) % 2:
            context.sample_aspect_ratio = ratio
        if self._codec != "ffv1":
            for tag in _TAGS:
                setattr(context, tag, getattr(like, tag))
        return stream


def _require_room_for_sound(film: _Source, target: Path) -> None:
    if target.suffix.lower() == ".gif":
        film.sound = []
    with _av().open(os.devnull, "w", format=_format(target)) as container:
        names = {stream.codec_context.name for stream in film.sound}
        if foreign := sorted(names - set(container.supported_codecs)):
            raise OptionError(
                f"{target.suffix} cannot hold this film's sound ({', '.join(foreign)})",
                hint="name a .mkv with -o",
            )


def _format(target: Path) -> str:
    suffix = target.suffix.lower().lstrip(".")
    return {"mkv": "matroska", "m4v": "mp4"}.get(suffix, suffix)


def _join(film: _Source, work: _Work, target: Path, end: float) -> Path:
    """All parts, and the sound that belongs to them, in one file."""
    joined = work.folder / f"joined{target.suffix.lower()}"
    with ExitStack() as stack:
        output = stack.enter_context(_av().open(str(joined), "w", format=_format(target)))
        parts = [stack.enter_context(_av().open(str(part))) for part in work.parts]
        if target.suffix.lower() == ".gif":
            _write_gif(parts, output)
            return joined
        stream = output.add_stream_from_template(parts[0].streams.video[0])
        packets = [_packets(parts, {0: stream})]
        if film.sound:
            sound = stack.enter_context(_av().open(str(film.path)))
            copies = {each.index: output.add_stream_from_template(each) for each in film.sound}
            packets.append(_packets([sound], copies, end))
        for _, packet in heapq.merge(*packets, key=lambda entry: entry[0]):
            output.mux(packet)
    return joined


def _packets(
    containers: Iterable[Any], copies: Mapping[int, Any], end: float = math.inf
) -> Iterator[tuple[float, Any]]:
    """Packets of some streams for their copies, each with its time in seconds."""
    for container in containers:
        for packet in container.demux([container.streams[index] for index in copies]):
            if packet.dts is not None and (time := float(packet.dts * packet.time_base)) < end:
                packet.stream = copies[packet.stream.index]
                yield time, packet


def _write_gif(parts: Iterable[Any], output: Any) -> None:
    """With one palette that suits all frames."""
    graph: Any = None
    stream: Any = None
    for part in parts:
        for frame in part.decode(video=0):
            if graph is None:
                graph = _palette_graph(part.streams.video[0])
            graph.push(frame)
    graph.push(None)
    with contextlib.suppress(_av().EOFError):
        while True:
            frame = graph.pull()
            if stream is None:
                stream = output.add_stream("gif", rate=25)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "pal8"
                stream.codec_context.time_base = frame.time_base
            output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _palette_graph(template: Any) -> Any:
    graph = _av().filter.Graph()
    source, sink = graph.add_buffer(template=template), graph.add("buffersink")
    split, make, use = (graph.add(name) for name in ("split", "palettegen", "paletteuse"))
    source.link_to(split)
    split.link_to(make, 0)
    split.link_to(use, 1)
    make.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph

"""The parts and the sound of a film put together, without being encoded again."""

from __future__ import annotations

import contextlib
import heapq
import math
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from impasto.errors import OptionError
from impasto.paths import FILMS
from impasto.video.encoding import Work
from impasto.video.opening import library, opened, written
from impasto.video.reading import Source
from impasto.video.timing import Timeline

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoFrame
    from av.container import OutputContainer
    from av.filter import Graph
    from av.filter.context import FilterContext
    from av.stream import Stream


def require_room_for_sound(film: Source, target: Path) -> None:
    if target.suffix.lower() == ".gif":
        film.sound = []
    if foreign := _foreign(film, target.suffix):
        other = next((kind for kind in FILMS if not _foreign(film, kind)), None)
        raise OptionError(
            f"{target.suffix} cannot hold this film's sound ({', '.join(foreign)})",
            hint=f"write a {other} instead" if other else "make its sound AAC first, with FFmpeg",
        )


def _foreign(film: Source, kind: str) -> list[str]:
    """Names of the sound that a kind of file cannot hold."""
    return sorted({each.codec_context.name for each in film.sound if not _holds(kind, film, each)})


def _holds(kind: str, film: Source, sound: AudioStream) -> bool:
    """Tried with a first packet: some is refused when a file begins, some only when it ends."""
    try:
        with library().open(os.devnull, "w", format=_format(kind)) as output:
            copies = {sound.index: output.add_stream_from_template(sound)}
            with closing(_packets([film.path], copies)) as packets:
                for _, packet in islice(packets, 1):
                    output.mux(packet)
    except (ValueError, library().FFmpegError):
        return False
    return True


def _format(kind: str) -> str:
    suffix = kind.lower().lstrip(".")
    return {"mkv": "matroska", "m4v": "mp4"}.get(suffix, suffix)


def join(film: Source, work: Work, target: Path, end: float) -> Path:
    """All parts, and the sound that belongs to them, in one file."""
    joined = work.folder / f"joined{target.suffix.lower()}"
    with ExitStack() as stack:
        output = stack.enter_context(written(joined, _format(target.suffix)))
        if target.suffix.lower() == ".gif":
            _write_gif(work.parts, output)
            return joined
        with opened(work.parts[0]) as part:
            stream = output.add_stream_from_template(part.streams.video[0])
            stream.codec_context.framerate = film.rate
        packets = [stack.enter_context(closing(_packets(work.parts, {0: stream})))]
        if film.sound:
            copies = {each.index: output.add_stream_from_template(each) for each in film.sound}
            packets.append(stack.enter_context(closing(_packets([film.path], copies, end))))
        output.start_encoding()
        last: dict[int, int] = {}
        for _, packet in heapq.merge(*packets, key=lambda entry: entry[0]):
            _advance(packet, last)
            output.mux(packet)
    return joined


def _advance(packet: Packet[Stream], last: dict[int, int]) -> None:
    """Let a packet follow on the ``last`` one of its stream, in whose ticks both may be at once."""
    stream = packet.stream
    if packet.dts is None or not packet.time_base or not stream.time_base:
        return
    scale = packet.time_base / stream.time_base
    late = 0 if packet.pts is None else round((packet.pts - packet.dts) * scale)
    at = max(round(packet.dts * scale), last.get(stream.index, -(2**62)) + 1)
    last[stream.index] = at
    packet.dts, packet.pts = at, at + late
    packet.duration = round((packet.duration or 0) * scale)
    packet.time_base = stream.time_base


def _packets(
    paths: Iterable[Path], copies: Mapping[int, Stream], end: float = math.inf
) -> Generator[tuple[float, Packet[Stream]], None, None]:
    """Packets of some streams for their copies, each with its time in seconds."""
    for path in paths:
        with opened(path) as container:
            streams = [container.streams[index] for index in copies]
            known = {*streams, *container.streams.video[:1], *container.streams.audio}
            for packet in Timeline(container).packets(container.demux(list(known))):
                copy = copies.get(packet.stream.index)
                if not copy or packet.dts is None:
                    continue
                if (time := float(packet.dts * packet.time_base)) < end:
                    packet.stream = copy
                    yield time, packet


def _write_gif(parts: Sequence[Path], output: OutputContainer) -> None:
    """With one palette that suits all frames: they are read twice, and none is kept."""
    colours, *_ = _filtered(parts, "palettegen")
    with closing(_filtered(parts, "paletteuse", colours)) as frames:
        first = next(frames)
        stream = output.add_stream("gif", rate=25)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, "pal8"
        if first.time_base:
            stream.codec_context.time_base = first.time_base
        for frame in chain((first,), frames):
            output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _frames(parts: Iterable[Path]) -> Generator[VideoFrame, None, None]:
    for path in parts:
        with opened(path) as part:
            yield from part.decode(video=0)


def _filtered(
    parts: Iterable[Path], name: str, palette: VideoFrame | None = None
) -> Generator[VideoFrame, None, None]:
    """Frames as a filter of FFmpeg makes them, one by one; its second input is ``palette``."""
    graph: Graph = library().filter.Graph()
    with closing(_frames(parts)) as frames:
        first = next(frames)
        sources = [_buffer(graph, each) for each in (first, palette) if each]
        step, sink = graph.add(name), graph.add("buffersink")
        for index, source in enumerate(sources):
            source.link_to(step, 0, index)
        step.link_to(sink)
        graph.configure()
        if palette:
            sources[1].push(palette)
            sources[1].push(None)
        for frame in chain((first,), frames, (None,)):
            sources[0].push(frame)
            with contextlib.suppress(library().EOFError, library().BlockingIOError):
                while True:
                    yield cast("VideoFrame", sink.pull())


def _buffer(graph: Graph, like: VideoFrame) -> FilterContext:
    return graph.add_buffer(
        width=like.width, height=like.height, format=like.format, time_base=like.time_base
    )

"""GIFs: one palette for all frames, times in hundredths of a second, a number of rounds."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from impasto import untrusted
from impasto.video.opening import library, opened, written

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.container import OutputContainer
    from av.filter import Graph
    from av.filter.context import FilterContext

_TICK = 100
_LONGEST = 65_535
_ENDLESS, _ONCE = "0", "-1"
_WHOLE = "-offsetting-transdiff"
"""Makes FFmpeg store whole frames, not what changes from one to the next.

What is transparent in a frame shows what is left of the one before.
"""
_CLEAR = 255
"""The transparent colour's number in FFmpeg's palettes: the last one."""
_CONTROL, _TO_BACKGROUND, _HAS_CLEAR = b"!\xf9\x04", 2 << 2, 1
_LOOP = b"!\xff\x0bNETSCAPE2.0\x03\x01"
_HEAD = 2**16


def rounds(path: Path) -> str:
    """Return how often a film is shown, in the words of FFmpeg's GIFs.

    It is for ever, unless the film is a GIF itself that says otherwise.
    """
    with untrusted.opened(path, follow=True) as file:
        head = file.read(_HEAD)
    if not head.startswith(b"GIF8"):
        return _ENDLESS
    _, found, rest = head.partition(_LOOP)
    return str(int.from_bytes(rest[:2], "little")) if found else _ONCE


def write(
    parts: Sequence[Path], target: Path, *, end: float, loop: str, clear: bool = False
) -> None:
    """Write a GIF of the frames of some films, which ends at ``end`` seconds.

    Some frames may be transparent if it is ``clear``. One palette suits all frames: they are read
    twice, and none is kept in memory. Of frames that fall in the same hundredth of a second, only
    the first is shown.
    """
    clear = clear and any(map(_is_clear, _frames(parts)))
    colours, *_ = _filtered(parts, "palettegen")
    hold = min(max(round(end * _TICK) - _last(parts), 1), _LONGEST)
    with (
        closing(_filtered(parts, "paletteuse", colours)) as frames,
        written(target, "gif", loop=loop, final_delay=str(hold)) as output,
    ):
        stream: VideoStream | None = None
        for frame in _thinned(frames):
            stream = stream or _stream(output, frame, clear=clear)
            for packet in stream.encode(frame):
                output.mux(_replaced(packet) if clear else packet)


def _stream(output: OutputContainer, like: VideoFrame, *, clear: bool) -> VideoStream:
    options = {"gifflags": _WHOLE} if clear else {}
    stream = output.add_stream("gif", rate=_TICK, options=options)
    stream.width, stream.height, stream.pix_fmt = like.width, like.height, "pal8"
    stream.codec_context.time_base = Fraction(1, _TICK)
    return stream


def _thinned(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """Give the frames at times in hundredths of a second, one at each."""
    before = -(2**62)
    for frame in frames:
        at = _ticks(frame.pts, frame.time_base)
        if at > before:
            before = frame.pts = at
            frame.time_base = Fraction(1, _TICK)
            yield frame


def _is_clear(frame: VideoFrame) -> bool:
    return bool(frame.to_ndarray(format="rgba")[..., 3].min() < 255)


def _replaced(packet: Packet[VideoStream]) -> Packet[VideoStream]:
    """Mark a frame to be removed before the next one.

    Where the next one is transparent, this one would show through. FFmpeg's encoder removes only
    frames that are transparent themselves.
    """
    data = bytearray(packet)
    at = 0
    if data.startswith(b"GIF8"):  # the first packet, with the header and the palette
        at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    at = data.find(_CONTROL, at)
    if at >= 0:
        data[at + 3] = _TO_BACKGROUND | _HAS_CLEAR
        data[at + 6] = _CLEAR
        packet.update(bytes(data))
    return packet


def _ticks(time: int | None, base: Fraction | None) -> int:
    return round((time or 0) * (base or 0) * _TICK)


def _last(parts: Sequence[Path]) -> int:
    """Return when the last frame is shown, in hundredths of a second."""
    with opened(parts[-1]) as part:
        packets = part.demux(video=0)
        return max(_ticks(each.pts, each.time_base) for each in packets if each.size)


def _frames(parts: Iterable[Path]) -> Generator[VideoFrame, None, None]:
    for path in parts:
        with opened(path) as part:
            yield from part.decode(video=0)


def _filtered(
    parts: Iterable[Path], name: str, palette: VideoFrame | None = None
) -> Generator[VideoFrame, None, None]:
    """Give frames as a filter of FFmpeg makes them, one by one; its second input is ``palette``."""
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

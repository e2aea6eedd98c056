"""The parts of a film, put together as they are with what it held beside its pictures."""

from __future__ import annotations

import heapq
import math
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from impasto.video import gif, sound
from impasto.video.cargo import Cargo, copied, describe, kind_of, label, packets
from impasto.video.encoding import coding
from impasto.video.opening import opened, written
from impasto.video.reading import Source

if TYPE_CHECKING:
    from av import Packet
    from av.container import OutputContainer
    from av.stream import Stream


_LONGEST = 2**31 - 1
"""Most ticks of a packet that are written; a longer one lasts until the next."""


@dataclass(frozen=True)
class Whole:
    """What is put together: painted parts, and the ``cargo`` of their film, as far as ``end``.

    ``end`` is in seconds. ``strip`` leaves out what describes the film.
    """

    film: Source
    parts: Sequence[Path]
    cargo: Cargo
    end: float
    stopped: bool = False
    strip: bool = False
    clear: bool = False


def join(whole: Whole, target: Path) -> None:
    """Write a film into a file whose suffix says its kind."""
    if target.suffix == ".gif":
        loop = gif.rounds(whole.film.path)
        gif.write(whole.parts, target, end=whole.end, loop=loop, clear=whole.clear)
        return
    with ExitStack() as stack:
        output = stack.enter_context(written(target, kind_of(target.suffix)))
        pictures = _pictures(output, whole, target.suffix)
        streams = [closing(_painted(whole, pictures))]
        limit = whole.end if whole.stopped else math.inf
        if whole.cargo.streams:
            again = stack.enter_context(Source(whole.film.path, whole.film.limits))
            copies = {
                each.index: copied(output, each, strip=whole.strip) for each in whole.cargo.streams
            }
            streams.append(closing(packets(again, copies, limit)))
        for each in whole.cargo.anew:
            again = stack.enter_context(Source(whole.film.path, whole.film.limits))
            copy = sound.opened(output, each, target.suffix)
            describe(copy, each, strip=whole.strip)
            streams.append(closing(sound.packets(again, each.index, copy, limit)))
        label(output, whole.film, limit, strip=whole.strip)
        output.start_encoding()
        last: dict[int, int] = {}
        for _, packet in heapq.merge(
            *map(stack.enter_context, streams), key=lambda entry: entry[0]
        ):
            _advance(packet, last)
            output.mux(packet)


def _pictures(output: OutputContainer, whole: Whole, suffix: str) -> Stream:
    """Add a stream for the packets of all parts."""
    with opened(whole.parts[0]) as part:
        stream = output.add_stream_from_template(part.streams.video[0])
    stream.codec_context.framerate = whole.film.rate
    describe(stream, whole.film.stream, strip=whole.strip)
    if whole.clear:  # the part's decoded format may not say so
        stream.pix_fmt = coding(suffix, clear=True).pixels
    return stream


def _painted(whole: Whole, stream: Stream) -> Generator[tuple[float, Packet[Stream]], None, None]:
    """Give the packets of the painted frames.

    Each is shown until the next one is, the last until the end.
    """
    before: Packet[Stream] | None = None
    for packet in _in_parts(whole.parts):
        if before:
            yield _until(before, float((packet.pts or 0) * (packet.time_base or 0)))
        before = packet
        before.stream = stream
    if before:
        yield _until(before, whole.end)


def _in_parts(parts: Sequence[Path]) -> Generator[Packet[Stream], None, None]:
    for path in parts:
        with opened(path) as part:
            for packet in part.demux(part.streams.video[0]):
                if packet.dts is not None and packet.time_base:
                    yield cast("Packet[Stream]", packet)


def _until(packet: Packet[Stream], end: float) -> tuple[float, Packet[Stream]]:
    """Make a packet show until ``end``; return it with its time in seconds."""
    base, at = packet.time_base or Fraction(1), packet.pts or 0
    packet.duration = max(1, round(end / base) - at)
    return float(at * base), packet


def _advance(packet: Packet[Stream], last: dict[int, int]) -> None:
    """Let a packet follow the ``last`` one of its stream; their times in ticks may be equal."""
    stream = packet.stream
    if packet.dts is None or not packet.time_base or not stream.time_base:
        return
    scale = packet.time_base / stream.time_base
    late = 0 if packet.pts is None else round((packet.pts - packet.dts) * scale)
    at = max(round(packet.dts * scale), last.get(stream.index, -(2**62)) + 1)
    last[stream.index] = at
    packet.dts, packet.pts = at, at + late
    packet.duration = min(round((packet.duration or 0) * scale), _LONGEST)
    packet.time_base = stream.time_base

"""Encodes sound anew that no kind of file can hold as it is."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, cast

from impasto.video.opening import library
from impasto.video.reading import Source

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet
    from av.container import OutputContainer
    from av.stream import Stream

_AAC, _OPUS = "aac", "libopus"
_USUAL_RATE = 48_000
_RATES = (
    *(96_000, 88_200, 64_000, 48_000, 44_100, 32_000),
    *(24_000, 22_050, 16_000, 12_000, 11_025, 8_000),
)
"""Samples a second that AAC can have; Opus always has the usual ones."""
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
"""Layouts of channels, which old files do not say."""
_CHANNEL = 96_000
"""Bits a second for a channel."""


def name_of(suffix: str) -> str:
    """Name what a kind of file holds, as a person calls it."""
    return "Opus" if suffix.lower() == ".webm" else "AAC"


def opened(output: OutputContainer, sound: AudioStream, suffix: str) -> AudioStream:
    """Add a stream for sound that is encoded anew."""
    opus = suffix.lower() == ".webm"
    rate = sound.rate if sound.rate in _RATES and not opus else _USUAL_RATE
    channels = sound.layout.nb_channels
    layout = _LAYOUTS.get(channels, sound.layout.name)
    name = _OPUS if opus else _AAC
    stream = cast("AudioStream", output.add_stream(name, rate=rate, layout=layout))
    stream.bit_rate = _CHANNEL * channels
    return stream


def packets(
    film: Source, index: int, stream: AudioStream, end: float
) -> Generator[tuple[float, Packet[Stream]], None, None]:
    """Give the sound of a film as far as its ``end``, for such a stream.

    Each packet comes with its time in seconds. What cannot be decoded is left out.
    """
    context = stream.codec_context
    resampler = library().AudioResampler(context.format, context.layout, context.rate)
    for frame in chain(_frames(film, index, end), (None,)):
        for each in resampler.resample(frame):
            yield from _timed(stream, each)
    yield from _timed(stream, None)


def _timed(stream: AudioStream, frame: AudioFrame | None) -> Iterator[tuple[float, Packet[Stream]]]:
    for packet in stream.encode(frame):
        at = packet.dts if packet.pts is None else packet.pts
        yield float((at or 0) * (packet.time_base or 0)), cast("Packet[Stream]", packet)


def _frames(film: Source, index: int, end: float) -> Iterator[AudioFrame]:
    for packet in film.packets():
        if packet.stream.index == index:
            with suppress(library().InvalidDataError):
                for frame in cast("list[AudioFrame]", packet.decode()):
                    if (frame.time or 0) < end:
                        yield frame

"""What a film holds beside its pictures: sound, subtitles, chapters, titles.

It is carried over as it is, packet by packet, where the new kind of file can hold it. The rest is
left out, and a note says so. Sound alone is never left out unless the user asks for it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from impasto.errors import OptionError
from impasto.files.kinds import FILMS
from impasto.video import sound
from impasto.video.opening import library
from impasto.video.reading import Source, is_cover

if TYPE_CHECKING:
    from av import AudioStream, Packet
    from av.container import OutputContainer
    from av.container.core import Chapter
    from av.stream import Stream

SILENT = (".gif",)
"""Kinds that hold nothing but pictures."""
_NO_KIND = "make its sound AAC of up to eight channels first, with FFmpeg"
_OF_ITS_FILE = {
    *("encoder", "major_brand", "minor_version", "compatible_brands", "vendor_id", "rotate"),
    *("alpha_mode", "stereo_mode", "duration", "bps", "number_of_frames", "number_of_bytes"),
}
"""Keys that describe the file that a film was in, in small letters; some end in a language."""
_WORDS = {
    "audio": "sound",
    "subtitle": "subtitles",
    "attachment": "a file",
    "video": "other pictures",
    "data": "data",
}


@dataclass
class Cargo:
    """What is carried over, and notes on the rest."""

    streams: list[Stream] = field(default_factory=list)
    anew: list[AudioStream] = field(default_factory=list)
    """Sound that is encoded anew, because no kind of file holds it."""
    notes: list[str] = field(default_factory=list)


def cargo(film: Source, suffix: str) -> Cargo:
    """Return what a kind of file can hold of a film.

    Raises:
        OptionError: it cannot hold the sound.
    """
    anew, notes = [], []
    if foreign := _foreign(film, suffix):
        others, names = kinds_for(film, suffix), _names(foreign)
        if others or not all(_is_encoded(each, suffix) for each in foreign):
            raise OptionError(
                f"{suffix} cannot hold this film's sound ({names})",
                hint=f"write a {others[0]} instead" if others else _NO_KIND,
            )
        anew = foreign
        notes.append(f"the sound ({names}) is encoded anew, as {sound.name_of(suffix)}")
    streams = [each for each in film.container.streams if each not in (film.stream, *anew)]
    held = [each for each in streams if _is_held(suffix, film, each)]
    left = dict.fromkeys(
        _in_words(each) for each in streams if not (each in held or _is_of_chapters(each))
    )
    if suffix.lower() in SILENT and film.container.chapters():
        left["chapters"] = None
    return Cargo(held, anew, notes + ([f"left out: {', '.join(left)}"] if left else []))


def _is_of_chapters(stream: Stream) -> bool:
    """Say whether it has the names of chapters, which FFmpeg reads together with the chapters."""
    return stream.discard == type(stream.discard).all


def kinds_for(film: Source, suffix: str) -> list[str]:
    """Return the kinds of files that hold a film's sound; ``suffix`` first, if it does."""
    kinds = dict.fromkeys((suffix.lower(), *FILMS))
    return [kind for kind in kinds if kind not in SILENT and not _foreign(film, kind)]


def _names(sounds: Iterable[AudioStream]) -> str:
    return ", ".join(sorted({each.codec_context.name for each in sounds}))


def _is_encoded(stream: AudioStream, suffix: str) -> bool:
    """Say whether sound can be encoded anew."""
    try:
        with library().open(os.devnull, "w", format=kind_of(suffix)) as output:
            sound.opened(output, stream, suffix)
            output.start_encoding()
    except (ValueError, library().FFmpegError):
        return False
    return True


def _foreign(film: Source, suffix: str) -> list[AudioStream]:
    """Return the sound that a kind of file cannot hold.

    Unknown sound is no reason to refuse a film. A phone may record some for headphones beside the
    usual sound.
    """
    known = [each for each in film.sound if each.codec_context]
    if suffix.lower() in SILENT:
        return []
    return [each for each in known if not _is_held(suffix, film, each)]


def _is_held(suffix: str, film: Source, stream: Stream) -> bool:
    """Say whether a kind of file holds a stream, from a trial with the first packet of sound.

    Some sound is refused when a file begins, some only when it ends. Packets of other streams may
    be far away, or there may be none.
    """
    if suffix.lower() in SILENT or stream.type in ("video", "data", "unknown"):
        return False
    try:
        with library().open(os.devnull, "w", format=kind_of(suffix)) as output:
            copies = {stream.index: copied(output, stream)}
            output.start_encoding()
            if stream.type == "audio":
                with Source(film.path, film.limits) as again:
                    for _, packet in islice(packets(again, copies), 1):
                        output.mux(packet)
    except (ValueError, library().FFmpegError):
        return False
    return True


def _in_words(stream: Stream) -> str:
    """Name a stream that is left out, as a person calls it."""
    if is_cover(stream):
        return "the cover"
    name = stream.codec_context.name if stream.codec_context else getattr(stream, "name", "")
    about = ", ".join(filter(None, (name, stream.language)))
    what = _WORDS.get(stream.type, "something unknown")
    return f"{what} ({about})" if about else what


def kind_of(suffix: str) -> str:
    """Return FFmpeg's name of the kind of file that a suffix stands for."""
    name = suffix.lower().lstrip(".")
    return {"mkv": "matroska", "m4v": "mp4"}.get(name, name)


def copied(output: OutputContainer, stream: Stream, *, strip: bool = False) -> Stream:
    """Add a stream for the packets of another one, with the same name and rank."""
    copy = output.add_stream_from_template(stream)
    describe(copy, stream, strip=strip)
    return copy


def describe(copy: Stream, stream: Stream, *, strip: bool = False) -> None:
    """Name a stream like another one; without titles if they are to be stripped."""
    copy.metadata.update(_told(stream.metadata, only=("language",) if strip else ()))
    copy.disposition = stream.disposition


def label(output: OutputContainer, film: Source, end: float, *, strip: bool = False) -> None:
    """Give a film the title and the chapters of another one, as far as it goes."""
    if not strip:
        output.metadata.update(_told(film.container.metadata))
    output.set_chapters([*_chapters(film, end, strip=strip)])


def _chapters(film: Source, end: float, *, strip: bool) -> Iterator[Chapter]:
    """Give the chapters that begin before the end, at places where chapters can be."""
    for each in film.container.chapters():
        base = each["time_base"]
        if not base or not 0 <= each["start"] <= each["end"] or each["start"] * base >= end:
            continue
        if each["end"] * base > end:
            each["end"] = int(end / base)
        each["metadata"] = {} if strip else _told(each["metadata"])
        yield each


def _told(metadata: Mapping[str, str], only: Iterable[str] = ()) -> dict[str, str]:
    """Return what a film says of itself, without what describes its old file."""
    return {
        _as_text(key): _as_text(value)
        for key, value in metadata.items()
        if (key in only if only else key.lower().split("-")[0] not in _OF_ITS_FILE)
        and not key.startswith("_STATISTICS")
    }


def _as_text(said: str) -> str:
    """Decode a text of a film; bytes that are no UTF-8, as old cameras write them, are Latin 1."""
    data = said.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def packets(
    film: Source, copies: Mapping[int, Stream], end: float = math.inf
) -> Generator[tuple[float, Packet[Stream]], None, None]:
    """Give packets of some streams of a film for their copies, each with its time in seconds."""
    for packet in film.packets(also=copies):
        copy = copies.get(packet.stream.index)
        at = packet.pts if packet.dts is None else packet.dts
        if copy is None or at is None or not packet.time_base:
            continue
        if (time := float(at * packet.time_base)) < end:
            packet.stream, packet.dts = copy, at
            yield time, packet

"""Times of frames and packets, whatever a file says: each later than the one before.

Cameras repeat a time, and recorders go back. Streams that were joined begin anew, and raw ones have
no times at all. As in FFmpeg's programs, none of that stops the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.container import InputContainer
    from av.stream import Stream

USUAL_RATE = Fraction(25)
_RATES = Fraction(1, 100), Fraction(300)
"""Believable frames a second. A Matroska file without a rate claims to have 1,000."""
_SLIP = 0.1
"""Seconds that a packet may lie before the last one, or after its end, and still follow it."""
_ANEW = 1.0
"""Seconds that frames lie before the last one where times begin anew."""
_PAUSE = 10.0
_LONG_PAUSE = 30 * 3600.0
"""Longest pauses in seconds: where times are known to begin anew, and elsewhere."""
_LONGEST = 3600.0
"""Most seconds for which one frame is shown, as far as it says so itself."""
_STUCK = 3
"""Frames in a row that are not later than others, after which their times mean nothing."""


def rate(stream: VideoStream) -> Fraction:
    """Return the frames a second, if the file says something believable."""
    low, high = _RATES
    said = (stream.average_rate, stream.base_rate, stream.guessed_rate)
    return next((each for each in said if each and low <= each <= high), USUAL_RATE)


class Timeline:
    """The packets of a film in one course.

    Where a stream goes back or leaps, all streams go on from where it was. Where it returns, they
    do, too.
    """

    def __init__(self, container: InputContainer) -> None:
        starts_anew = int(container.format.flags) & 0x200  # AVFMT_TS_DISCONT
        self._pause = _PAUSE if starts_anew else _LONG_PAUSE
        self._last: dict[int, tuple[float, float]] = {}
        self._shift = self._former = 0.0
        self.straight = True
        """Whether the times are still the file's own."""

    def packets(self, packets: Iterable[Packet[Stream]]) -> Iterator[Packet[Stream]]:
        """Give the same packets with corrected times."""
        for packet in packets:
            if packet.time_base:
                self._judge(packet, packet.time_base)
                self._shifted(packet, packet.time_base)
            yield packet

    def _judge(self, packet: Packet[Stream], base: Fraction) -> None:
        """Check whether a packet follows the one before it in its stream."""
        index = packet.stream.index
        if packet.dts is None or packet.stream.type not in ("video", "audio"):
            return
        time = float(packet.dts * base)
        start, end = self._last.get(index, (time + self._shift,) * 2)
        if not start - _SLIP <= time + self._shift <= end + _SLIP:
            self._leap(time, start, end)
        time += self._shift
        self._last[index] = time, time + float((packet.duration or 0) * base)

    def _leap(self, time: float, start: float, end: float) -> None:
        if start - _SLIP <= time + self._former <= end + _SLIP:
            self._shift, self._former = self._former, self._shift
        elif not start - _SLIP <= time + self._shift <= end + self._pause:
            self._shift, self._former = end - time, self._shift

    def _shifted(self, packet: Packet[Stream], base: Fraction) -> None:
        if self._shift:
            self.straight = False
            ticks = round(Fraction(self._shift) / base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks


class Clock:
    """Gives the frames of a film, in their order, times in ticks of ``base`` seconds."""

    def __init__(self, base: Fraction | None, rate: Fraction) -> None:
        self._trusted = bool(base)
        self.base = base or Fraction(1, 90_000)
        self._step = max(1, round(1 / rate / self.base))
        self._raw: dict[str, int] = {}
        self._faults = {"pts": 0, "dts": 0}
        self._shift = self._stuck = 0
        self.last: int | None = None
        self.regular = True
        """Whether all frames had times, each later than the one before."""

    def place(self, frame: VideoFrame) -> VideoFrame:
        said = self._said(frame)
        if said is not None and (self.last is None or said + self._shift > self.last):
            at, self._stuck = said + self._shift, 0
        else:
            at = 0 if self.last is None else self._after(said, self.last)
            self.regular = False
        frame.pts, frame.time_base = at, self.base
        self.last = at
        return frame

    def end(self, frame: VideoFrame) -> float:
        """Seconds at which a frame is shown no more."""
        ticks = frame.duration if self._trusted and frame.duration > 0 else self._step
        return float((frame.pts or 0) * self.base) + min(float(ticks * self.base), _LONGEST)

    def _said(self, frame: VideoFrame) -> int | None:
        """Return when a frame is shown, or its place in the file if that was wrong less often.

        FFmpeg guesses it like this. In an AVI, only the place is right.
        """
        if not self._trusted:
            return None
        times = {"pts": frame.pts, "dts": frame.dts}
        for name, time in times.items():
            if time is not None:
                self._faults[name] += time <= self._raw.get(name, time - 1)
                self._raw[name] = time
        shown = self._faults["pts"] <= self._faults["dts"] or times["dts"] is None
        return times["pts"] if shown and times["pts"] is not None else times["dts"]

    def _after(self, said: int | None, last: int) -> int:
        """Make a time for a frame that has none, or one that is over."""
        self._stuck += 1
        at = last + self._step
        if said is None or self._stuck > _STUCK:
            return at
        if (last - said - self._shift) * self.base > _ANEW:
            self._shift = at - said
            return at
        return last + max(1, self._step // 2)

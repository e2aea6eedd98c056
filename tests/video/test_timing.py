"""Times that are missing, equal, going back or begun anew do not stop a film."""

from fractions import Fraction

import numpy as np
import pytest

from filming import frames_of, make, sound_of, times_of
from impasto.options import ReadOptions
from impasto.stylization.film import stylize_film
from impasto.video.reading import Source
from impasto.video.timing import Clock, rate

av = pytest.importorskip("av")
TICK = Fraction(1, 1000)
RATE = Fraction(25)


def placed(*times, base=TICK):
    """When a clock of 25 frames a second shows frames of these times, in ticks."""
    clock = Clock(base, RATE)
    frames = []
    for time in times:
        frame = av.VideoFrame(16, 16, "yuv420p")
        frame.pts, frame.dts = time if isinstance(time, tuple) else (time, None)
        frames.append(clock.place(frame))
    return [frame.pts for frame in frames]


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ((0, 40, 80), [0, 40, 80]),
        ((-80, -40, 13), [-80, -40, 13]),
        ((0, 40, 40, 80), [0, 40, 60, 80]),  # a pair of equal ones
        ((0, 40, 20, 80), [0, 40, 60, 80]),  # one goes back
        ((None, None, None), [0, 40, 80]),  # of a raw stream
        ((7, None, 87), [7, 47, 87]),
        ((0,) * 8, [0, 20, 40, 60, 100, 140, 180, 220]),  # they mean nothing
        ((9000, 9040, 0, 40), [9000, 9040, 9080, 9120]),  # joined with another
        (((0, 0), (120, 40), (40, 80), (80, 120)), [0, 120, 140, 160]),
    ],
)
def test_each_frame_is_shown_later_than_the_one_before(times, shown):
    assert placed(*times) == shown


def test_where_times_are_wrong_those_of_the_places_count():
    """As an AVI has it: B-frames, whose times are those of their neighbours."""
    said = [(1, 2), (3, 3), (4, 4), (2, 5), (6, 6), (5, 7), (7, 8), (8, 9), (9, 10)]
    assert placed(*said, base=Fraction(1, 25)) == [1, 3, 4, 5, 6, 7, 8, 9, 10]


def packets_of(path, codec="libx264", count=12, rate=25):
    """Encoded frames that stand for themselves."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        packets = []
        for number in range(count):
            pixels = np.full((48, 64, 3), 90, np.uint8)
            pixels[8:24, 3 * number : 3 * number + 12] = (200, 40, 30)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            packets += stream.encode(frame)
        yield output, [*packets, *stream.encode(None)]


def with_times(path, change):
    """A film whose packets have other times: ``change`` gives those of a number, in frames."""
    for output, packets in packets_of(path):
        for number, packet in enumerate(packets):
            packet.pts = packet.dts = change(number)
            output.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mp4", ".gif"])
def test_a_pair_of_equal_times_is_painted_whatever_is_written(painter, tmp_path, suffix):
    clip = with_times(tmp_path / "clip.mkv", lambda number: number - (number >= 6))
    film = stylize_film(clip, tmp_path / f"out{suffix}", painter)
    times = times_of(tmp_path / f"out{suffix}")
    assert (film.frames, film.whole, len(times)) == (12, True, 12)
    assert (np.diff(times) > 0).all()
    assert np.abs(times[:6] - np.arange(6) / 25).max() < 0.0011
    assert times[7:] == pytest.approx(np.arange(6, 11) / 25, abs=0.011)


def test_streams_that_were_joined_go_on(painter, tmp_path):
    one = make(tmp_path / "a.ts", frames=10, size=(64, 48), time_base=Fraction(1, 25),
               step=lambda _: 1)  # fmt: skip
    both = tmp_path / "both.ts"
    both.write_bytes(one.read_bytes() * 3)
    film = stylize_film(both, tmp_path / "out.mp4", painter)
    assert film.frames == len(frames_of(both)) == 30
    times = times_of(tmp_path / "out.mp4")
    assert np.diff(times).min() > 0.01
    assert times[-1] == pytest.approx(29 / 25, abs=0.2)
    assert len(sound_of(tmp_path / "out.mp4")) == len(sound_of(both))


def test_a_counter_that_runs_over_goes_on(painter, tmp_path):
    """Transport streams count to 2^33, some 26 hours."""
    wrapped = with_times(tmp_path / "a.mkv", lambda number: number + (10**6 if number > 5 else 0))
    with Source(wrapped, ReadOptions()) as film:
        assert len(list(film.frames())) == 12
    leaps = with_times(tmp_path / "b.mkv", lambda number: number + (10**8 if number > 5 else 0))
    stylize_film(leaps, tmp_path / "out.mp4", painter)
    assert np.abs(times_of(tmp_path / "out.mp4") - np.arange(12) / 25).max() < 0.0011


def raw(path, **options):
    """A stream in no container, which knows no times."""
    with av.open(str(path), "w", format="h264") as output:
        stream = output.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * number, np.uint8), "rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "2"}])
def test_a_raw_stream_has_its_own_rate(painter, tmp_path, options):
    film = stylize_film(raw(tmp_path / "pi.h264", **options), tmp_path / "out.mp4", painter)
    assert film.frames == 6
    assert times_of(tmp_path / "out.mp4") == pytest.approx(np.arange(6) / 25, abs=0.001)


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mp4", ".mov"])
@pytest.mark.parametrize("wanted", [24, Fraction(30000, 1001), 60])
def test_the_rate_that_is_said_is_kept(painter, tmp_path, suffix, wanted):
    every = {"time_base": 1 / Fraction(wanted), "step": lambda _: 1, "framerate": wanted}
    kind = ".mkv" if suffix == ".webm" else suffix
    clip = make(tmp_path / f"a{kind}", frames=4, size=(64, 48), sound=None, **every)
    stylize_film(clip, tmp_path / f"out{suffix}", painter)
    with av.open(str(tmp_path / f"out{suffix}")) as film:
        assert float(film.streams.video[0].average_rate) == pytest.approx(float(wanted), rel=0.02)


def at_1000_a_second(path, target):
    with av.open(str(path)) as source, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        stream.codec_context.framerate = 1000
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    return target


def test_a_film_that_says_1000_frames_a_second_is_not_believed(painter, tmp_path):
    """A Matroska file without a rate."""
    made = make(tmp_path / "a.mp4", frames=8, size=(64, 48), sound=None)
    clip = at_1000_a_second(made, tmp_path / "a.mkv")
    with av.open(str(clip)) as film:
        assert film.streams.video[0].average_rate == 1000
        assert rate(film.streams.video[0]) <= 60
    with Source(clip, ReadOptions()) as film:
        assert film.count == pytest.approx(8, abs=1)
    stylize_film(clip, tmp_path / "out.mkv", painter)
    with av.open(str(tmp_path / "out.mkv")) as film:
        assert film.streams.video[0].average_rate == 25

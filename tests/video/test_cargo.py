"""Sound, subtitles, chapters and titles: kept where a kind of file can hold them, or said."""

from types import SimpleNamespace

import numpy as np
import pytest

from filming import AMR, MS, as_it_is, make, sound_of
from impasto.errors import OptionError
from impasto.files.kinds import FILMS
from impasto.options import ReadOptions
from impasto.progress import CancelToken
from impasto.stylization.film import stylize_film
from impasto.video.cargo import kinds_for, label
from impasto.video.film import paint
from impasto.video.opening import written
from impasto.video.reading import Source

av = pytest.importorskip("av")


@pytest.mark.parametrize(
    ("name", "options", "suffixes", "other"),
    [
        ("phone.3gp", AMR, [".mp4", ".mkv"], ".mov"),
        ("clip.mkv", {"sound": "libopus"}, [".mov"], ".mp4"),  # refused when a file begins
        ("old.avi", {"codec": "mpeg4", "sound": "pcm_s16le"}, [".mp4"], ".mov"),  # at its end
    ],
)
def test_a_kind_that_cannot_hold_the_sound_is_refused_and_one_that_can_is_named(
    painter, tmp_path, name, options, suffixes, other
):
    clip = make(tmp_path / name, frames=3, **options)
    for suffix in suffixes:
        with pytest.raises(
            OptionError, match=rf"{suffix} cannot hold .* - write a {other} instead"
        ):
            stylize_film(clip, tmp_path / f"painted{suffix}", painter)
    target = tmp_path / f"painted{other}"
    stylize_film(clip, target, painter)
    assert sound_of(target) == sound_of(clip)


def heard(path):
    """What is to be heard of a film: samples of all its channels."""
    with av.open(str(path)) as film:
        resampler = av.AudioResampler("fltp", "mono", 8000)
        frames = [each for frame in film.decode(audio=0) for each in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.mark.parametrize(("suffix", "codec", "name"), [
    (".mp4", "aac", "AAC"), (".mkv", "aac", "AAC"), (".webm", "opus", "Opus"),
])  # fmt: skip
def test_sound_that_no_kind_can_hold_is_encoded_anew(tmp_path, suffix, codec, name):
    clip = make(tmp_path / "clip.asf", frames=20, size=(64, 48), codec="mpeg4", sound="wmav2")
    film = paint(clip, tmp_path / f"out{suffix}", as_it_is())
    assert film.notes == (f"the sound (wmav2) is encoded anew, as {name}",)
    with av.open(str(tmp_path / f"out{suffix}")) as painted:
        assert painted.streams.audio[0].codec_context.codec.canonical_name == codec
    before, after = heard(clip), heard(tmp_path / f"out{suffix}")
    assert len(after) == pytest.approx(len(before), rel=0.08)
    size = min(len(before), len(after)) - 1500
    shifts = [np.corrcoef(before[500 : 500 + size], after[at : at + size])[0, 1]
              for at in range(0, 1000, 4)]  # fmt: skip
    assert max(shifts) > 0.8


def test_sound_that_cannot_be_encoded_is_refused_with_another_way_out(
    painter, tmp_path, monkeypatch
):
    monkeypatch.setattr("impasto.video.cargo._is_encoded", lambda *_: False)
    clip = make(tmp_path / "clip.asf", frames=3, codec="mpeg4", sound="wmav2")
    with pytest.raises(OptionError, match=r"\(wmav2\) - make its sound AAC of up to"):
        stylize_film(clip, tmp_path / "painted.mkv", painter)


def rich(path, *, text="subrip", title="Mein Film", chapters=True):
    """A film with two languages, subtitles, chapters, a title, a place and a font."""
    with av.open(str(path), "w", metadata_errors="surrogateescape") as output:
        output.metadata.update(title=title, artist="Me", location="+52.5+013.4/", encoder="Old")
        pictures = output.add_stream("libx264", rate=25, width=64, height=48)
        pictures.metadata["language"] = "jpn"
        sounds = [output.add_stream("aac", rate=48000, layout="mono") for _ in range(2)]
        words = output.add_mux_stream(text) if text else None
        if words:
            words.time_base = MS
        streams = [*sounds, words] if words else sounds
        for stream, language in zip(streams, ("eng", "ger", "fre"), strict=False):
            stream.metadata["language"] = language
            stream.metadata["title"] = f"In {language}"
            stream.disposition = 0
        sounds[1].disposition = av.stream.Disposition.default
        streams[-1].disposition = av.stream.Disposition.forced
        if path.suffix == ".mkv":
            output.add_attachment("font.ttf", "font/ttf", b"abc" * 10)
        if chapters:
            names = {"One": (0, 100), "Two": (100, 240)}
            output.set_chapters([
                {"id": number, "start": start, "end": end, "time_base": MS,
                 "metadata": {"title": name}}
                for number, (name, (start, end)) in enumerate(names.items())
            ])  # fmt: skip
        for number in range(6):
            pixels = np.full((48, 64, 3), 40 * number, np.uint8)
            output.mux(pictures.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            for sound in sounds:
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), "s16", "mono")
                silence.sample_rate, silence.pts = 48000, 1920 * number
                output.mux(sound.encode(silence))
        for stream in (pictures, *sounds):
            output.mux(stream.encode(None))
        for at, word in ((0, b"Hallo"), (100, b"Welt")) if words else ():
            said = av.Packet(word)
            said.stream, said.time_base, said.pts, said.dts = words, MS, at, at
            said.duration = 80
            output.mux(said)
    return path


def told(path):
    """What players tell of a film: of the whole, and of its streams."""
    with av.open(str(path)) as film:
        names = [each["metadata"].get("title") for each in film.chapters()]
        streams = [
            (each.type, each.metadata.get("language"), each.disposition)
            for each in film.streams if each.type in ("video", "audio", "subtitle")
        ]  # fmt: skip
        return film.metadata.get("title"), names, streams


def words_of(path):
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(subtitles=0) if packet.size]


def files_of(path):
    with av.open(str(path)) as film:
        return [(each.name, each.mimetype, each.data) for each in film.streams.attachments]


def test_all_that_a_film_holds_is_kept(tmp_path):
    clip = rich(tmp_path / "clip.mkv")
    film = paint(clip, tmp_path / "out.mkv", as_it_is())
    assert film.notes == ()
    assert told(tmp_path / "out.mkv") == told(clip)
    assert told(clip)[0] == "Mein Film"
    assert told(clip)[1] == ["One", "Two"]
    assert [language for _, language, _ in told(clip)[2]] == ["jpn", "eng", "ger", "fre"]
    assert words_of(tmp_path / "out.mkv") == words_of(clip) == [b"Hallo", b"Welt"]
    assert files_of(tmp_path / "out.mkv") == [("font.ttf", "font/ttf", b"abc" * 10)]
    with av.open(str(tmp_path / "out.mkv")) as painted:
        assert painted.metadata["ENCODER"] != "Old"
        assert painted.streams.audio[1].metadata["title"] == "In ger"


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_what_a_kind_cannot_hold_is_said(tmp_path, suffix):
    clip = rich(tmp_path / "clip.mkv")
    film = paint(clip, tmp_path / f"out{suffix}", as_it_is())
    assert film.notes == ("left out: subtitles (srt, fre), a file (font.ttf)",)
    title, chapters, streams = told(tmp_path / f"out{suffix}")
    assert (title, chapters) == ("Mein Film", ["One", "Two"])
    kinds = [(kind, language) for kind, language, _ in streams if kind != "subtitle"]
    assert kinds == [("video", "jpn"), ("audio", "eng"), ("audio", "ger")]
    defaults = [each.disposition & 1 for each in av.open(str(tmp_path / f"out{suffix}")).streams]
    assert defaults[1:3] == [0, 1]


def test_a_gif_is_without_all_of_it_and_that_is_said(tmp_path):
    film = paint(rich(tmp_path / "clip.mkv"), tmp_path / "out.gif", as_it_is())
    assert film.notes == (
        "left out: sound (aac, eng), sound (aac, ger), subtitles (srt, fre), "
        "a file (font.ttf), chapters",
    )


def test_a_film_from_mp4_to_mp4_keeps_its_chapters(tmp_path):
    clip = rich(tmp_path / "clip.mp4", text="")
    film = paint(clip, tmp_path / "out.mp4", as_it_is())
    assert film.notes == ()
    assert told(tmp_path / "out.mp4")[:2] == ("Mein Film", ["One", "Two"])
    with av.open(str(tmp_path / "out.mp4")) as painted:
        assert painted.metadata["location"] == "+52.5000+013.4000/"


def test_what_describes_a_film_can_be_stripped(tmp_path):
    paint(rich(tmp_path / "clip.mkv"), tmp_path / "out.mkv", as_it_is(), strip=True)
    with av.open(str(tmp_path / "out.mkv")) as film:
        assert {*film.metadata} <= {"ENCODER"}
        assert [each["metadata"] for each in film.chapters()] == [{}, {}]
        sound = film.streams.audio[1]
        assert (sound.metadata["language"], sound.metadata.get("title")) == ("ger", None)


def test_a_title_that_is_no_utf8_is_read_as_latin_1(tmp_path):
    clip = rich(tmp_path / "clip.mkv", title="Caf\udce9")
    paint(clip, tmp_path / "out.mkv", as_it_is())
    assert told(tmp_path / "out.mkv")[0] == "Café"


def test_chapters_that_cannot_be_are_left_out(tmp_path):
    clip = rich(tmp_path / "clip.mkv", chapters=False)
    at = {"id": 1, "time_base": MS, "metadata": {}}
    odd = [
        {**at, "start": 10, "end": 5}, {**at, "start": -5, "end": 5}, {**at, "start": 9, "end": 90},
        {**at, "start": 9, "end": 90, "time_base": None},
    ]  # fmt: skip
    with Source(clip, ReadOptions()) as film, written(tmp_path / "x.mkv", "matroska") as output:
        film.container = SimpleNamespace(chapters=lambda: odd, metadata={}, close=lambda: None)
        label(output, film, 0.05)
        assert [(each["start"], each["end"]) for each in output.chapters()] == [(9, 50)]


def test_a_film_that_is_stopped_has_the_chapters_that_it_reaches(tmp_path):
    cancel = CancelToken()

    def stop(progress):
        if progress.step == 2:
            cancel.cancel()

    clip = rich(tmp_path / "clip.mkv")
    paint(clip, tmp_path / "out.mkv", as_it_is(), on_progress=stop, cancel=cancel)
    assert told(tmp_path / "out.mkv")[1] == ["One"]
    assert words_of(tmp_path / "out.mkv") == [b"Hallo"]


@pytest.mark.parametrize(
    ("suffix", "sound", "kinds"),
    [
        (".avi", "pcm_s16le", [".mov", ".mkv"]), (".avi", "libmp3lame", [".mp4", ".mov"]),
        (".mkv", "libopus", [".mkv", ".mp4"]), (".webm", "libopus", [".webm", ".mp4"]),
        (".asf", "wmav2", []),
    ],
)  # fmt: skip
def test_kinds_that_hold_the_sound_are_known(tmp_path, suffix, sound, kinds):
    codec = {".webm": "libvpx-vp9"}.get(suffix, "mpeg4")
    clip = make(tmp_path / f"c{suffix}", frames=3, size=(64, 48), codec=codec, sound=sound)
    with Source(clip, ReadOptions()) as film:
        own = suffix if suffix in FILMS else ".mp4"
        assert kinds_for(film, own)[:2] == kinds

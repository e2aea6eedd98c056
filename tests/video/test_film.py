"""Real films, made by PyAV, painted and read again."""

import errno
import json
import re
import resource
import sys
from pathlib import Path

import numpy as np
import pytest

from filming import OTHERS, cancelled, frames_of, make, make_any, pixels_of, sound_of, times_of
from impasto import assets, images
from impasto.errors import (
    Cancelled,
    ImpastoError,
    MissingExtraError,
    OptionError,
    PictureError,
    PictureLimitError,
)
from impasto.files.naming import Task
from impasto.options import ReadOptions, StylizeOptions
from impasto.progress import CancelToken, silent
from impasto.stylization import batch
from impasto.stylization.batch import Settings
from impasto.stylization.film import stylize_film
from impasto.stylization.stylizer import Stylizer
from running import run

av = pytest.importorskip("av")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_film_is_painted_and_its_sound_is_copied(clip, painter, tmp_path, suffix):
    target = tmp_path / f"painted{suffix}"
    film = stylize_film(clip, target, painter)
    assert film.whole
    assert (film.frames, film.width, film.height) == (20, 160, 112)
    assert np.abs(times_of(target) - times_of(clip)).max() < 0.0011
    assert np.abs(pixels_of(target) - pixels_of(clip)).mean() > 20
    assert sound_of(target) == sound_of(clip)
    assert [entry.name for entry in tmp_path.iterdir()] == [target.name]


def test_each_frame_is_the_painting_of_its_own(clip, painter, style, tmp_path):
    film = stylize_film(clip, tmp_path / "painted.mkv", painter)
    found = pixels_of(tmp_path / "painted.mkv")
    plain = Stylizer(style)
    for number in (0, 10, 19):
        source = frames_of(clip)[number].to_ndarray(format="rgb24")
        assert np.abs(found[number] - plain(source, grain=0).pixels).mean() < 12
    assert film.flicker < 2


def test_frames_keep_their_times_whatever_their_rate(painter, tmp_path):
    clip = make(tmp_path / "clip.mp4", step=lambda number: 21 if number % 3 else 77)
    stylize_film(clip, tmp_path / "painted.mp4", painter)
    assert np.abs(times_of(tmp_path / "painted.mp4") - times_of(clip)).max() < 0.0011


def test_webm_and_gif_are_written_and_read(painter, tmp_path):
    clip = make(tmp_path / "clip.webm", codec="libvpx-vp9", sound="libopus", frames=6)
    stylize_film(clip, tmp_path / "painted.webm", painter)
    assert sound_of(tmp_path / "painted.webm") == sound_of(clip)
    stylize_film(clip, tmp_path / "painted.gif", painter)
    gif = pixels_of(tmp_path / "painted.gif")
    assert gif.shape == (6, 112, 160, 3)
    assert np.abs(gif - pixels_of(tmp_path / "painted.webm")).mean() < 12
    stylize_film(tmp_path / "painted.gif", tmp_path / "again.gif", painter)
    assert len(frames_of(tmp_path / "again.gif")) == 6


def test_odd_sizes_and_size_are_taken(painter, tmp_path):
    clip = make(tmp_path / "clip.mkv", frames=2, size=(161, 113), codec="ffv1", pixel_format="bgr0")
    stylize_film(clip, tmp_path / "painted.mp4", painter)
    assert pixels_of(tmp_path / "painted.mp4").shape == (2, 114, 162, 3)
    stylize_film(clip, tmp_path / "small.mp4", painter, StylizeOptions(size=80))
    assert pixels_of(tmp_path / "small.mp4").shape == (2, 56, 80, 3)
    made = stylize_film(clip, tmp_path / "odd.mp4", painter, StylizeOptions(size=81))
    assert pixels_of(tmp_path / "odd.mp4").shape == (2, made.height, made.width, 3)


def test_a_film_that_ends_early_is_said_to(style, tmp_path):
    whole = make(tmp_path / "whole.mkv", sound=None)
    av_options = {"movflags": "faststart"}
    with (
        av.open(str(whole)) as source,
        av.open(str(tmp_path / "whole.mp4"), "w", options=av_options) as output,
    ):
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    data = (tmp_path / "whole.mp4").read_bytes()
    with av.open(str(tmp_path / "whole.mp4")) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    (tmp_path / "cut.mp4").write_bytes(data[: places[12]])
    for name, notes in (("whole", 1), ("cut", 2)):
        task = Task(tmp_path / f"{name}.mp4", style.name, tmp_path / f"{name}.out.mp4")
        result = batch.film(task, style, Settings(), silent, CancelToken())
        assert (str(result.error), len(result.notes)) == ("None", notes)
    assert re.search(r"tells of 8 more frames; it may be damaged", result.notes[1])


def test_the_command_line_paints_films_and_pictures_of_a_folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    make(folder / "clip.mp4", frames=3)
    make(folder / "old.avi", frames=3, codec="mpeg4", sound=None)
    images.read(assets.demo_photo()).resized(80).save(folder / "photo.jpg")
    (folder / "broken.mp4").write_bytes((folder / "clip.mp4").read_bytes()[:300])
    done = run("stylize", folder, "-s", "great-wave", "-o", tmp_path / "out", "--json", text=True)
    assert done.returncode == 1
    results = {Path(line["input"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    assert {name: line["status"] for name, line in results.items()} == {
        "photo.jpg": "done", "clip.mp4": "done", "old.avi": "done", "broken.mp4": "error",
    }  # fmt: skip
    assert results["old.avi"]["output"].endswith("old.great-wave.mp4")
    assert "broken.mp4 cannot be painted" in results["broken.mp4"]["error"]["message"]


def test_what_is_no_film_is_an_error_that_says_so(painter, tmp_path, clip):
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    with pytest.raises(PictureError, match=r"text.mp4 cannot be painted"):
        stylize_film(text, tmp_path / "painted.mp4", painter)
    with pytest.raises(PictureError, match="cannot be read"):
        stylize_film(tmp_path / "missing.mp4", tmp_path / "painted.mp4", painter)
    with pytest.raises(PictureLimitError, match="160x112"):
        stylize_film(clip, tmp_path / "painted.mp4", painter, read=ReadOptions(max_pixels=1000))
    with pytest.raises(OptionError, match=r"webm cannot hold .* \(aac\) - write a .mp4 instead"):
        stylize_film(clip, tmp_path / "painted.webm", painter)
    assert [entry.name for entry in tmp_path.iterdir()] == ["text.mp4"]


@pytest.mark.parametrize("suffix", OTHERS)
def test_other_kinds_are_read(painter, tmp_path, suffix):
    clip = make_any(tmp_path / f"clip{suffix}")
    assert stylize_film(clip, tmp_path / "painted.mp4", painter).frames == 20


def test_a_film_that_is_cut_short_is_painted_as_far_as_it_goes_or_refused(painter, tmp_path, clip):
    whole = make(tmp_path / "clip.mkv").read_bytes()
    short = tmp_path / "short.mkv"
    short.write_bytes(whole[: len(whole) * 2 // 3])
    film = stylize_film(short, tmp_path / "painted.mkv", painter)
    assert 0 < film.frames < 20
    assert len(frames_of(tmp_path / "painted.mkv")) == film.frames


def test_a_full_disk_is_an_error_of_the_output(painter, clip, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(ImpastoError):
            stylize_film(clip, tmp_path / "painted.mp4", painter)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "painted.mp4").exists()
    assert stylize_film(clip, tmp_path / "painted.mp4", painter).whole


@pytest.mark.parametrize("kind", [MemoryError, av.error.MemoryError])
def test_a_film_that_does_not_fit_into_memory_is_a_result_that_says_so(
    clip, style, tmp_path, monkeypatch, kind
):
    def painted(*_, **__):
        raise kind(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(Stylizer, "film", painted)
    task = Task(clip, style.name, tmp_path / "painted.mp4")
    result = batch.film(task, style, Settings(), silent, CancelToken())
    assert "does not fit into memory - use a smaller --size" in str(result.error)
    assert not task.output.exists()


def test_stopped_before_the_first_frame_there_is_no_film(painter, clip, tmp_path):
    with pytest.raises(Cancelled):
        stylize_film(clip, tmp_path / "painted.mp4", painter, cancel=cancelled())
    assert not (tmp_path / "painted.mp4").exists()


def test_without_pyav_the_extra_is_named(painter, clip, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"pip install .impasto\[video\]"):
        stylize_film(clip, tmp_path / "painted.mp4", painter)

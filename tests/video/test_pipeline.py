"""A film that was stopped goes on where it was."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest

from filming import (
    cancelled,
    frames_of,
    make,
    make_any,
    pixels_of,
    sound_of,
    stopped_after,
    times_of,
)
from impasto.errors import (
    OutputError,
)
from impasto.files.naming import Task
from impasto.stylization import batch
from impasto.stylization.batch import Settings
from impasto.stylization.film import stylize_film
from impasto.stylization.stylizer import Stylizer
from impasto.video import pipeline, workplace
from impasto.video.encoding import Encoder

av = pytest.importorskip("av")


def test_a_film_that_is_stopped_can_be_played_and_goes_on(clip, style, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "PART", 6)
    whole, target = tmp_path / "whole.mp4", tmp_path / "painted.mp4"
    stylize_film(clip, whole, Stylizer(style, steady=True, threads=1))
    film = stopped_after(clip, target, Stylizer(style, steady=True, threads=1), 9)
    assert not film.whole
    assert len(frames_of(target)) == film.frames == 9
    assert 0 < len(sound_of(target)) < len(sound_of(clip))
    assert workplace.unfinished(target)
    task = Task(clip, style.name, target)
    assert not batch.is_there(task, Settings())  # to be gone on with, also by a cluster
    seen = []
    film = stylize_film(
        clip, target, Stylizer(style, steady=True, threads=1), on_progress=seen.append
    )
    assert film.whole
    assert seen[0].step == 10
    assert not workplace.unfinished(target)
    assert batch.is_there(task, Settings())
    assert sound_of(target) == sound_of(clip)
    assert np.abs(pixels_of(target) - pixels_of(whole)).mean() < 3
    assert np.abs(times_of(target) - times_of(clip)).max() < 0.0011


def test_a_film_that_is_stopped_again_before_the_next_frame_keeps_its_sound(
    clip, painter, tmp_path
):
    target = tmp_path / "painted.mp4"
    stopped_after(clip, target, painter, 9)
    sound = sound_of(target)
    film = stylize_film(clip, target, painter, cancel=cancelled())
    assert (film.frames, film.whole) == (9, False)
    assert sound_of(target) == sound
    assert len(sound) > 10


def test_a_film_that_was_stopped_at_its_end_is_told_as_any(clip, painter, tmp_path):
    stopped_after(clip, tmp_path / "painted.mp4", painter, 20)
    film = stylize_film(clip, tmp_path / "painted.mp4", painter)
    assert json.loads(json.dumps(asdict(film)))["width"] == 160
    assert (film.frames, film.whole) == (20, True)


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_a_film_goes_on_where_no_place_in_it_is_found(painter, tmp_path, suffix):
    """In a transport stream, nothing comes after seeking; in a program stream, what is later."""
    clip = make_any(tmp_path / f"clip{suffix}")
    stopped_after(clip, tmp_path / "painted.mp4", painter, 9)
    assert stylize_film(clip, tmp_path / "painted.mp4", painter).frames == 20
    assert np.abs(times_of(tmp_path / "painted.mp4") - times_of(clip)).max() < 0.0011


def test_another_style_does_not_go_on_from_there(clip, style, tmp_path):
    target = tmp_path / "painted.mp4"
    stopped_after(clip, target, Stylizer(style, steady=True), 5)
    with pytest.raises(OutputError, match=r"there already - --overwrite"):
        stylize_film(clip, target, Stylizer("mondrian", steady=True))
    film = stylize_film(clip, target, Stylizer("mondrian", steady=True), overwrite=True)
    assert film.frames == 20


def test_a_killed_painting_loses_no_finished_part(clip, tmp_path):
    """kill -9 in the middle: the next call takes the parts that are there."""
    target = tmp_path / "painted.mp4"
    code = (
        "import sys; from pathlib import Path; from impasto.video import pipeline as films\n"
        "from impasto.stylization.film import stylize_film\n"
        "from impasto.stylization.stylizer import Stylizer\n"
        "films.PART = 4\n"
        "steps = []\n"
        "film = stylize_film(Path(sys.argv[1]), Path(sys.argv[2]), "
        "Stylizer('great-wave', steady=True), on_progress=steps.append)\n"
        "print(steps[0].step, film.frames)\n"
    )
    command = [sys.executable, "-c", code, str(clip), str(target)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    parts = tmp_path / f".{target.name}.parts"
    deadline = time.monotonic() + 120
    while not list(parts.glob("*1.npz")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not target.exists()
    begun, count = map(int, subprocess.check_output(command).split())
    assert begun > 4
    assert count == len(frames_of(target)) == 20
    assert sound_of(target) == sound_of(clip)


def test_ctrl_c_leaves_a_film_and_exits_with_130(tmp_path):
    clip = make(tmp_path / "clip.mp4", frames=400, size=(96, 64))
    target = tmp_path / "clip.great-wave.mp4"
    command = [sys.executable, "-m", "impasto", "stylize", str(clip), "-s", "great-wave"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    part = tmp_path / f".{target.name}.parts" / "part.nut"
    deadline = time.monotonic() + 120
    while not part.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "the same command goes on" in said
    assert 0 < len(frames_of(target)) < 400


def test_a_first_part_that_fails_leaves_no_folder(tmp_path, clip, style, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Encoder, "_encode", fail)
    target = tmp_path / "painted.mp4"
    with pytest.raises(OutputError, match="No space left"):
        stylize_film(clip, target, Stylizer(style, steady=True, threads=1))
    assert not list(tmp_path.iterdir())
    assert not workplace.unfinished(target)

"""What is left of a film that is not painted to its end, and how it goes on."""

import errno
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from filming import (
    as_it_is,
    cancelled,
    frames_of,
    make,
    stopped_after,
)
from impasto.errors import (
    Cancelled,
    DeviceError,
    OutputError,
    PictureError,
    PictureLimitError,
    StyleError,
)
from impasto.files.checksums import sha256
from impasto.progress import CancelToken
from impasto.video import pipeline, workplace
from impasto.video.encoding import Encoder
from impasto.video.film import paint
from running import run

av = pytest.importorskip("av")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A film of 20 frames whose painting was stopped after 15: three parts of five."""
    folder = tmp_path_factory.mktemp("stopped")
    clip = make(folder / "clip.mp4", size=(64, 48))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "PART", 5)
        assert copied(clip, folder / "out.mp4", 15).frames == 15
    return clip


def copied(clip, target, count=None, **options):
    """A film made anew without being painted, stopped after so many frames."""
    cancel = CancelToken()

    def stop(progress):
        if count and progress.step >= count:
            cancel.cancel()

    return paint(clip, target, as_it_is(), on_progress=stop, cancel=cancel, **options)


@pytest.fixture
def again(stopped, tmp_path, monkeypatch):
    """The film, a copy of the target, and of the folder of its parts."""
    monkeypatch.setattr(pipeline, "PART", 5)
    shutil.copytree(stopped.parent, tmp_path, dirs_exist_ok=True)
    (tmp_path / "clip.mp4").unlink()
    return stopped, tmp_path / "out.mp4", tmp_path / ".out.mp4.parts"


def test_what_is_left_is_parts_two_states_and_their_list(again):
    clip, target, folder = again
    assert sorted(path.name for path in folder.iterdir()) == [
        *("000000.nut", "000001.npz", "000001.nut", "000002.npz", "000002.nut"),
        *("film.json", "lock"),
    ]
    seen = []
    film = paint(clip, target, as_it_is(), on_progress=seen.append)
    assert (film.frames, film.whole, film.notes, seen[0].step) == (20, True, (), 16)
    assert not folder.exists()


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path):
    path.write_bytes(b"")


def noise(path):
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def pickled(path):
    with path.open("wb") as file:
        np.save(file, np.array([{"x": 1}], object), allow_pickle=True)


def gone(path):
    path.unlink()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def linked(path):
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def folder_instead(path):
    path.unlink()
    (path / "x").mkdir(parents=True)


DAMAGE = [half, flipped, empty, noise, pickled, gone, pipe, device, linked, folder_instead]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    ("name", "first"),
    [("000002.npz", 11), ("000002.nut", 11), ("000001.npz", 16), ("000000.nut", 1)],
)
def test_what_was_damaged_is_painted_again(again, damage, name, first):
    """The last part from the state before it; where there is none, all."""
    clip, target, folder = again
    damage(folder / name)
    seen = []
    film = paint(clip, target, as_it_is(), on_progress=seen.append)
    assert (film.frames, film.whole, seen[0].step) == (20, True, first)
    assert len(frames_of(target)) == 20
    said = ("what was painted before was damaged; it is painted again",)
    assert film.notes == (said if first < 16 else ())
    assert not folder.exists()


LISTS = {
    "nothing": b"", "text": b"film", "null": b"null", "a list": b"[]", "deep": b"[" * 10**5,
    "no parts": b'{"key": 1}', "numbers": b'{"key": 1, "parts": 3, "states": 4, "shown": 5}',
    "a list of lists": b'{"key": "", "parts": [[]], "states": {}, "shown": null}',
    "elsewhere": b'{"key": "", "parts": [{"kind": "/../x", "bytes": 9, "sha256": 0}], '
    b'"states": {}, "shown": null}',
    "not UTF-8": b'{"key": "\xff"}', "half": None,
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_damaged_list_is_none(again, name):
    clip, target, folder = again
    path = folder / "film.json"
    path.write_bytes(path.read_bytes()[:50] if LISTS[name] is None else LISTS[name])
    with pytest.raises(OutputError, match="there already"):
        paint(clip, target, as_it_is())
    film = paint(clip, target, as_it_is(), overwrite=True)
    assert (film.frames, film.whole, len(frames_of(target))) == (20, True, 20)
    assert not folder.exists()


@pytest.mark.parametrize("damage", [pipe, device, folder_instead])
def test_a_list_that_is_no_file_is_none(again, damage):
    clip, target, folder = again
    damage(folder / "film.json")
    film = paint(clip, target, as_it_is(), overwrite=True)
    assert (film.frames, film.whole) == (20, True)
    assert not folder.exists()


def with_state(folder, **changes):
    """The newest state with other arrays, and a list that has its checksum."""
    path = folder / "000002.npz"
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, **changes})
    about = json.loads((folder / "film.json").read_bytes())
    about["states"]["3"] = {"kind": ".npz", "bytes": path.stat().st_size, "sha256": sha256(path)}
    (folder / "film.json").write_text(json.dumps(about))


@pytest.mark.parametrize(
    "changes",
    [
        {"size": np.array(7)}, {"size": np.array(["a", "b"])}, {"frames": np.zeros(4)},
        {"last": np.array("x")}, {"end": np.array([])}, {"clear": np.array(1)},
    ],
)  # fmt: skip
def test_a_state_that_says_something_else_is_not_gone_on_from(again, changes):
    clip, target, folder = again
    with_state(folder, **changes)
    seen = []
    film = paint(clip, target, as_it_is(), on_progress=seen.append)
    assert (film.frames, len(film.notes), seen[0].step) == (20, 1, 11)


@pytest.mark.parametrize(
    "changes",
    [
        {"pixels": np.zeros((3, 3), np.uint8)}, {"pixels": np.zeros((4, 4, 3))},
        {"painting": np.zeros((8, 8, 3), np.float32)}, {"cells": np.zeros((2, 2))},
        {"age": np.array("x")}, {"contrast": np.zeros(3)}, {"now x": np.array(["x"])},
    ],
)  # fmt: skip
def test_the_engine_takes_no_other_state(clip, tmp_path, painter, changes):
    stopped_after(clip, tmp_path / "out.mp4", painter, 3)
    state = painter.steady_engine.state
    painter.steady_engine.state = state
    with pytest.raises((ValueError, TypeError, KeyError)):
        painter.steady_engine.state = {**state, **changes}
    painter.steady_engine.state = {}


def test_two_processes_do_not_paint_one_film(again):
    clip, target, folder = again
    code = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(1)"
    command = [
        sys.executable,
        "-c",
        f"{code}; sys.stdout.flush(); sys.stdin.read()",
        folder / "lock",
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as other:
        other.stdout.readline()
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(OutputError, match=r"being painted by another process - wait for that"):
            paint(clip, target, as_it_is())
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        other.communicate()
    assert paint(clip, target, as_it_is()).frames == 20


def test_a_film_that_is_painted_twice_at_once_is_painted_once(stopped, tmp_path):
    """While one is at it, the next is refused, and leaves its folder alone."""
    target, refused = tmp_path / "out.mp4", []

    def second(progress):
        if progress.step == 3:
            with pytest.raises(OutputError, match="another process") as told:
                paint(stopped, target, as_it_is())
            refused.append(told)

    film = paint(stopped, target, as_it_is(), on_progress=second)
    assert (len(refused), film.frames, len(frames_of(target))) == (1, 20, 20)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_file_of_somebody_else_is_not_replaced_by_what_goes_on(again):
    clip, target, folder = again
    target.write_bytes(b"mine")
    with pytest.raises(OutputError, match="there already"):
        paint(clip, target, as_it_is())
    assert target.read_bytes() == b"mine"
    assert len(list(folder.iterdir())) == 7
    assert paint(clip, target, as_it_is(), overwrite=True).frames == 20


@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
def test_what_is_called_like_the_folder_is_left_alone(stopped, tmp_path, kind):
    way = tmp_path / ".out.mp4.parts"
    if kind == "file":
        way.write_bytes(b"mine")
    elif kind == "pipe":
        os.mkfifo(way)
    else:
        (tmp_path / "elsewhere").mkdir()
        way.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"is in the way - remove it, or rename it"):
        paint(stopped, tmp_path / "out.mp4", as_it_is())
    assert os.path.lexists(way)
    assert not (tmp_path / "out.mp4").exists()


def test_a_name_may_be_as_long_as_names_are(stopped, tmp_path):
    target = tmp_path / f"{'x' * 251}.mp4"
    copied(stopped, target, 5)
    assert workplace.unfinished(target)
    assert copied(stopped, target).frames == 20
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_what_fails_leaves_nothing(stopped, tmp_path, monkeypatch):
    def left(error, **options):
        with pytest.raises(error):
            paint(options.pop("clip", stopped), tmp_path / "out.mp4", as_it_is(), **options)
        return [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]

    monkeypatch.setattr(pipeline, "PART", 5)
    (tmp_path / "no.mp4").write_bytes(stopped.read_bytes()[:400])
    assert not left(PictureError, clip=tmp_path / "no.mp4")
    assert not left(Cancelled, cancel=cancelled())
    assert not left(StyleError, on_progress=raising(StyleError("no"), 12))
    assert not left(PictureLimitError, on_progress=raising(PictureLimitError("no"), 12))
    assert not left(KeyboardInterrupt, on_progress=raising(KeyboardInterrupt, 3))
    # Here there is something to go on with, on another device, or with more memory.
    assert left(DeviceError, on_progress=raising(DeviceError("no"), 12))
    assert left(KeyboardInterrupt, on_progress=raising(KeyboardInterrupt, 12))
    assert paint(stopped, tmp_path / "out.mp4", as_it_is()).frames == 20


def raising(error, step):
    def on_progress(progress):
        if progress.step == step:
            raise error

    return on_progress


def test_a_full_disk_says_how_it_goes_on(stopped, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "PART", 5)
    full = raising(OSError(errno.ENOSPC, "No space left on device"), 12)
    with pytest.raises(OutputError, match=r"No space left.*free.*then the same command goes on"):
        paint(stopped, tmp_path / "out.mp4", as_it_is(), on_progress=full)
    seen = []
    paint(stopped, tmp_path / "out.mp4", as_it_is(), on_progress=seen.append)
    assert seen[0].step == 11


def test_the_command_line_says_what_was_damaged(stopped, tmp_path, monkeypatch):
    command = ("stylize", stopped, "-s", "great-wave-tiny", "-o", tmp_path / "out.mp4")
    real = Encoder.add

    def add(self, pixels, like):
        if like.time > 0.25:
            raise KeyboardInterrupt
        real(self, pixels, like)

    monkeypatch.setattr(pipeline, "PART", 5)
    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "add", add)
        assert run(*command).returncode == 130
    parts = list(tmp_path.glob(".*/*.nut"))
    assert len(parts) == 1
    noise(parts[0])
    done = run(*command, text=True)
    assert (done.returncode, len(frames_of(tmp_path / "out.mp4"))) == (0, 20), done.stderr
    assert "what was painted before was damaged; it is painted again" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]

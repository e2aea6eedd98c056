"""A local Ray: real workers, one of them killed."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import redirect_stdout
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from impasto import assets, catalog, errors, images
from impasto.files import naming
from impasto.files.naming import Task
from impasto.progress import CancelToken, silent
from impasto.stylization import batch, ray_cluster
from impasto.stylization.carried import packed
from impasto.stylization.results import Result
from impasto.video import workplace

pytest.importorskip("ray")


def test_a_batch_on_ray_survives_a_killed_worker_and_does_nothing_twice(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    photo = images.read(assets.demo_photo())
    for number in range(8):
        photo.resized(900 + number).save(photos / f"{number}.png")
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    process = subprocess.Popen(
        [sys.executable, "-m", "impasto", "stylize", str(photos), "-s", "great-wave",
         "-o", str(out), "--ray", "local", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        first = _wait_for(lambda: {path.name: path.stat() for path in out.glob("*.png")}, process)
        victims = _wait_for(lambda: _workers(process.pid), process)  # idle ones have other names
        victims[0].kill()
        told, said = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 1, said  # for the broken one
    assert "oken" not in said  # Ray's own words of authentication
    results = [json.loads(line) for line in told.splitlines()]
    assert len(results) == 9
    failed = [each for each in results if each["status"] == "error"]
    assert [each["input"] for each in failed] == [str(photos / "broken.png")]
    assert "broken.png" in failed[0]["error"]["message"]
    painted = {path.name: path.stat() for path in out.glob("*.png")}
    assert sorted(painted) == [f"{number}.great-wave.png" for number in range(8)]
    for name, before in first.items():
        assert (painted[name].st_ino, painted[name].st_mtime_ns) == (
            before.st_ino, before.st_mtime_ns,
        )  # fmt: skip
    for path in out.glob("*.png"):
        assert images.read(path).width == 900 + int(path.name[0])
    assert not list(out.glob(".*"))


def _wait_for(look, process):
    deadline = time.monotonic() + 240
    while not (found := look()):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def _workers(pid):
    """Return the processes that paint for a Ray that this process has started.

    They are no children of this process. They are those of a daemon, whose command line has the
    number of the session.
    """
    return [
        each
        for daemon in psutil.process_iter(["cmdline"])
        if f"_{pid}/" in " ".join(daemon.info["cmdline"] or ())
        for each in daemon.children()
        if any("_work" in part for part in each.cmdline())
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's, of its own settings
def test_what_ray_says_after_the_last_result_is_no_result_either(tmp_path, capsys, monkeypatch):
    ray = pytest.importorskip("ray")
    stop = ray.shutdown
    monkeypatch.setattr(ray, "shutdown", lambda: (sys.stdout.write("a worker is gone\n"), stop()))
    photo = tmp_path / "photo.png"
    images.read(assets.demo_photo()).resized(64).save(photo)
    settings = batch.Settings()
    task = naming.Task(photo, "great-wave", tmp_path / "painted.png")
    results = ray_cluster.run([task], {"great-wave": catalog.find("great-wave")}, settings)
    assert [result.error for result in results] == [None]
    assert not ray.is_initialized()
    told = capsys.readouterr()
    assert (told.out, "a worker is gone" in told.err) == ("", True)


def test_what_rays_threads_write_is_no_result(capsys):
    with redirect_stdout(ray_cluster._OwnOutput()):
        sys.stdout.write("ours\n")
        other = threading.Thread(target=lambda: sys.stdout.write("theirs\n"))
        other.start()
        other.join()
    assert capsys.readouterr() == ("ours\n", "theirs\n")


def test_a_worker_without_the_device_says_so_of_each_task(tmp_path, style):
    task = naming.Task(assets.demo_photo(), style.name, tmp_path / "x.jpg")
    content = images.content(task.input)
    settings = batch.Settings(device="cuda")
    told, data = ray_cluster._work(task, content, packed(style), settings)
    assert isinstance(told.error, errors.DeviceError)
    assert "this installation has no cuda" in told.error.message
    assert data is None


def test_a_picture_that_kills_its_workers_is_an_error_of_its_own(tmp_path):
    class KilledError(Exception):
        pass

    def get(_):
        raise KilledError

    ray = SimpleNamespace(
        get=get, exceptions=SimpleNamespace(RayError=KilledError, RayTaskError=ValueError)
    )
    task = naming.Task(assets.demo_photo(), "great-wave", tmp_path / "x.jpg")
    told = ray_cluster._result(ray, object(), task, batch.Settings())
    assert "the workers that painted it died, 4 times" in str(told.error)


def test_what_was_sent_before_a_machine_was_lost_is_sent_again_after_a_while(monkeypatch):
    clock = iter([100.0, 105.0, 111.0, 112.0])
    monkeypatch.setattr(ray_cluster, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    alive = {"first": True, "second": True}
    ray = SimpleNamespace(
        nodes=lambda: [{"NodeID": name, "Alive": each} for name, each in alive.items()]
    )
    task, lost = naming.Task(assets.demo_photo(), "great-wave", assets.demo_photo()), {}
    waiting = {"early": ray_cluster._Sent(task, 90.0)}
    assert ray_cluster._stranded(ray, waiting, lost) == []  # all are there
    alive["second"] = False
    assert ray_cluster._stranded(ray, waiting, lost) == []  # Ray may do it itself
    waiting["later"] = ray_cluster._Sent(task, 106.0)
    assert ray_cluster._stranded(ray, waiting, lost) == []
    clock = iter([116.0])
    monkeypatch.setattr(ray_cluster, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert ray_cluster._stranded(ray, waiting, lost) == ["early"]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "[::1]:port"])
def test_a_cluster_that_does_not_answer_is_said_at_once(address, tmp_path, style):
    task = naming.Task(assets.demo_photo(), style.name, tmp_path / "x.jpg")
    with pytest.raises(errors.DeviceError, match=f"no Ray cluster answers at {re.escape(address)}"):
        next(ray_cluster.run([task], {style.name: style}, batch.Settings(), address=address))


def test_a_film_travels_whole(tmp_path, style):
    filming, settings = pytest.importorskip("filming"), batch.Settings()
    filmed = filming.make(tmp_path / "clip.mp4", frames=3, size=(64, 48))
    task = naming.Task(filmed, style.name, tmp_path / "painted.mp4", free=True)
    result, data = ray_cluster._work(task, filmed.read_bytes(), packed(style), settings)
    assert (result.error, result.task) == (None, task)
    assert hashlib.sha256(data).hexdigest() == result.sha256
    travelled, here = tmp_path / "travelled.mp4", task.output
    travelled.write_bytes(data)
    expected = batch.film(task, style, settings, silent, CancelToken())
    assert (expected.task, expected.notes) == (task, result.notes)
    assert filming.sound_of(travelled) == filming.sound_of(here)
    assert np.array_equal(filming.times_of(travelled), filming.times_of(here))
    # not by bytes: where x264 looks ahead, the same frames may get other ones
    assert np.abs(filming.pixels_of(travelled) - filming.pixels_of(here)).mean() < 1
    broken, nothing = ray_cluster._work(task, b"no film", packed(style), settings)
    assert str(filmed) in str(broken.error)
    assert nothing is None


def test_a_film_that_was_begun_here_goes_on_here(tmp_path, style, monkeypatch):
    filming = pytest.importorskip("filming")
    filmed = filming.make(tmp_path / "clip.mp4", frames=3, size=(64, 48))
    task, painted = naming.Task(filmed, style.name, tmp_path / "painted.mp4"), []
    monkeypatch.setattr(workplace, "unfinished", lambda target: target == task.output)
    monkeypatch.setattr(batch, "film", lambda *given: painted.append(given[:2]) or Result(task))
    results = ray_cluster.run([task], {style.name: style}, batch.Settings(), address="127.0.0.1:1")
    assert [each.status for each in results] == ["done"]  # no cluster is asked for
    assert painted == [(task, style)]


def test_a_damaged_style_ends_it_before_a_cluster_is_asked_for(tmp_path, style):
    ray = pytest.importorskip("ray")
    broken = shutil.copytree(style.folder, tmp_path / "broken")
    (broken / "style.onnx").write_bytes(style.model()[:-1])
    task = Task(assets.demo_photo(), style.name, tmp_path / "x.jpg")
    with pytest.raises(errors.StyleError, match="is damaged"):
        next(ray_cluster.run([task], {style.name: catalog.find(broken)}, batch.Settings()))
    assert not ray.is_initialized()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user who has told Ray nothing of authentication."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def authentication():
    return os.environ.get("RAY_AUTH_MODE"), os.environ.get("RAY_AUTH_TOKEN")


def test_a_ray_of_this_machine_has_a_token_of_its_own_that_is_not_kept(home):
    ray_cluster.authenticate("local")
    mode, token = authentication()
    assert (mode, len(token)) == ("token", 64)
    assert not list(home.iterdir())


def test_a_token_of_the_user_is_given_to_a_cluster(home):
    ray_cluster.authenticate("10.0.0.1:6379")
    assert authentication() == (None, None)
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("0" * 64)
    ray_cluster.authenticate("10.0.0.1:6379")
    assert authentication() == ("token", None)


def test_a_mode_that_is_set_stays(home, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    ray_cluster.authenticate("local")
    assert authentication() == ("disabled", "0" * 64)

"""A local Ray: real workers, one of them killed."""

import json
import shutil
import subprocess
import sys
import threading
import time
from contextlib import redirect_stdout

import psutil
import pytest

from impasto import assets, catalog, errors, images
from impasto.files import paths
from impasto.files.paths import Task
from impasto.inference import runtimes
from impasto.stylization import batch, ray_cluster

pytest.importorskip("ray")
pytest.importorskip("pyarrow")


def test_a_batch_on_ray_survives_a_killed_worker_and_does_nothing_twice(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    photo = images.read(assets.demo_photo())
    for number in range(8):
        photo.resized(900 + number).save(photos / f"{number}.png")
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    process = subprocess.Popen(
        [sys.executable, "-m", "impasto", "stylize", str(photos), "-s", "great-wave",
         "-o", str(out), "--ray", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        first = _wait_for(lambda: {path.name: path.stat() for path in out.glob("*.png")}, process)
        victims = _workers(process.pid)
        assert victims
        victims[0].kill()
        told, said = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 1, said  # for the broken one
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
    """The processes that paint for a Ray which this process has started; they are no children
    of its own, but of a daemon in whose command line the session is named by its number."""
    return [
        each
        for daemon in psutil.process_iter(["cmdline"])
        if f"_{pid}/" in " ".join(daemon.info["cmdline"] or ())
        for each in daemon.children()
        if any("MapWorker" in part or "_Worker" in part for part in each.cmdline())
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's, of its own settings
def test_what_ray_says_after_the_last_result_is_no_result_either(tmp_path, capsys, monkeypatch):
    ray = pytest.importorskip("ray")
    stop = ray.shutdown
    monkeypatch.setattr(ray, "shutdown", lambda: (sys.stdout.write("a worker is gone\n"), stop()))
    photo = tmp_path / "photo.png"
    images.read(assets.demo_photo()).resized(64).save(photo)
    settings = batch.Settings()
    task = paths.Task(photo, "great-wave", tmp_path / "painted.png")
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


@pytest.mark.parametrize(
    "error",
    [
        errors.MissingExtraError("video", "PyAV"),
        errors.DeviceError("no cuda", hint="use cpu"),
        errors.PictureError("bad"),
    ],
)
def test_errors_of_workers_are_told_as_they_were(error):
    task = paths.Task(assets.demo_photo(), "great-wave", assets.demo_photo())
    told = ray_cluster._result_of(task, ray_cluster._row(batch.Result(task, error=error))).error
    assert type(told) is type(error)
    assert (str(told), told.exit_code) == (str(error), error.exit_code)


def test_a_worker_without_memory_is_an_error_of_the_device():
    task = paths.Task(assets.demo_photo(), "great-wave", assets.demo_photo())
    row = ray_cluster._row(batch.Result(task, error=runtimes.OutOfMemoryError("no room")))
    told = ray_cluster._result_of(task, row).error
    assert (type(told), told.message) == (errors.DeviceError, "no room")


def test_a_worker_without_the_device_says_so_of_each_task(tmp_path):
    style = catalog.find("great-wave")
    task = paths.Task(assets.demo_photo(), style.name, tmp_path / "x.jpg")
    worker = ray_cluster._Worker([task], {style.name: style}, batch.Settings(device="cuda"))
    told = ray_cluster._result_of(task, worker({"number": 0}))
    assert isinstance(told.error, errors.DeviceError)
    assert "this installation has no cuda" in told.error.message


def test_a_damaged_style_ends_it_before_a_cluster_is_asked_for(tmp_path, style):
    ray = pytest.importorskip("ray")
    broken = shutil.copytree(style.folder, tmp_path / "broken")
    (broken / "style.onnx").write_bytes(style.model()[:-1])
    task = Task(assets.demo_photo(), style.name, tmp_path / "x.jpg")
    with pytest.raises(errors.StyleError, match="is damaged"):
        next(ray_cluster.run([task], {style.name: catalog.find(broken)}, batch.Settings()))
    assert not ray.is_initialized()

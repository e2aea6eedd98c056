"""No library below sends or keeps usage data: empty homes stay empty, and no socket is opened."""

import json
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import httpx
import pytest

import offline
from impasto import telemetry
from impasto.inference import runtimes

PLACES = {
    name: name.lower()
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
}
SENDS = tuple(map(int, metadata.version("onnxruntime").split(".")[:2])) >= (1, 29)


@pytest.fixture
def env():
    """Of somebody who has never run anything, and has switched nothing off."""
    variables = {variable for variable, _ in telemetry.VARIABLES.values()}
    env = {k: v for k, v in os.environ.items() if k not in {*variables, "CI", "DO_NOT_TRACK"}}
    with tempfile.TemporaryDirectory() as folder:  # a short name, for sockets that lie there
        for variable, name in PLACES.items():
            Path(folder, name).mkdir()
            env[variable] = f"{folder}/{name}"
        yield env


def left(env):
    """The files in the places of a user."""
    return [
        str(path)
        for variable in PLACES
        for path in Path(env[variable]).rglob("*")
        if path.is_file()
    ]


def guarded(*command, env, cwd):
    return subprocess.run(
        [sys.executable, *map(str, command)], preexec_fn=offline.no_sockets,
        env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@offline.needed
def test_the_guard_kills_and_the_places_are_looked_at(env, tmp_path):
    """What the tests below would see of a runtime that is not held back."""
    done = guarded("-c", "import socket; socket.socket()", env=env, cwd=tmp_path)
    assert done.returncode == offline.KILLED
    ask = "import socket; socket.getaddrinfo('example.org', 80)"
    done = subprocess.run([sys.executable, "-c", ask], preexec_fn=offline.no_names, check=False)
    assert done.returncode == offline.KILLED
    if SENDS:
        guarded("-c", "import onnxruntime", env=env, cwd=tmp_path)
        assert any("deviceid" in path for path in left(env))


@offline.needed
def test_painting_pictures_and_films_keeps_and_sends_nothing(env, folder):
    pytest.importorskip("av")
    _film(folder / "b.mkv")
    done = guarded(
        *("-m", "impasto", "stylize", "a.jpg", "b.mkv", "-s", "great-wave-tiny"),
        env=env, cwd=folder,
    )  # fmt: skip
    assert (done.returncode, left(env)) == (0, []), done.stderr


def _film(path):
    import av

    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            film.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        film.mux(stream.encode())


@offline.needed
def test_the_runtimes_and_their_tools_keep_and_send_nothing(env, tmp_path):
    """What trainings, quantizing and OpenVINO import."""
    pytest.importorskip("onnx")
    pytest.importorskip("openvino")
    code = """
from impasto import catalog
from impasto.inference import runtimes
runtimes.quantization()
runtimes.start(catalog.find("great-wave").loaded(), "openvino")
"""
    done = guarded("-c", code, env=env, cwd=tmp_path)
    assert (done.returncode, left(env)) == (0, []), done.stderr


@offline.needed
def test_the_service_and_its_painters_keep_and_send_nothing(env, tmp_path, jpeg):
    pytest.importorskip("fastapi")
    command = [sys.executable, "-m", "impasto", "serve", "--port", "0", "--painters", "1"]
    env["IMPASTO_STATE"] = "state"
    with subprocess.Popen(
        command, preexec_fn=offline.no_names,  # noqa: PLW1509 - it calls the kernel alone
        env=env, cwd=tmp_path, stderr=subprocess.PIPE,
    ) as service:  # fmt: skip
        try:
            address = service.stderr.readline().decode().split()[0]
            answer = httpx.post(f"{address}v1/stylize?style=udnie", content=jpeg, timeout=60)
            assert (answer.status_code, service.poll()) == (200, None), answer.text
        finally:
            service.terminate()
    assert (service.returncode, left(env)) == (143, [])


@pytest.fixture
def jpeg(photo):
    return photo.encode("JPEG")


def test_what_was_imported_before_is_told_to_send_nothing(monkeypatch):
    import onnxruntime

    told = []
    monkeypatch.setattr(onnxruntime, "disable_telemetry_events", lambda: told.append("nothing"))
    runtimes._onnxruntime.cache_clear()
    runtimes.available()
    runtimes.available()
    assert told == ["nothing"]


def test_the_report_says_what_is_not_off(tmp_path, env):
    code = "import impasto.telemetry, json; print(json.dumps(impasto.telemetry.report()))"

    def report(before="", after=""):
        done = guarded("-c", f"{before}\n{after}{code}", env=env, cwd=tmp_path)
        return json.loads(done.stdout)

    assert set(report().values()) == {"off"}
    assert set(report()) == {*telemetry.VARIABLES, "openvino"}
    early = report("import sys, types; sys.modules['ray'] = types.ModuleType('ray')")
    assert early["ray"] == (
        "on: it was imported before impasto; start the program with RAY_USAGE_STATS_ENABLED=0"
    )
    assert early["onnxruntime"] == "off"
    env["RAY_USAGE_STATS_ENABLED"] = "0"
    assert report("import sys; sys.modules['ray'] = sys")["ray"] == "off"
    vino = report("import sys; sys.modules['openvino_telemetry'] = sys")["openvino"]
    assert vino == "on: it was imported before impasto; import impasto first"
    late = report(after="import impasto, os; os.environ['ORT_DISABLE_TELEMETRY'] = '0'; ")
    assert late["onnxruntime"] == (
        "on: ORT_DISABLE_TELEMETRY was changed after impasto was imported"
    )

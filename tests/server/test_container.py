"""The container's files: linted, and their commands run as the engine would run them."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from impasto import telemetry
from serving import Service, command, until

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"


def instructions():
    """Keyword and rest of each instruction, lines that go on joined."""
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def variables():
    """What ENV sets."""
    (text,) = (rest for keyword, rest in instructions() if keyword == "ENV")
    return dict(part.split("=", 1) for part in text.split())


def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def test_hadolint_finds_nothing():
    program = shutil.which("hadolint") or str(Path(sys.executable).with_name("hadolint"))
    if not Path(program).exists():
        pytest.skip("needs hadolint")
    arguments = [program, str(DOCKERFILE)]
    found = subprocess.run(arguments, check=False, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def test_it_runs_as_nobody_special_and_takes_no_more_than_it_needs():
    words = [keyword for keyword, _ in instructions()]
    assert words.index("USER") < words.index("CMD")
    assert not [rest for keyword, rest in instructions() if keyword == "ADD"]
    taken = (ROOT / ".dockerignore").read_text().split()
    assert taken[0] == "*"
    for keyword, rest in instructions():
        if keyword == "COPY" and "--from" not in rest:
            for name in rest.split()[:-1]:
                assert (ROOT / name).exists()
                assert f"!{name}" in taken
    for service in ("web", "worker"):
        told = compose()[service]
        assert told["read_only"]
        assert told["cap_drop"] == ["ALL"]


def test_usage_data_are_off_for_whatever_runs_in_the_image():
    assert dict(telemetry.VARIABLES.values()).items() <= variables().items()


def test_the_image_serves_and_finds_itself_healthy(tmp_path):
    """Its own command, health check and variables; only the port and the folder are ours."""
    start = json.loads(dict(instructions())["CMD"])
    check = json.loads(dict(instructions())["HEALTHCHECK"].split("CMD", 1)[1])
    assert start == ["impasto", "serve"]
    env = variables() | {"IMPASTO_TOKEN": "secret", "IMPASTO_CACHE": str(tmp_path / "cache")}
    service = Service(tmp_path, env=env.items())
    try:
        service.ready()
        assert service.url.startswith("http://0.0.0.0:")
        port = service.url.rsplit(":", 1)[1]
        env |= {"IMPASTO_PORT": port}
        with command(*check[1:], env=env.items()) as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
    finally:
        assert service.stop(signal.SIGTERM) == 143


def test_without_a_token_the_image_does_not_start(tmp_path):
    env = variables() | {"IMPASTO_STATE": str(tmp_path), "IMPASTO_PORT": "0"}
    with command(*json.loads(dict(instructions())["CMD"])[1:], env=env.items()) as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "IMPASTO_TOKEN" in said
    assert "IMPASTO_TOKEN" in compose()["web"]["environment"]


def test_the_services_of_compose_work_together(redis, tmp_path, jpeg):
    """Its commands and variables, with our Redis in place of the name that only it knows."""
    told = compose()

    def settings(name):
        env = variables() | told[name].get("environment", {})
        env |= {"IMPASTO_REDIS": redis, "IMPASTO_CACHE": str(tmp_path / "cache")}
        return (env | {"IMPASTO_TOKEN": "secret"}).items()

    assert told["web"]["environment"]["IMPASTO_REDIS"] == "redis://redis:6379/0"
    assert told["web"]["command"] == ["impasto", "serve"]
    assert told["worker"]["deploy"]["replicas"] == 2
    workers = [command(*told["worker"]["command"][1:], env=settings("worker")) for _ in range(2)]
    service = Service(tmp_path, env=settings("web"))
    try:
        service.http.headers["Authorization"] = "Bearer secret"
        service.ready()
        location = service.submit(jpeg, style="udnie", size="64").headers["location"]
        until(lambda: service.job(location)["state"] == "done")
    finally:
        service.stop()
        for process in workers:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
            assert process.returncode == 0

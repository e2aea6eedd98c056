"""The application: what it needs to start, and what it answers when something is away."""

import errno
import sqlite3

import pytest
from fastapi.testclient import TestClient

from impasto.errors import DeviceError, OptionError
from impasto.files import atomic
from impasto.inference import runtimes
from impasto.options import ServeOptions
from impasto.server.app import create_app
from problems import assert_problem
from serving import until


def test_an_address_that_is_not_there_is_a_problem(service):
    assert_problem(service.http.get("/v2/stylize"), 404, "NotFound", "not found")
    assert_problem(service.http.get("/v1/stylize"), 405, "MethodNotAllowed", "not allowed")
    assert_problem(service.http.get("/v1/styles/nothing/preview"), 404, "NotFound", "no such style")
    assert_problem(service.http.get("/v1/styles/..%2fudnie/preview"), 404, "NotFound", "")


def test_a_device_that_cannot_paint_is_said_before_the_start():
    with pytest.raises(OptionError, match="there is no device 'gpu'"):
        create_app(ServeOptions(device="gpu"))
    if "coreml" in runtimes.available():
        pytest.skip("has Core ML")
    with pytest.raises(DeviceError, match="this installation has no coreml"):
        create_app(ServeOptions(device="coreml"))


def test_a_device_that_does_not_start_is_told_by_readyz(tmp_path, monkeypatch):
    if "coreml" in runtimes.available():
        pytest.skip("has Core ML")
    monkeypatch.setattr(runtimes, "require", lambda _: None)  # as if it had been built for it
    with TestClient(create_app(ServeOptions(device="coreml", state=str(tmp_path)))) as client:
        until(lambda: client.app.state.painters.trouble)
        answer = client.get("http://127.0.0.1/readyz")
    assert answer.status_code == 503
    assert "it cannot paint: " in answer.json()["detail"]
    assert "coreml" in answer.json()["detail"]


def test_jobs_that_cannot_be_reached_are_asked_for_again(tmp_path, monkeypatch):
    app = create_app(ServeOptions(state=str(tmp_path)))

    def locked(_):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(app.state.jobs, "get", locked)
    client = TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)
    found = client.get("/v1/jobs/x")
    assert (found.status_code, found.headers["retry-after"]) == (503, "2")
    assert found.json()["detail"] == "the jobs cannot be reached"


def test_a_full_disk_is_told_without_its_place(tmp_path, jpeg, monkeypatch):
    app = create_app(ServeOptions(state=str(tmp_path)))

    def full(path, *_, **__):
        raise atomic.refused(path, OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr(atomic, "write", full)
    client = TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)
    found = client.post("/v1/jobs", files={"image": jpeg}, data={"style": "udnie"})
    assert (found.status_code, found.headers["retry-after"]) == (503, "2")
    assert str(tmp_path) not in found.text
    assert not app.state.jobs.all()

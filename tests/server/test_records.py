"""Records that are damaged, or of another version: left out and said, and nobody is refused."""

import json

import pytest
from fastapi.testclient import TestClient

from impasto.options import ServeOptions
from impasto.server import records
from impasto.server.app import create_app
from impasto.server.records import Job, Told
from kept import new

WHOLE = json.loads(records.encoded(Job("x", "stylize", "udnie")))
ERROR = {"type": "about:blank", "title": "", "status": 422, "detail": "", "hint": "", "code": ""}


def changed(**values):
    return json.dumps(WHOLE | values).encode()


DAMAGED = {
    "empty": b"",
    "zeros": bytes(100),
    "no-json": b"{",
    "no-utf8": b'{"id": "\xff"}',
    "a-pickle": b"\x80\x04\x95",
    "a-list": b"[]",
    "a-number": b"5",
    "nothing": b"null",
    "deep": b'{"id": "x", "options": ' + b"[" * 100_000,
    "another-version": changed(priority=5),
    "of-another-job": changed(id="y"),
    "no-name": changed(id="../../x"),
    "no-kind": b'{"id": "x"}',
    "another-kind": changed(kind="sculpture"),
    "another-state": changed(state="paused"),
    "a-text-for-a-number": changed(created="yesterday"),
    "nan": changed(created=float("nan")),
    "infinite": b'{"id": "x", "kind": "stylize", "created": 1e999}',
    "long": b'{"id": "x", "kind": "stylize", "attempt": 1' + b"0" * 10_000 + b"}",
    "a-number-for-a-text": changed(style=5),
    "a-list-for-options": changed(options=[]),
    "an-error-that-is-none": changed(state="failed", error={"detail": 5}),
    "a-text-for-an-error": changed(state="failed", error="it failed"),
    "surrogate": b'{"id": "x", "kind": "stylize", "style": "\\ud800"}',
}


def test_a_job_is_read_as_it_was_written():
    job = Job("x", "optimize", options={"size": 64, "layers": ["a"]}, created=1.5, error=ERROR)
    assert records.job("x", records.encoded(job)) == job
    assert records.job("x", memoryview(records.encoded(job))) == job


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_no_record_of_the_job_is_a_value_error(name):
    with pytest.raises(ValueError) as error:
        records.job("x", DAMAGED[name])
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("kept", ["text", 5, None])
def test_what_no_record_is_kept_as_is_a_value_error(kept):
    with pytest.raises(ValueError, match="not what was written"):
        records.job("x", kept)


@pytest.fixture
def damaged(jobs):
    """Jobs among which all of these lie, and one that is whole."""
    for name, data in DAMAGED.items():
        jobs._records.put_data(name, data)
        jobs._records.enqueue(name.encode())
    jobs._records.enqueue(b"\xff\xfe")
    return jobs


def test_damaged_records_are_left_out_and_each_is_said_once(damaged, logged):
    job = new(damaged)
    for _ in range(3):
        damaged.tidy()
        assert damaged.all() == [job]
    assert len(logged) == len(DAMAGED)
    said = "the record of a job is left out: 'another-version': priority: "
    assert [line for line in logged if line.startswith(said)]
    assert next(filter(None, (damaged.take() for _ in range(99)))).id == job.id
    with pytest.raises(Exception, match="no such job"):
        damaged.get("another-version")
    assert damaged._records.peek_data("another-version") == DAMAGED["another-version"]


def test_no_answer_is_a_fault_of_damaged_records(damaged, options, jpeg):
    app = create_app(ServeOptions(**options))
    app.state.metrics.watch(None, app.state.jobs)
    client = TestClient(app, "http://127.0.0.1")
    sent = {"files": {"image": jpeg}, "data": {"style": "udnie"}}
    accepted = client.post("/v1/jobs", **sent)
    assert (accepted.status_code, accepted.json()["ahead"]) == (202, 0)
    location = accepted.headers["location"]
    assert client.get(location).json()["state"] == "queued"
    for name in DAMAGED:
        for path in (f"/v1/jobs/{name}", f"/v1/jobs/{name}/result", f"/v1/jobs/{name}/events"):
            assert client.get(path).status_code == 404
        assert client.delete(f"/v1/jobs/{name}").status_code == 404
    assert client.delete(location).json()["state"] == "cancelled"
    app.state.jobs.close()


TOLD = {
    "no-json": b"{",
    "a-list": b"[1]",
    "nan": b'{"step": 1, "losses": {"content": NaN}}',
    "a-text": b'{"step": "one"}',
    "another-version": b'{"step": 1, "eta": 5}',
    "deep": b'{"losses": ' + b'{"a":' * 10_000,
}


@pytest.mark.parametrize("name", TOLD)
def test_what_was_told_and_cannot_be_read_is_nothing_yet(jobs, name):
    job = new(jobs)
    jobs.mark(job.id, "progress", TOLD[name])
    status = jobs.status(job)
    assert (status["step"], status["total"], status["losses"]) == (0, 0, {})
    assert status["preview"] is None
    jobs.mark(job.id, "progress", b'{"step": 1, "total": 2, "losses": {"tv": 3}, "shown": 1}')
    assert (jobs.status(job)["step"], jobs.status(job)["losses"]) == (1, {"tv": 3.0})
    assert records.told(b"{}") == Told()


@pytest.mark.parametrize("beat", [b"", b"now", b"nan", b"inf", b"\xff", None])
def test_a_beat_that_cannot_be_read_is_none(beat):
    assert records.moment(beat) == -float("inf")
    assert records.moment(b"1.5") == 1.5

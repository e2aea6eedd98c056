"""Long work: kept, taken, cancelled, brought back, in SQLite and in a real Redis."""

import io
import json
import re
import time

import pytest

from impasto.options import ServeOptions
from impasto.server.jobs import LOST, Jobs
from impasto.server.problems import Refusal
from impasto.server.records import Job
from kept import keep, kept, new


def test_a_job_is_taken_once_done_and_forgotten(jobs, monkeypatch):
    job = new(jobs)
    assert len(job.id) >= 22
    assert jobs.get(job.id) == job
    taken = jobs.take()
    assert (taken.id, taken.state, dict(taken.options)) == (job.id, "running", {"size": 64})
    assert jobs.take() is None
    assert jobs.part(job.id, "image").read() == b"image"
    assert keep(jobs, job, b"painted") == 7
    ended = jobs.end(taken, "done", media_type="image/png", bytes=7)
    assert jobs.result(jobs.get(job.id)).read() == b"painted"
    with pytest.raises(Refusal, match="the image is gone"):
        jobs.part(job.id, "image")
    jobs.tidy()
    assert jobs.get(job.id) == ended
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(Refusal, match="no such job"):
        jobs.get(job.id)
    jobs.tidy()
    assert not jobs.all()
    assert not jobs._marks.result_items()
    assert not jobs._parts.ids()


def test_jobs_come_in_their_order_and_so_many_wait(jobs):
    made = [new(jobs) for _ in range(3)]
    with pytest.raises(Refusal, match="3 jobs are waiting already") as refused:
        new(jobs)
    assert refused.value.http_status == 429
    assert [jobs.status(job)["ahead"] for job in made] == [0, 1, 2]
    assert [jobs.take().id for _ in made] == [job.id for job in made]


def test_a_waiting_job_is_cancelled_at_once_and_never_done(jobs):
    job = new(jobs)
    assert jobs.cancel(job.id).state == "cancelled"
    assert jobs.take() is None
    with pytest.raises(Refusal, match="cancelled"):
        jobs.result(jobs.get(job.id))


def test_a_running_job_is_marked_and_a_done_one_loses_its_result(jobs):
    job = new(jobs)
    taken = jobs.take()
    assert jobs.cancel(job.id).state == "running"
    assert jobs.cancelled(job.id)
    keep(jobs, job, b"painted")
    jobs.end(taken, "done", media_type="image/png", bytes=7)
    assert kept(jobs, job) == {"result"}
    assert jobs.cancel(job.id).state == "cancelled"
    assert not kept(jobs, job)


def test_what_a_dead_worker_had_is_done_again_but_not_for_ever(jobs, monkeypatch):
    job, now = new(jobs), time.time()
    for attempt in range(3):
        taken = jobs.take()
        assert (taken.id, taken.attempt) == (job.id, attempt)
        jobs.tidy()
        assert jobs.get(job.id).state == "running"  # it has just given a sign of life
        now += LOST + 1
        monkeypatch.setattr(time, "time", lambda now=now: now)
        jobs.tidy()
        jobs.tidy()  # as every service and every worker does
    lost = jobs.get(job.id)
    assert (lost.state, jobs.take()) == ("failed", None)
    assert "died 3 times" in lost.error["detail"]


def test_what_belongs_to_no_job_is_deleted_after_a_while(jobs, monkeypatch):
    """Of one that died before it wrote the job's record."""
    job = new(jobs)
    jobs.keep("nobody", "image", io.BytesIO(b"a photograph"))
    jobs.tidy()
    assert jobs._parts.ids() == {job.id, "nobody"}  # it may be writing the record at this moment
    later = time.monotonic() + 601
    monkeypatch.setattr(time, "monotonic", lambda: later)
    jobs.tidy()
    assert jobs._parts.ids() == {job.id}
    assert jobs.part(job.id, "image").read() == b"image"


def test_what_cannot_be_kept_is_no_job(jobs):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise OSError("it cannot be read")

    for sent in ({"image": Broken()}, {"image": io.BytesIO(b"image"), "painting": Broken()}):
        with pytest.raises(Exception, match="cannot be read"):
            jobs.submit(Job("", "optimize"), **sent)
    assert (jobs.all(), jobs._parts.ids()) == ([], set())


def test_a_job_whose_taker_died_before_it_said_so_is_queued_again(jobs):
    job = new(jobs)
    assert bytes(jobs._records.dequeue()).decode() == job.id
    jobs.tidy()
    assert jobs.take().id == job.id


def test_a_job_whose_taker_died_between_claim_and_word_is_queued_again(jobs, monkeypatch):
    job = new(jobs)
    with monkeypatch.context() as dies, pytest.raises(KeyboardInterrupt):
        dies.setattr(jobs, "_put", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        jobs.take()
    jobs.tidy()
    assert jobs.take() is None  # it may be writing it at this moment
    now = time.time() + LOST + 1
    monkeypatch.setattr(time, "time", lambda: now)
    jobs.tidy()
    again = jobs.take()
    assert (again.id, again.attempt) == (job.id, 1)


def test_a_worker_that_was_cut_off_no_longer_owns_its_job(jobs, monkeypatch):
    new(jobs)
    mine = jobs.take()
    assert jobs.owns(mine)
    now = time.time() + LOST + 1
    monkeypatch.setattr(time, "time", lambda: now)
    jobs.tidy()
    assert not jobs.owns(mine)
    theirs = jobs.take()
    assert (jobs.owns(mine), jobs.owns(theirs)) == (False, True)
    jobs.end(theirs, "done")
    assert not jobs.owns(theirs)
    jobs._forget(theirs)
    assert not jobs.owns(theirs)


def test_what_is_given_back_is_done_by_another(jobs):
    job = new(jobs)
    jobs.release(jobs.take())
    assert jobs.get(job.id).state == "queued"
    again = jobs.take()
    assert (again.id, again.attempt) == (job.id, 0)


def test_the_oldest_results_go_when_there_are_too_many(options):
    jobs = Jobs(ServeOptions(**options, results=10))
    made = []
    for _ in range(3):
        job = new(jobs)
        keep(jobs, job, b"12345")
        made.append(jobs.end(jobs.take(), "done", bytes=5))
        time.sleep(0.01)
    jobs.tidy()
    assert [job.id for job in jobs.all()] == [job.id for job in made[1:]]
    assert jobs._parts.ids() == {job.id for job in made[1:]}
    jobs.close()


def test_nothing_that_is_kept_is_a_pickle(jobs):
    new(jobs)
    (record,) = jobs._records.result_items().values()
    assert json.loads(bytes(record))["style"] == "udnie"
    assert re.fullmatch(rb"[\w-]+", bytes(jobs._records.enqueued_items()[0]))

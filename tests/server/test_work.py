"""Doing jobs: what becomes of one whose process ends, dies, is stopped or gets no memory."""

import errno
import io
import json
import operator
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impasto import images
from impasto.files import atomic
from impasto.options import ServeOptions
from impasto.server import work
from impasto.server.jobs import Jobs
from impasto.server.records import Job
from impasto.server.work import format_of, kind_of, kinds
from kept import film, kept, new


def test_what_failed_unexpectedly_is_done_again_but_not_for_ever(tmp_path, monkeypatch):
    options = ServeOptions(state=str(tmp_path))
    jobs = Jobs(options)
    job = new(jobs)
    monkeypatch.setattr(work, "_perform", operator.index)  # a TypeError, in the job's process
    for attempt in range(3):
        taken = jobs.take()
        assert taken.attempt == attempt
        work.Worker(options)._do(jobs, taken)
    assert "died 3 times" in jobs.get(job.id).error["detail"]
    assert jobs.take() is None
    jobs.close()


def ends_as_it_is_cancelled(options, job, folder):
    """As a job's process that has written its result when the client cancels the job."""
    jobs = Jobs(options)
    jobs.keep(job.id, "result", io.BytesIO(b"painted"))
    told = {"state": "done", "media_type": "image/png", "bytes": 7}
    atomic.write(Path(folder, work._OUTCOME), json.dumps(told).encode())
    jobs.cancel(job.id)


def is_cancelled_before_it_ends(options, job, folder):
    """As one that is stopped between its result and the word that it is done."""
    jobs = Jobs(options)
    jobs.keep(job.id, "result", io.BytesIO(b"painted"))
    jobs.cancel(job.id)
    time.sleep(60)


def is_cut_off(options, job, folder):
    """As one whose worker was silent for so long that another one has done the job meanwhile."""
    jobs = Jobs(options)
    jobs.end(replace(job, attempt=1), "done", media_type="image/jpeg")
    told = {"state": "failed", "error": {"detail": "too late"}}
    atomic.write(Path(folder, work._OUTCOME), json.dumps(told).encode())
    time.sleep(60)


def done_by(perform, options, monkeypatch):
    """What becomes of a job whose process does ``perform``."""
    options = ServeOptions(**options)
    jobs = Jobs(options)
    job = new(jobs)
    monkeypatch.setattr(work, "_perform", perform)
    work.Worker(options)._do(jobs, jobs.take())
    monkeypatch.undo()
    assert not Path(tempfile.gettempdir(), f"impasto-{job.id}").exists()
    return jobs, jobs.get(job.id)


def test_a_job_that_was_done_when_it_was_cancelled_is_done(options, monkeypatch):
    jobs, job = done_by(ends_as_it_is_cancelled, options, monkeypatch)
    assert (job.state, kept(jobs, job)) == ("done", {"result"})
    assert jobs.result(job).read() == b"painted"
    assert jobs.cancel(job.id).state == "cancelled"
    assert not jobs._parts.ids()
    jobs.close()


def test_a_job_that_another_worker_has_done_meanwhile_stays_as_that_has_left_it(
    options, monkeypatch
):
    jobs, job = done_by(is_cut_off, options, monkeypatch)
    assert (job.state, job.media_type, job.error) == ("done", "image/jpeg", None)
    jobs.close()


def test_a_job_that_is_cancelled_before_it_is_done_leaves_nothing(options, monkeypatch):
    jobs, job = done_by(is_cancelled_before_it_ends, options, monkeypatch)
    assert (job.state, jobs._parts.ids()) == ("cancelled", set())
    jobs.close()


def starved(options, job, folder):
    """As a job's process for which memory ends: numpy's, torch's."""
    import torch

    from impasto.studio.optimization import optimize
    from impasto.stylization.stylizer import Stylizer

    Stylizer.film = images.encode = lambda *_, **__: np.empty(1 << 60, np.uint8)
    optimize.optimize = lambda *_, **__: torch.empty(1 << 60, dtype=torch.uint8)
    work._perform(options, job, folder)


def tells_its_niceness(options, job, folder):
    """As a job's process, which says how it gives way."""
    work.making.made = lambda *_: {"state": "done", "notes": [str(os.nice(0))]}
    work._perform(options, job, folder)


@pytest.mark.skipif(not hasattr(os, "nice"), reason="needs a system with niceness")
def test_what_takes_minutes_gives_way_to_all_others(tmp_path, jpeg, monkeypatch):
    options = ServeOptions(state=str(tmp_path / "jobs"))
    jobs = Jobs(options)
    monkeypatch.setattr(work, "_perform", tells_its_niceness)
    found = []
    for kind in ("stylize", "polish"):
        jobs.submit(Job("", kind, "udnie"), image=io.BytesIO(jpeg))
        job = jobs.take()
        work.Worker(options)._do(jobs, job)
        found.append(int(jobs.get(job.id).notes[0]))
    own = os.nice(0)
    assert found == [min(19, own + 5), min(19, own + 10)]
    jobs.close()


@pytest.mark.parametrize("kind", ["stylize", "film", "optimize"])
def test_a_job_for_which_memory_ends_fails_at_once(tmp_path, jpeg, monkeypatch, kind):
    options = ServeOptions(state=str(tmp_path / "jobs"))
    jobs = Jobs(options)
    sent = {"image": film(tmp_path / "clip.mp4", 2) if kind == "film" else jpeg}
    sent |= {"painting": jpeg} if kind == "optimize" else {}
    format = "mp4" if kind == "film" else ""
    job = Job("", kind, "" if kind == "optimize" else "udnie", format, {"size": 64})
    job = jobs.submit(job, **{name: io.BytesIO(data) for name, data in sent.items()})
    monkeypatch.setattr(work, "_perform", starved)
    work.Worker(options)._do(jobs, jobs.take())
    failed = jobs.get(job.id)
    what = "film" if kind == "film" else "picture"
    assert (failed.state, failed.attempt, failed.error["status"]) == ("failed", 0, 413)
    assert failed.error["detail"] == f"the {what} does not fit into memory"
    assert failed.error["hint"] == "give a smaller size"
    assert not jobs._parts.ids()
    jobs.close()


def test_a_worker_that_gets_no_process_gives_the_job_back(tmp_path, monkeypatch):
    def refused(_):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    options = ServeOptions(state=str(tmp_path))
    jobs = Jobs(options)
    job = new(jobs)
    with monkeypatch.context() as patch, pytest.raises(BlockingIOError):
        patch.setattr(work.processes().Process, "_Popen", staticmethod(refused))
        work.Worker(options)._do(jobs, jobs.take())
    again = jobs.take()
    assert (again.id, again.attempt) == (job.id, 0)
    jobs.close()


def test_what_is_sent_decides_the_kind(jpeg):
    mp4, webm = b"\0\0\0\x20ftypisom", b"\x1a\x45\xdf\xa3"
    assert kind_of(jpeg, None, None) == "stylize"
    assert kind_of(jpeg, jpeg, None) == "optimize"
    assert kind_of(mp4, None, None) == kind_of(webm, None, "webm") == "film"
    assert kind_of(b"GIF89a", None, None) == "stylize"
    assert kind_of(b"GIF89a", None, "gif") == "film"
    asf, packet = bytes.fromhex("3026b2758e66cf11"), b"\x47" + bytes(187)
    streams = packet * 2, (bytes(4) + packet) * 2
    for head in (b"\0\0\0\x08wide", b"\0\0\0\0mdat", b"\0\0\1\xb3", asf, *streams):
        assert kind_of(head, None, None) == "film"
    assert kind_of(b"\0\0\0\x20ftypavif", None, None) == "stylize"
    for brand in (b"heic", b"mif1", b"hevc"):
        with pytest.raises(ValueError, match="HEIC"):
            kind_of(b"\0\0\0\x18ftyp" + brand + bytes(100), None, "jpeg")
    with pytest.raises(ValueError, match="looks like text"):
        kind_of(b"hello", None, None)
    with pytest.raises(ValueError, match="the painting is not a picture"):
        kind_of(jpeg, b"hello", None)
    assert kinds() == ["stylize", "film", "optimize", "polish"]
    assert kind_of(jpeg, None, None, polish=True) == "polish"
    with pytest.raises(ValueError, match="a film cannot be painted"):
        kind_of(mp4, None, None, polish=True)


def test_formats_of_results_are_those_of_their_kind():
    assert [format_of("stylize", each) for each in (None, "", "jpg", " .PNG")] == [
        "",
        "",
        "JPEG",
        "PNG",
    ]
    assert [format_of("film", each) for each in (None, "webm", " GIF ")] == ["", "webm", "gif"]
    with pytest.raises(ValueError, match="'mp4' is not a format that is written"):
        format_of("optimize", "mp4")
    with pytest.raises(ValueError, match="'png' is not a kind of film"):
        format_of("film", "png")


def test_what_a_killed_worker_left_is_cleared_away(tmp_path, monkeypatch):
    monkeypatch.setattr(work.tempfile, "gettempdir", lambda: str(tmp_path))
    left = tmp_path / "impasto-some-job" / "the film"
    left.parent.mkdir()
    left.write_bytes(b"of a client")
    with work._place("some-job") as folder:
        assert (tmp_path / "impasto-some-job").samefile(folder)
        assert not left.exists()
    assert not list(tmp_path.iterdir())

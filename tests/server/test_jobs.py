"""Long work: kept, done, cancelled, brought back, in SQLite and in a real Redis."""

import errno
import io
import json
import operator
import re
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from fastapi.testclient import TestClient

from impasto import atomic, images
from impasto.errors import DeviceError
from impasto.options import ServeOptions
from impasto.server import parts, work
from impasto.server.app import create_app
from impasto.server.jobs import LOST, Job, Jobs
from impasto.server.problems import Refusal
from impasto.server.work import kind_of, kinds
from serving import Service, command, serving, until


@pytest.fixture(params=["sqlite", "redis"])
def options(request, tmp_path):
    """Where jobs are kept."""
    if request.param == "sqlite":
        return {"state": str(tmp_path)}
    url = request.getfixturevalue("redis")
    from redis import Redis

    with Redis.from_url(url) as server:
        server.flushall()
    return {"redis": url}


@pytest.fixture
def jobs(options):
    made = Jobs(ServeOptions(**options, queue=3, expires=60))
    yield made
    made.close()


def new(jobs, image=b"image"):
    job = Job("", "stylize", "udnie", "png", {"size": 64})
    return jobs.submit(job, image=io.BytesIO(image))


def keep(jobs, job, data, name="result"):
    return jobs.keep(job.id, name, io.BytesIO(data))


def kept(jobs, job):
    """What is kept of a job, and is large."""
    return {name for name in ("image", "painting", "result") if jobs._parts.find(job.id, name)}


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


def test_a_place_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match="jobs cannot be kept"):
        Jobs(ServeOptions(state=str(tmp_path / "file")))
    with pytest.raises(DeviceError, match="not a Redis's address"):
        Jobs(ServeOptions(redis="http://x"))
    with pytest.raises(DeviceError, match="that Redis") as error:
        Jobs(ServeOptions(redis="redis://user:secret@127.0.0.1:9/0"))
    assert "secret" not in str(error.value)


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
    with pytest.raises(ValueError, match="'mp4' is not written"):
        kind_of(jpeg, None, "mp4")
    assert kinds() == ["stylize", "film", "optimize"]


def events(service, location):
    """All events of a job, as a browser gets them."""
    with service.http.stream("GET", f"{location}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        text = stream.read().decode()
    found = [block for block in text.split("\n\n") if block.startswith("event: job")]
    return [json.loads(block.split("data: ", 1)[1]) for block in found]


def test_a_large_picture_is_painted_as_a_job(service, jpeg):
    accepted = service.submit(jpeg, style="great-wave", size="2200", format="webp")
    assert accepted.status_code == 202
    location = accepted.headers["location"]
    assert location == f"/v1/jobs/{accepted.json()['id']}"
    states = [event["state"] for event in events(service, location)]
    assert states[-1] == "done"
    assert states == sorted(states, key=["queued", "running", "done"].index)
    found = service.http.get(f"{location}/result")
    assert found.headers["content-type"] == "image/webp"
    assert found.headers["content-disposition"] == 'attachment; filename="great-wave.webp"'
    assert images.read(found.content).width == 2200
    assert service.http.delete(location).json()["state"] == "cancelled"
    assert service.http.get(f"{location}/result").status_code == 409


def test_a_result_is_sent_as_the_file_that_it_is(tmp_path, jpeg):
    """Of which there may be more than SQLite, or memory, would take."""
    with serving(tmp_path) as service:
        location = service.submit(jpeg, style="udnie", size="64").headers["location"]
        path = service.ended(location)["result"]
        (kept,) = (tmp_path / "parts").glob("*/*")
        whole = service.http.get(path)
        assert whole.content == kept.read_bytes()
        asked = service.http.head(path)
        assert (asked.status_code, asked.content) == (200, b"")
        for name in ("content-length", "content-type", "content-disposition", "etag"):
            assert asked.headers[name] == whole.headers[name]
        part = service.http.get(path, headers={"Range": "bytes=3-9"})
        assert (part.status_code, part.content) == (206, whole.content[3:10])
        assert part.headers["content-range"] == f"bytes 3-9/{len(whole.content)}"
        assert str(tmp_path) not in str(whole.headers)
        assert service.http.delete(location).json()["state"] == "cancelled"
        assert not list((tmp_path / "parts").iterdir())


def test_a_result_in_a_redis_is_sent_in_pieces(redis, monkeypatch):
    options = ServeOptions(redis=redis)
    app = create_app(options)
    jobs, data = app.state.jobs, bytes(range(256)) * 50
    monkeypatch.setattr(parts, "PIECE", 1000)
    job = new(jobs)
    keep(jobs, job, data)
    jobs.end(job, "done", media_type="video/mp4", bytes=len(data))
    client = TestClient(app, "http://127.0.0.1")
    with client.stream("GET", f"/v1/jobs/{job.id}/result") as found:
        assert max(map(len, found.iter_raw())) <= 1000
    found = client.get(f"/v1/jobs/{job.id}/result")
    asked = client.head(f"/v1/jobs/{job.id}/result")
    assert (found.content, asked.content) == (data, b"")
    for answer in (found, asked):
        assert answer.headers["content-length"] == str(len(data))
        assert answer.headers["content-type"] == "video/mp4"
    values = jobs._parts._redis.hvals(f"impasto.parts.{job.id}")
    assert max(map(len, values)) == 1000


def test_a_painting_of_ones_own_is_optimised(service, jpeg):
    accepted = service.submit(jpeg, jpeg, size="64", steps="6", colors="luminance")
    job = accepted.json()
    assert (accepted.status_code, job["kind"]) == (202, "optimize")
    told = events(service, accepted.headers["location"])
    assert (told[-1]["state"], told[-1]["step"], told[-1]["total"]) == ("done", 6, 6)
    assert {"content", "style", "tv"} <= told[-1]["losses"].keys()
    found = service.http.get(told[-1]["result"])
    assert images.read(found.content).width == 64
    assert b"impasto" not in found.content  # the recipe names files: it stays here


def film(path, frames):
    """Writes a film, and gives its content."""
    av = pytest.importorskip("av", reason="needs impasto[video]")
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            pixels = np.full((48, 64, 3), 20 * number, np.uint8)
            made.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        made.mux(stream.encode())
    return path.read_bytes()


def test_a_film_is_painted_as_a_job(service, tmp_path):
    clip = film(tmp_path / "clip.mp4", 5)
    accepted = service.submit(clip, style="udnie", format="webm")
    job = service.ended(accepted.headers["location"])
    assert (job["state"], job["kind"], job["step"]) == ("done", "film", 5), job
    found = service.http.get(job["result"])
    assert found.headers["content-type"] == "video/webm"
    (tmp_path / "painted.webm").write_bytes(found.content)
    import av

    with av.open(str(tmp_path / "painted.webm")) as painted:
        assert len(list(painted.decode(video=0))) == 5


def test_a_damaged_film_is_said_without_the_servers_places(service, tmp_path):
    clip = film(tmp_path / "clip.mp4", 5)
    job = service.ended(service.submit(clip[:400], style="udnie").headers["location"])
    assert job["state"] == "failed"
    assert job["error"]["detail"].startswith("the film ")
    assert "/" not in job["error"]["detail"]


def test_films_above_the_limit_fail_with_a_sentence(tmp_path):
    clip = film(tmp_path / "clip.mkv", 9)
    with serving(tmp_path / "jobs", "--film-frames", "3") as service:
        job = service.ended(service.submit(clip, style="udnie").headers["location"])
        assert job["state"] == "failed"
        assert job["error"]["status"] == 413
        assert "the limit is 3" in job["error"]["detail"]


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 422, "no style"),
        ({"style": "nothing"}, 422, "no style 'nothing'"),
        ({"style": "udnie", "size": "9000"}, 413, "the limit is 8192"),
        ({"style": "udnie", "format": "mp4"}, 422, "is not written"),
        ({"style": "udnie", "start": "/etc/passwd"}, 422, "start"),
        ({"style": "udnie", "strength": "much"}, 422, "strength"),
    ],
)
def test_wrong_jobs_are_refused_before_they_wait(service, jpeg, fields, status, words):
    found = service.submit(jpeg, **fields)
    assert found.status_code == status
    assert words in found.json()["detail"]


def test_wrong_optimisations_are_refused_before_they_wait(service, jpeg):
    for large in ({"size": "2000"}, {"style_size": "8000"}, {"style_scale": "8"}):
        assert service.submit(jpeg, jpeg, **large).status_code == 413
    for name in ("weights", "init", "start", "loss_network", "network", "device"):
        found = service.submit(jpeg, jpeg, **{name: "/etc/passwd"})
        assert (found.status_code, name in found.json()["detail"]) == (422, True)


def test_fields_are_taken_by_their_old_names_and_not_by_both(service, jpeg):
    asked = {"size": "48", "scales": "1", "steps": "1"}
    for fields in ({"noise": "1", "scale": "mean"}, {"init_noise": "1", "loss_scale": "mean"}):
        job = service.ended(service.submit(jpeg, jpeg, **asked, **fields).headers["location"])
        assert job["state"] == "done", job
    for old, new, value in (("noise", "init_noise", "1"), ("scale", "loss_scale", "mean")):
        found = service.submit(jpeg, jpeg, **{old: value, new: value})
        assert (found.status_code, old in found.json()["detail"]) == (422, True)
        wrong = service.submit(jpeg, jpeg, **{old: "much"})
        assert wrong.status_code == 422


def test_pictures_that_are_damaged_fail_with_a_sentence(service, jpeg):
    job = service.ended(service.submit(jpeg[:900], style="udnie").headers["location"])
    assert job["state"] == "failed"
    assert job["error"]["code"] == "PictureError"
    assert "damaged" in job["error"]["detail"]
    assert job["result"] is None


def test_jobs_are_found_only_by_their_whole_names(service, jpeg):
    location = service.submit(jpeg, style="udnie", size="64").headers["location"]
    for path in ("/v1/jobs/x", location[:-1], location + "x", "/v1/jobs/%2e%2e", "/v1/jobs/"):
        assert service.http.get(path).status_code == 404
    assert service.ended(location)["state"] == "done"


def test_a_running_job_shows_its_picture_and_is_cancelled(service, jpeg):
    location = service.submit(jpeg, jpeg, size="256", steps="5000").headers["location"]
    preview = until(lambda: service.job(location)["preview"], 120)
    found = service.http.get(preview)
    assert found.headers["content-type"] == "image/jpeg"
    assert max(images.read(found.content).pixels.shape) <= 256
    assert service.http.delete(location).status_code == 200
    assert service.ended(location, 20)["state"] == "cancelled"
    assert service.job(location)["preview"] is None
    assert service.http.get(preview).status_code == 410


def test_a_job_that_takes_too_long_fails(tmp_path, jpeg):
    with serving(tmp_path, "--job-deadline", "1") as service:
        location = service.submit(jpeg, jpeg, size="256", steps="5000").headers["location"]
        job = service.ended(location, 30)
        assert (job["state"], job["error"]["status"]) == ("failed", 504)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_forgets_nothing(tmp_path, jpeg, number):
    """What was done can still be fetched; what was running, or waiting, is done."""
    with serving(tmp_path) as service:
        done = service.submit(jpeg, style="udnie", size="64").headers["location"]
        assert service.ended(done)["state"] == "done"
        running = service.submit(jpeg, jpeg, size="64", steps="60").headers["location"]
        waiting = service.submit(jpeg, style="great-wave", size="64").headers["location"]
        until(lambda: service.job(running)["step"] > 0, 120)
        service.stop(number)
    with serving(tmp_path) as service:
        assert images.read(service.http.get(f"{done}/result").content).width == 64
        for location in (waiting, running):
            assert service.ended(location)["state"] == "done"


def worker(redis):
    process = command("worker", "--redis", redis)
    assert "waiting for jobs" in process.stdout.readline()
    return process


def test_workers_of_a_redis_do_all_jobs_though_one_is_killed(redis, tmp_path, jpeg):
    """The same code for one machine and for several."""
    with serving(tmp_path, "--redis", redis) as service:
        workers = [worker(redis), worker(redis)]
        try:
            long = [
                service.submit(jpeg, jpeg, size="64", steps="80").headers["location"]
                for _ in range(2)
            ]
            short = [
                service.submit(jpeg, style="udnie", size="64").headers["location"] for _ in range(3)
            ]
            until(lambda: all(service.job(each)["step"] > 0 for each in long), 180)
            killed = psutil.Process(workers[0].pid)
            below = killed.children(recursive=True)
            killed.kill()
            assert not psutil.wait_procs(below, timeout=20)[1]  # nor does its child go on
            for location in (*long, *short):
                job = service.ended(location, 240)
                assert job["state"] == "done", job
                assert service.http.get(job["result"]).status_code == 200
            workers[1].send_signal(signal.SIGTERM)
            assert workers[1].wait(30) == 0
        finally:
            for process in workers:
                process.kill()
                process.wait()
                process.stdout.close()


def test_a_service_starts_without_its_workers_and_not_without_its_redis(tmp_path):
    with command("serve", "--redis", "redis://127.0.0.1:9/0", "--port", "0") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "that Redis" in said
    with command("worker") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--redis" in said
    with command("worker", "--redis", "redis://127.0.0.1:9/0", "--device", "gpu") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "there is no device 'gpu'" in said


def test_a_service_can_be_asked_for_while_it_starts(tmp_path):
    service = Service(tmp_path)
    assert service.http.get("/readyz").status_code in (200, 503)
    assert service.http.get("/healthz").status_code == 200
    service.stop()


def test_fields_of_a_job_do_not_stand_in_its_address(service, jpeg):
    sent = {"files": {"image": jpeg}, "data": {"style": "udnie"}}
    found = service.http.post("/v1/jobs?size=50", **sent)
    assert found.status_code == 422
    assert found.json()["detail"] == "'size' stands in the address"


def test_what_a_killed_worker_left_is_cleared_away(tmp_path, monkeypatch):
    monkeypatch.setattr(work.tempfile, "gettempdir", lambda: str(tmp_path))
    left = tmp_path / "impasto-some-job" / "the film"
    left.parent.mkdir()
    left.write_bytes(b"of a client")
    with work._place("some-job") as folder:
        assert (tmp_path / "impasto-some-job").samefile(folder)
        assert not left.exists()
    assert not list(tmp_path.iterdir())

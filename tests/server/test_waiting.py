"""Who waits: exactly as many as may, however many ask at once, in one process or several."""

import io
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from impasto.options import ServeOptions
from impasto.server import processes
from impasto.server.jobs import Jobs
from impasto.server.problems import Refusal
from impasto.server.records import Job
from kept import new

ASKING = 40


@pytest.fixture
def waiting(options):
    jobs = Jobs(ServeOptions(**options))
    yield jobs._waiting
    jobs.close()


def test_so_many_have_a_place_and_no_more(waiting):
    assert [waiting.enter(str(number), 3) for number in range(5)] == [True] * 3 + [False] * 2
    assert not waiting.enter("0", 9)  # it has one
    assert waiting.since().keys() == {"0", "1", "2"}
    assert all(time.time() - 60 < since <= time.time() for since in waiting.since().values())
    waiting.leave("1")
    waiting.leave("1")
    assert [waiting.enter(name, 3) for name in "ab"] == [True, False]
    assert waiting.enter("c", math.inf)
    assert not waiting.enter("d", 0)


def submitted(jobs, image=b"image"):
    try:
        return bool(new(jobs, image))
    except Refusal as refused:
        assert refused.http_status == 429
        return False


def test_of_many_that_ask_at_once_exactly_so_many_are_taken(options):
    """Each with a body that takes a while to keep."""
    jobs, together = Jobs(ServeOptions(**options, queue=16)), threading.Barrier(ASKING)

    class Slow(io.BytesIO):
        def read(self, *size):
            time.sleep(0.01)
            return super().read(*size)

    def ask(_):
        together.wait(30)
        try:
            return bool(jobs.submit(Job("", "stylize", "udnie"), image=Slow(b"image")))
        except Refusal:
            return False

    with ThreadPoolExecutor(ASKING) as clients:
        assert sum(clients.map(ask, range(ASKING))) == 16
    assert len(jobs.all()) == len(jobs._waiting.since()) == 16
    jobs.end(jobs.take(), "done")
    assert [submitted(jobs) for _ in range(2)] == [True, False]
    jobs.close()


def test_the_number_holds_over_several_services(options):
    """Each with connections of its own, as on several machines."""
    several = [Jobs(ServeOptions(**options, queue=16)) for _ in range(4)]
    together = threading.Barrier(ASKING)

    def ask(number):
        together.wait(30)
        return submitted(several[number % 4])

    with ThreadPoolExecutor(ASKING) as clients:
        assert sum(clients.map(ask, range(ASKING))) == 16
    for jobs in several:
        assert len(jobs.all()) == 16
        jobs.close()


def ask_in_a_process(options, taken, start):
    jobs = Jobs(ServeOptions(**options, queue=16))
    start.wait(60)
    taken.put(sum(submitted(jobs) for _ in range(16)))
    jobs.close()


def test_the_number_holds_over_several_processes(tmp_path):
    context = processes.processes()
    options, taken, start = {"state": str(tmp_path)}, context.SimpleQueue(), context.Barrier(2)
    process = context.Process(target=ask_in_a_process, args=(options, taken, start))
    processes.start(process)
    ask_in_a_process(options, taken, start)
    assert taken.get() + taken.get() == 16
    process.join(60)


def test_what_ends_in_any_way_leaves(jobs):
    def ends():
        yield lambda job: jobs.cancel(job.id)
        yield lambda job: jobs.end(jobs.take(), "done")
        yield lambda job: jobs.fail(jobs.take(), Refusal(429, "no"))

    for end in ends():
        end(new(jobs))
        jobs.take()  # what was cancelled is taken out of the queue
        assert not jobs._waiting.since()
    job = new(jobs)
    jobs.release(jobs.take())
    jobs.again(jobs.take())
    assert jobs._waiting.since().keys() == {job.id}


def test_what_could_not_be_kept_leaves(jobs):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise OSError("it cannot be read")

    with pytest.raises(Exception, match="cannot be read"):
        jobs.submit(Job("", "stylize"), image=Broken())
    assert not jobs._waiting.since()


def test_the_place_of_one_that_died_while_it_came_is_given_to_another(jobs, monkeypatch):
    jobs._waiting.enter("gone", 3)
    job = new(jobs)
    jobs.tidy()
    assert jobs._waiting.since().keys() == {"gone", job.id}  # it may still come
    later = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: later)
    jobs.beat(job)
    jobs.tidy()
    assert jobs._waiting.since().keys() == {job.id}


def test_the_place_of_one_that_ended_and_died_before_it_left_is_given_to_another(jobs):
    job = new(jobs)
    jobs.end(jobs.take(), "done")
    jobs._waiting.enter(job.id, 3)
    jobs.tidy()
    assert not jobs._waiting.since()


def test_jobs_of_a_version_that_gave_no_places_count_after_a_moment(jobs):
    made = [new(jobs) for _ in range(3)]
    for job in made:
        jobs._waiting.leave(job.id)
    jobs.tidy()
    assert jobs._waiting.since().keys() == {job.id for job in made}
    assert not submitted(jobs)

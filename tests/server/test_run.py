"""Services and workers as processes: started, stopped, killed, several of them."""

import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from impasto import images
from serving import Service, command, serving, until

ROOT = Path(__file__).parents[2]


def worker(redis):
    process = command("worker", "--redis", redis)
    assert "waiting for jobs" in process.stdout.readline()
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_forgets_nothing(tmp_path, jpeg, number):
    """What was done can still be fetched; what was running, or waiting, is done."""
    with serving(tmp_path) as service:
        done = service.submit(jpeg, style="udnie", size="64").headers["location"]
        assert service.ended(done)["state"] == "done"
        running = service.submit(jpeg, jpeg, size="64", steps="25").headers["location"]
        waiting = service.submit(jpeg, style="great-wave", size="64").headers["location"]
        until(lambda: service.job(running)["step"] > 0, 120)
        service.stop(number)
    with serving(tmp_path) as service:
        assert images.read(service.http.get(f"{done}/result").content).width == 64
        for location in (waiting, running):
            assert service.ended(location)["state"] == "done"


def test_workers_of_a_redis_do_all_jobs_though_one_is_killed(redis, tmp_path, jpeg):
    """The same code for one machine and for several."""
    with serving(tmp_path, "--redis", redis) as service:
        workers = [worker(redis), worker(redis)]
        try:
            long = [
                service.submit(jpeg, jpeg, size="64", steps="30").headers["location"]
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


def test_the_tutorial_of_a_service_is_true(tmp_path, photo):
    """The address that the service prints, and the command that asks it."""
    page = (ROOT / "docs" / "tutorials" / "team-service.md").read_text("utf-8")
    token = re.search("#token=(.+)  ", page)[1]
    photo.save(tmp_path / "photo.jpg")
    env = {"IMPASTO_TOKEN": token}
    with serving(tmp_path, "--host", "0.0.0.0", env=env) as service:
        port = service.url.rpartition(":")[2]
        assert service.said[0].replace(port, "8000") in page
        asking = re.search(r"curl .+\\\n.+", page)[0].replace("server:8000", f"127.0.0.1:{port}")
        done = subprocess.run(
            asking, shell=True, cwd=tmp_path, env=os.environ | env, capture_output=True, check=True
        )
    assert not done.stdout
    assert images.read(tmp_path / "painted.jpg").width == photo.width

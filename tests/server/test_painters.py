"""Processes that paint, where the machine gives none, or too little memory, or they crash."""

import asyncio
import errno
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import psutil
import pytest
from fastapi.testclient import TestClient

from impasto import images
from impasto.errors import DeviceError
from impasto.options import ServeOptions
from impasto.server import processes
from impasto.server.app import create_app
from impasto.server.painters import Painters
from impasto.server.painting import Order
from impasto.server.problems import Refusal
from serving import until

Process = multiprocessing.context.ForkServerProcess
started = Process._Popen


def no_process(_):
    raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


def no_thread(_):
    raise RuntimeError("can't start new thread")


def dying(process):
    """A process that crashes as soon as it has started."""
    made = started(process)
    os.kill(made.pid, signal.SIGKILL)
    return made


@pytest.fixture
def painters():
    """One painter alone, which must not be lost."""
    made = Painters(ServeOptions(painters=1, deadline=60))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("owner", "name", "refuse"),
    [
        (Process, "_Popen", staticmethod(no_process)),
        (Process, "_Popen", staticmethod(dying)),
        (threading.Thread, "start", no_thread),
        (multiprocessing, "Pipe", lambda *_: no_process(None)),
    ],
    ids=["process", "process-that-dies", "thread", "pipe"],
)
def test_a_painter_that_cannot_start_is_not_lost(painters, jpeg, monkeypatch, owner, name, refuse):
    async def ask():
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, refuse)
            for _ in range(2):
                with pytest.raises(Refusal, match="the machine has no process left") as refused:
                    await painters.paint(Order(jpeg, "udnie"))
                assert refused.value.http_status == 503
                assert int(refused.value.headers["Retry-After"]) >= 1
        painted = await painters.paint(Order(jpeg, "udnie"))
        await asyncio.sleep(0)
        return images.read(painted.data), painters.busy

    painted, busy = asyncio.run(ask())
    assert (painted.width, busy) == (images.read(jpeg).width, 0)


def test_a_painter_is_not_lost_whatever_it_raises(painters, monkeypatch):
    def submit(*_):
        raise KeyError("anything")

    async def ask():
        painter = painters._painters[0]
        monkeypatch.setattr(painter, "submit", submit)
        with pytest.raises(KeyError):
            await painters.paint(Order(b"", "udnie"))
        return painters.busy

    assert asyncio.run(ask()) == 0


def test_what_is_painted_after_all_ends_the_trouble(painters, jpeg):
    async def ask():
        painters.trouble = DeviceError("no such device")
        await painters.paint(Order(jpeg, "udnie"))
        return painters.trouble, painters.ready

    assert asyncio.run(ask()) == (None, True)


@pytest.mark.parametrize("popen", [no_process, dying])
def test_a_service_whose_painters_did_not_start_is_ready_once_they_do(tmp_path, monkeypatch, popen):
    app = create_app(ServeOptions(state=str(tmp_path), painters=2))
    with monkeypatch.context() as patch:
        patch.setattr(Process, "_Popen", staticmethod(popen))
        client = TestClient(app, "http://127.0.0.1")
        client.__enter__()
        until(lambda: app.state.painters.trouble)
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("it cannot paint: ")
    until(lambda: client.get("/readyz").status_code == 200)
    until(lambda: not app.state.painters.busy)
    client.__exit__(None, None, None)


def test_an_application_that_hosts_the_service_keeps_its_own_processes(tmp_path, jpeg):
    own = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    own.start()
    try:
        app = create_app(ServeOptions(state=str(tmp_path), painters=2))
        with TestClient(app, "http://127.0.0.1") as client:
            until(lambda: client.get("/readyz").status_code == 200)
            found = {each.pid for each in multiprocessing.active_children()} - {own.pid}
            assert len(found) == 2
        until(lambda: not any(map(psutil.pid_exists, found)))
        assert own.is_alive()
    finally:
        own.kill()
        own.join()


def starved(options, threads, pipe):
    """As the process of a painter for which memory ends where it encodes."""

    def encode(*_):
        np.empty(1 << 60, np.uint8)

    images.encode = encode
    processes._serve(options, threads, pipe)


def test_a_painter_without_memory_says_so_and_lives_on(tmp_path, jpeg, monkeypatch):
    monkeypatch.setattr(processes, "_serve", starved)
    app = create_app(ServeOptions(state=str(tmp_path), painters=1))
    with TestClient(app, "http://127.0.0.1") as client:
        until(lambda: app.state.painters.trouble)
        (before,) = multiprocessing.active_children()
        found = client.post("/v1/stylize?style=udnie", content=jpeg)
        assert found.status_code == 413
        told = found.json()
        assert told["code"] == "PictureLimitError"
        assert told["detail"] == "the picture does not fit into memory"
        assert told["hint"] == "give a smaller size"
        assert multiprocessing.active_children() == [before]


def blocked(pipe):
    pipe.send(signal.pthread_sigmask(signal.SIG_BLOCK, []))


def test_a_process_does_not_hear_ctrl_c_from_its_first_moment_on():
    ours, theirs = multiprocessing.Pipe()
    process = processes.processes().Process(target=blocked, args=(theirs,), daemon=True)
    processes.start(process)
    assert signal.SIGINT in ours.recv()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    process.join()

"""A real service, as its command starts it, over a real socket."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx

START = 60


class Service:
    """A process of ``impasto serve``; ``http`` asks it."""

    def __init__(self, folder, *flags, env=()):
        arguments = ["serve", "--port", "0", "--state", str(folder), "-v", *flags]
        self.process = command(*arguments, env=env)
        self.said = []
        lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(lines,), daemon=True)
        self._reader.start()
        try:
            first = lines.get(timeout=START)
        except queue.Empty:
            first = None
        if not first:
            self.process.kill()
            raise AssertionError(f"it did not start: {self.said}")
        self.url = first.split("#")[0].split()[0].rstrip("/")
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def _read(self, lines):
        for line in self.process.stdout:
            self.said.append(line)
            lines.put(line)
        lines.put(None)

    def ready(self):
        return until(lambda: self.http.get("/readyz").status_code == 200)

    def post(self, image, **query):
        return self.http.post("/v1/stylize", params=_quick(query), content=image)

    def submit(self, image, painting=None, **fields):
        fields = _quick(fields) if "style" in fields else fields
        files = {"image": image} | ({"painting": painting} if painting else {})
        return self.http.post("/v1/jobs", files=files, data=fields)

    def job(self, location):
        return self.http.get(location).json()

    def ended(self, location, seconds=120):
        """The job, once it has ended."""
        finals = ("done", "failed", "cancelled")
        until(lambda: self.job(location)["state"] in finals, seconds)
        return self.job(location)

    def stop(self, number=signal.SIGTERM):
        self.http.close()
        self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join(5)
        self.process.stdout.close()
        return code


def _quick(wanted):
    """Small pictures are painted in a tenth of the time where marks are fixed in pixels."""
    return {"stroke": "pixels"} | wanted


def command(*arguments, env=()):
    """A process of the command line, its output and its errors in one pipe."""
    settings = os.environ | {"OMP_NUM_THREADS": "1"} | dict(env)
    return subprocess.Popen(
        [sys.executable, "-m", "impasto", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=settings,
    )


def until(condition, seconds=60):
    """Wait for a condition, and give what it became."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not come true in {seconds} s")


@contextmanager
def serving(folder, *flags, env=()):
    service = Service(folder, *flags, env=env)
    try:
        service.ready()
        yield service
    finally:
        if service.process.poll() is None:
            service.stop()

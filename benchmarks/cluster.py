"""Machines that are namespaces of this one (``cluster.sh``), and how fast several of them paint."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import impasto
from benchmarks.rows import Row
from impasto import images
from impasto.assets import demo_photo

if TYPE_CHECKING:
    from benchmarks.rows import Plan
    from impasto.catalog import Style

_SCRIPT = Path(__file__).with_name("cluster.sh")
_STORE = 150_000_000
"""Bytes of memory in which Ray keeps pictures on each machine."""
_PERCENT = 30
"""Percent of a processor for each machine: three of them fit on one."""
_SIDE, _EACH = 1024, 12
"""Pixels of a photograph's longer side, and how many each machine gets."""


def missing() -> str:
    """Return why there can be no machines here; empty if there can."""
    if not hasattr(os, "geteuid") or os.geteuid():
        return "needs root, for namespaces"
    if lacking := [each for each in ("ip", "unshare", "nsenter") if not shutil.which(each)]:
        return f"needs {' and '.join(lacking)} (iproute2, util-linux)"
    if any(Path(each).resolve().is_relative_to("/tmp") for each in (sys.prefix, __file__)):
        return "needs a Python and a checkout outside of /tmp, which each machine has for itself"
    return ""


class Machines:
    """So many machines, from 1 on, in a folder below ``/tmp``; gone at the end of a ``with``."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._folder = Path(tempfile.mkdtemp(prefix="impasto-", dir="/tmp"))
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        try:
            self._call("up", str(self.count))
        except BaseException:
            self._gone()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gone()

    def folder(self, number: int) -> Path:
        """Return the folder that the machine calls ``/tmp``."""
        return self._folder / str(number)

    @staticmethod
    def address(number: int) -> str:
        return f"10.77.0.{number}"

    def start(self, number: int, *command: str, **env: str) -> subprocess.Popen[str]:
        """Start a command on one machine. It ends with the machine.

        Its errors are in the file ``PROGRAM.log`` of the machine's folder.
        """
        name = Path(next(each for each in command if each not in (sys.executable, "-m"))).name
        python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        source = str(Path(impasto.__file__).parents[1])
        own = {"PATH": python, "PYTHONPATH": source, "OMP_NUM_THREADS": "1", **env}
        with (self.folder(number) / f"{name}.log").open("a") as log:
            started = subprocess.Popen(
                ["sh", str(_SCRIPT), "on", str(self._folder), str(number), *command],
                stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | own,
            )  # fmt: skip
        self._started.append(started)
        return started

    def run(self, number: int, *command: str, timeout: float = 120, **env: str) -> str:
        """Run a command on one machine, and return what it prints.

        Raises:
            RuntimeError: it failed, or took longer.
        """
        started = self.start(number, *command, **env)
        try:
            told, _ = started.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            started.kill()
            raise
        if started.returncode:
            logs = "\n".join(each.read_text() for each in self.folder(number).glob("*.log"))
            raise RuntimeError(f"{command} ended with {started.returncode}: {told}\n{logs}")
        return told

    def cut(self, number: int) -> None:
        """Pull its network cable."""
        self._call("cut", str(number))

    def join(self, number: int) -> None:
        """Put it back."""
        self._call("join", str(number))

    def kill(self, number: int) -> None:
        """Cut its power: all of its processes end at once."""
        self._call("kill", str(number))

    def limit(self, number: int, percent: int) -> None:
        """Give it so much of a processor."""
        self._call("limit", str(number), str(percent))

    def ray(self) -> str:
        """Start Ray on all of them, the first as the head; return its address."""
        head = f"{self.address(1)}:6379"
        shared = ["--num-cpus", "1", "--object-store-memory", str(_STORE), "--disable-usage-stats"]
        first = ["--head", "--port", "6379", "--include-dashboard=false"]
        self.run(1, "ray", "start", *first, "--node-ip-address", self.address(1), *shared)
        others = [
            self.start(number, "ray", "start", "--address", head,
                       "--node-ip-address", self.address(number), *shared)
            for number in range(2, self.count + 1)
        ]  # fmt: skip
        for each in others:
            each.communicate(timeout=120)
            if each.returncode:
                raise RuntimeError("ray start failed")
        return head

    def _call(self, action: str, *arguments: str) -> None:
        command = ["sh", str(_SCRIPT), action, str(self._folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(f"cluster.sh {action} failed: {done.stderr}")

    def _gone(self) -> None:
        self._call("down")
        for each in self._started:
            with each:
                each.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def cluster(style: Style, plan: Plan) -> Iterator[Row]:  # noqa: ARG001 - as all cases
    """Measure the pictures a second that some machines paint, beside one of them."""
    if why := missing():
        print(f"left out: {why}")
        return
    alone = 0.0
    for count, name in enumerate(("one machine", "two machines", "three machines"), 1):
        rate = _rate(count, style)
        alone = alone or rate
        yield Row(f"{name}, {_PERCENT} % of a processor each", "1/s", rate, alone, rate / alone)


def _rate(count: int, style: Style) -> float:
    with Machines(count) as machines:
        photos = machines.folder(1) / "photos"
        photo = images.read(demo_photo()).resized(_SIDE)
        for number in range((_EACH + 1) * count):
            photo.save(photos / f"{number:03}.jpg")
        address = machines.ray()
        for number in range(1, count + 1):
            machines.limit(number, _PERCENT)
        command = ["stylize", "/tmp/photos", "-s", style.name, "-o", "/tmp/out", "--json"]
        painting = machines.start(1, sys.executable, "-m", "impasto", *command, "--ray", address)
        with painting:
            assert painting.stdout
            times = [time.monotonic() for line in painting.stdout if json.loads(line)["status"]]
        if painting.returncode or len(times) != (_EACH + 1) * count:
            raise RuntimeError(f"{len(times)} pictures were painted")
        warm = times[count - 1 :]  # each has loaded the style by then
        return (len(warm) - 1) / (warm[-1] - warm[0])

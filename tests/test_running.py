"""Commands called in the tests' process are what processes would be, and leave nothing behind."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from running import process, run

IN_PIXELS = "stylize", "--stroke", "pixels"
"""The tests' own size of brush marks is that of this process alone."""


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (("styles", "show", "udnie"), b""),
        (("styles", "--json"), b""),
        ((*IN_PIXELS, "a.jpg", "-s", "udnie", "--format", "bmp", "-o", "-"), b""),
        (("stylize", "-", "-s", "udnie", "-o", "-"), b"junk"),
        (("stylize", "none.jpg", "-s", "udnie", "--json"), b""),
        (("stylize", "a.jpg", "-s", "\udcff", "--json"), b""),
    ],
)
def test_it_ends_and_says_what_a_process_does(folder, arguments, stdin):
    here, there = (each(*arguments, stdin=stdin, cwd=folder) for each in (run, process))
    assert (here.returncode, here.stdout, here.stderr) == (
        there.returncode, there.stdout, there.stderr,
    )  # fmt: skip
    assert here.stdout or here.stderr


def state():
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    streams = sys.stdin, sys.stdout, sys.stderr, *(os.fstat(number).st_ino for number in range(3))
    threads = [each for each in threading.enumerate() if not each.daemon]
    return sys.argv, Path.cwd(), dict(os.environ), handlers, streams, threads


def test_everything_is_set_back(folder):
    before = state()
    assert run("styles", env={"IMPASTO_STYLES": "elsewhere"}, cwd=folder).returncode == 0
    assert run("paint", cwd=folder / "sub").returncode == 2
    assert state() == before


def test_what_a_library_or_a_child_writes_is_caught(monkeypatch):
    def command():
        os.write(1, b"from below\n")
        os.system("echo from a child >&2")
        sys.exit(7)

    monkeypatch.setattr("impasto.cli.main", command)
    done = run(text=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, "from below\n", "from a child\n")

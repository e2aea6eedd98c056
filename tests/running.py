"""The command line as a shell calls it, but in this process: a new one imports for seconds.

What is about a process itself, such as signals, closed streams and terminals, needs a real one.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from contextlib import ExitStack, chdir, contextmanager
from functools import partial
from unittest import mock

from impasto import cli

_stream = partial(os.fdopen, encoding="utf-8", closefd=False)


def process(*arguments, stdin=None, cwd=None, env=(), text=False):
    """The same in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "impasto", *map(str, arguments)],
        input=stdin, capture_output=True, cwd=cwd, env=os.environ | dict(env), text=text,
        check=False, timeout=120,
    )  # fmt: skip


def run(*arguments, stdin=b"", cwd=".", env=(), text=False):
    """What ``impasto ARGUMENTS`` ends with and writes, as :func:`subprocess.run` tells it."""
    command = ["impasto", *map(str, arguments)]
    with _streams(stdin) as written, _set_back():
        os.environ.update(env)
        with chdir(cwd), mock.patch.object(sys, "argv", command):
            code = _exit_code(cli.main)
    out, err = (data.decode() if text else data for data in written)
    return subprocess.CompletedProcess(command, code, out, err)


def _exit_code(main):
    try:
        main()
    except SystemExit as end:
        return end.code or 0


@contextmanager
def _set_back():
    """What a command may change of its process is as it was afterwards."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with (
        mock.patch.dict(os.environ),
        mock.patch.object(logging.root, "handlers", logging.root.handlers[:]),
        warnings.catch_warnings(),
    ):
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


@contextmanager
def _streams(stdin):
    """Standard streams that are files, for libraries and children as well; yields what was
    written to the last two, once it is over."""
    written = []
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        files[0].write(stdin)
        files[0].seek(0)
        with _in_place(files):
            yield written
        for file in files[1:]:
            file.seek(0)
            written.append(file.read())


@contextmanager
def _in_place(files):
    """``files`` are the descriptors 0, 1 and 2, and :mod:`sys` has streams on these."""
    kept = [os.dup(number) for number in range(3)]
    for number, file in enumerate(files):
        os.dup2(file.fileno(), number)
    # They do not close the descriptors: a handler of a log may keep one of them.
    given, out = _stream(0, "r"), _stream(1, "w")
    err = _stream(2, "w", 1, errors="backslashreplace")
    try:
        with mock.patch.multiple(sys, stdin=given, stdout=out, stderr=err):
            yield
    finally:
        for stream in (out, err):
            stream.flush()
        for number, descriptor in enumerate(kept):
            os.dup2(descriptor, number)
            os.close(descriptor)

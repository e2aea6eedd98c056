"""Processes that work for the service, and end with it.

All work on a stranger's bytes happens there: decoding, painting, encoding.
"""

from __future__ import annotations

import faulthandler
import logging
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING

from impasto.errors import ImpastoError, in_memory, reason
from impasto.inference import engine, runtimes
from impasto.options import ServeOptions
from impasto.server.painting import SMALLER, Order, PaintedFile, painted
from impasto.server.problems import Refusal

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, SpawnContext
    from multiprocessing.process import BaseProcess

_log = logging.getLogger("impasto.server")

_PICTURES = 1000
"""Paintings after which a process is replaced by a fresh one."""

_START = 120.0
"""Seconds that a process has to start."""
_AGAIN = 5
"""Seconds after which a client may ask again when the machine had no process to give."""


def processes() -> ForkServerContext | SpawnContext:
    """Return how processes are started: never as a copy of this one, which has threads."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def start(process: BaseProcess) -> None:
    """Start a process that ignores Ctrl-C from its first moment: the parent handles that."""
    if not hasattr(signal, "pthread_sigmask"):
        process.start()
        return
    resource_tracker.ensure_running()  # its start would end the blocking
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """In a child process: leave Ctrl-C to the parent, and end when the parent has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runtimes.SPIN, engine.KEEP_MEMORY = False, 0  # cores and memory are shared with others
    threading.Thread(target=_outlive, daemon=True).start()


def _outlive() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


class Painter:
    """One process, started when there is something to paint, and replaced when it dies."""

    def __init__(self, options: ServeOptions, threads: int) -> None:
        self._task = partial(_serve, options, threads)
        self._process: BaseProcess | None = None
        self._pipe: Connection
        """Pipe to the process, as long as there is one."""
        self._left = 0
        self._closing, self._closed = threading.Lock(), False

    def submit(self, order: Order, until: float) -> Future[PaintedFile]:
        """Paint in a thread that waits for the process.

        The process ends itself at ``until``, on the monotonic clock.

        Raises:
            Refusal: the system has no thread to give; from the future, no process.
            EOFError: from the future, the process has died.
            ImpastoError: from the future, what is wrong with the order.
        """
        future: Future[PaintedFile] = Future()
        future.set_running_or_notify_cancel()
        with _given():
            threading.Thread(target=self._run, args=(future, order, until), daemon=True).start()
        return future

    def _run(self, future: Future[PaintedFile], order: Order, until: float) -> None:
        try:
            future.set_result(self._painted(order, until))
        except BaseException as error:  # reported where somebody waits for it
            future.set_exception(error)

    def _painted(self, order: Order, until: float) -> PaintedFile:
        if not (self._left and self._process and self._process.is_alive()):
            self._end()
            self._start()
        self._left -= 1
        try:
            with in_memory("the picture", hint=SMALLER):
                self._pipe.send((order, until - time.monotonic()))
                answer: PaintedFile | Exception = self._pipe.recv()
        except Exception as error:  # nobody knows what is in the pipe now
            self._end()
            if isinstance(error, OSError):
                raise EOFError from error
            raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _start(self) -> None:
        """Start the process, and wait until it says that it is there.

        Only after that can a picture be what makes it crash.
        """
        with _given():
            with self._closing:
                if self._closed:
                    raise EOFError
                self._pipe, theirs = multiprocessing.Pipe()
                with theirs:  # it has its own copy
                    process = processes().Process(target=self._task, args=(theirs,), daemon=True)
                    start(process)
                self._process = process
            if not self._pipe.poll(_START):
                raise EOFError(f"it has not started in {_START:g} s")
            self._pipe.recv()
            self._left = _PICTURES

    def _end(self) -> None:
        self._left = 0
        if self._process:
            self._pipe.close()
            self._process.kill()
            self._process.join()

    def close(self) -> None:
        with self._closing:
            self._closed = True
            if self._process:
                self._process.kill()
                self._process.join()


@contextmanager
def _given() -> Iterator[None]:
    """A context that reports that the system has no process, or no thread, to give."""
    try:
        yield
    except (OSError, EOFError, RuntimeError, MemoryError) as error:
        _log.error("no process can be started: %s", reason(error))
        raise Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the machine has no process left to paint it",
            hint="try again later",
            retry_after=_AGAIN,
        ) from error


def _serve(options: ServeOptions, threads: int, pipe: Connection) -> None:
    """In a process of its own: paint what comes, until nothing comes any more."""
    end_with_parent()
    with suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            order, seconds = pipe.recv()
            pipe.send(_paint(order, options, threads, seconds))


def _paint(
    order: Order, options: ServeOptions, threads: int, seconds: float
) -> PaintedFile | Exception:
    """Paint; the process ends itself when the time is up, whatever it does."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        faulthandler.dump_traceback_later(max(0.05, seconds), exit=True, file=nowhere)
        try:
            return painted(order, options, threads)
        except ImpastoError as error:
            return error
        except Exception:  # our own fault, reported where the log is
            return RuntimeError(traceback.format_exc())
        finally:
            faulthandler.cancel_dump_traceback_later()

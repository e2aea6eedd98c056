"""Processes that paint while a client waits.

All that touches a stranger's bytes happens there: decoding, painting, encoding. Several
processes of few threads paint more in a second than one of many, and one decodes or
encodes while the network of another runs.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto import catalog, images, paths
from impasto.errors import ImpastoError, PictureError, PictureLimitError
from impasto.images.picture import Picture
from impasto.inference import devices, engine, runtimes
from impasto.options import ReadOptions, ServeOptions, StylizeOptions, WriteOptions
from impasto.server.problems import Refusal
from impasto.stylization.stylizer import Stylizer, largest_side

if TYPE_CHECKING:
    from impasto.catalog import Style

_log = logging.getLogger("impasto.server")

OWN = "*"
"""In place of a format: that of the photograph."""

_PICTURES = 1000
"""Paintings after which a process is replaced by a fresh one."""


@dataclass(frozen=True)
class Order:
    """What is to be painted. ``formats`` are those that the client takes, best first."""

    data: bytes
    style: str
    options: StylizeOptions = StylizeOptions()
    formats: Sequence[str] = (OWN,)


@dataclass(frozen=True)
class Painting:
    """A painted picture as a file, and the seconds that each step took."""

    data: bytes
    format: str
    device: str
    seconds: dict[str, float]


class Painters:
    """Some processes that paint, and the clients that wait for them, as many as may."""

    def __init__(self, options: ServeOptions) -> None:
        cores = devices.threads()
        count = options.painters or (cores if cores < 4 else max(2, cores // 4))
        # More threads than cores in all: who comes alone is painted for by more of them.
        threads = min(cores, 2 * max(1, cores // count))
        self.waiting = 0
        self.ready = False
        self.trouble: ImpastoError | None = None
        self._options = options
        self._seconds = 0.3  # that a picture has taken of late
        self._painters = [_Painter(options, threads) for _ in range(count)]
        self._free: asyncio.Queue[_Painter] = asyncio.Queue()
        for painter in self._painters:
            self._free.put_nowait(painter)

    @property
    def busy(self) -> int:
        return len(self._painters) - self._free.qsize()

    async def paint(self, order: Order) -> Painting:
        """Paint as soon as a process is free.

        A painting whose client has gone is finished all the same: to kill and replace its
        process for each preview that nobody waits for would cost more.

        Raises:
            Refusal: too many wait, or the deadline has passed.
            ImpastoError: what is wrong with the order.
        """
        if self._free.empty() and self.waiting >= self._options.queue:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self.waiting} pictures are waiting already",
                hint="try again a little later",
                retry_after=math.ceil(self._seconds * (1 + self.waiting) / len(self._painters)),
            )
        until = time.monotonic() + self._options.deadline
        self.waiting += 1
        try:
            async with asyncio.timeout(self._options.deadline):
                painter = await self._free.get()
        except TimeoutError:
            raise self._overdue() from None
        finally:
            self.waiting -= 1
        return await self._painted(painter, order, until)

    async def _painted(self, painter: _Painter, order: Order, until: float) -> Painting:
        loop = asyncio.get_running_loop()

        def free(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # the service has been stopped meanwhile
                loop.call_soon_threadsafe(self._free.put_nowait, painter)

        future = painter.submit(order, until - time.monotonic())
        future.add_done_callback(free)
        try:
            found = await asyncio.shield(asyncio.wrap_future(future))
        except BrokenProcessPool as error:
            if time.monotonic() >= until:
                raise self._overdue() from error
            raise PictureError(
                "the picture made its painter crash", hint="save it anew with another program"
            ) from error
        if isinstance(found, ImpastoError):
            raise found
        self._seconds += 0.1 * (sum(found.seconds.values()) - self._seconds)
        return found

    def _overdue(self) -> Refusal:
        return Refusal(
            HTTPStatus.GATEWAY_TIMEOUT,
            f"it took longer than {self._options.deadline:g} s",
            hint="give a smaller size, or use POST /v1/jobs",
        )

    async def warm(self) -> None:
        """Paint something in each process, so that no client waits for their start.

        If they cannot, that is their ``trouble``.
        """
        style = next(iter(catalog.bundled()))
        order = Order(Picture(np.zeros((64, 64, 3), np.uint8)).encode(), style)
        until = time.monotonic() + 600
        painters = [await self._free.get() for _ in self._painters]
        try:
            await asyncio.gather(*(self._painted(each, order, until) for each in painters))
        except ImpastoError as error:
            self.trouble = error
            _log.error("it cannot paint: %s", error)
        else:
            self.ready = True

    def close(self) -> None:
        for painter in self._painters:
            painter.close()


def processes() -> Any:
    """How processes are started: never by a copy of this one, which has threads."""
    known = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in known else "spawn")
    if "forkserver" in known:
        context.set_forkserver_preload([__name__])
    return context


def end_with_parent() -> None:
    """In a child process: Ctrl-C is the parent's; and when that is gone, so is this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runtimes.SPIN, engine.KEEP_MEMORY = False, 0  # cores and memory are shared with others
    threading.Thread(target=_outlive, daemon=True).start()


def _outlive() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


class _Painter:
    """One process, replaced when it dies."""

    def __init__(self, options: ServeOptions, threads: int) -> None:
        self._options, self._threads = options, threads
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, processes(), end_with_parent, max_tasks_per_child=_PICTURES)

    def submit(self, order: Order, seconds: float) -> Future[Painting | ImpastoError]:
        """The future raises BrokenProcessPool if the process dies."""
        task = partial(_paint, order, self._options, self._threads, seconds)
        try:
            future = self._pool.submit(task)
        except BrokenProcessPool:  # it died of itself, while it had nothing to do
            self._pool = self._start()
            future = self._pool.submit(task)
        future.add_done_callback(self._replace_if_dead)
        return future

    def _replace_if_dead(self, future: Future[Any]) -> None:
        if not future.cancelled() and isinstance(future.exception(), BrokenProcessPool):
            self._pool.shutdown(wait=False)
            self._pool = self._start()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()


def _paint(
    order: Order, options: ServeOptions, threads: int, seconds: float
) -> Painting | ImpastoError:
    """In a process of its own, which ends itself when the time is up, whatever it is at."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        faulthandler.dump_traceback_later(max(0.05, seconds), exit=True, file=nowhere)
        try:
            return painted(order, options, threads)
        except ImpastoError as error:
            return error
        finally:
            faulthandler.cancel_dump_traceback_later()


def painted(order: Order, options: ServeOptions, threads: int | None = None) -> Painting:
    """Read, paint and encode; nothing of the photograph but its pixels is in the result.

    Raises:
        ImpastoError: what is wrong with the order.
    """
    clock = _Clock()
    read = ReadOptions(options.max_pixels, options.max_side, options.max_bytes)
    photo = images.read(BytesIO(order.data), read)
    side = order.options.size or max(photo.width, photo.height)
    side = largest_side(side, order.options.stroke)
    if side > options.stylize_side:
        raise PictureLimitError(
            f"it would be painted at {side} pixels a side; the limit is {options.stylize_side}",
            hint="give a smaller size or a larger stroke, or use POST /v1/jobs",
        )
    clock("read")
    stylizer = _loaded(catalog.find(order.style), options.device, threads)
    painting = stylizer(photo, **asdict(order.options))
    clock("paint")
    format = next(iter(order.formats), OWN)
    if format == OWN:
        format = own_format(photo)
    data = images.encode(painting, format, WriteOptions(strip=True))
    clock("encode")
    return Painting(data, format, stylizer.device, clock.seconds)


def own_format(photo: Picture) -> str:
    """The photograph's own format, if pictures are written in it."""
    return photo.format if photo.format and photo.format in paths.SUFFIXES.values() else "PNG"


@lru_cache(maxsize=8)
def _loaded(style: Style, device: str, threads: int | None) -> Stylizer:
    return Stylizer(style, device=device, threads=threads)


class _Clock:
    """Seconds between calls, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self._last = now - self._last, now

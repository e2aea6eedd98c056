"""Processes that paint while a client waits, and the clients that wait.

Several processes of few threads paint more in a second than one of many. One decodes or encodes
while the network of another runs.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from concurrent.futures import Future
from contextlib import suppress
from http import HTTPStatus

import numpy as np

from impasto import catalog
from impasto.errors import ImpastoError, PictureError, reason
from impasto.images.picture import Picture
from impasto.inference import devices
from impasto.options import ServeOptions
from impasto.server.painting import Order, PaintedFile
from impasto.server.problems import Refusal
from impasto.server.processes import Painter

_log = logging.getLogger("impasto.server")

_START = 600.0
"""Seconds that a process has to start and to paint for the first time."""

_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the next try, at first and at most."""


class Painters:
    """Some processes that paint, and the clients that wait for them, up to a limit."""

    def __init__(self, options: ServeOptions) -> None:
        cores = devices.threads()
        count = options.painters or (cores if cores < 4 else max(2, cores // 4))
        # More threads than cores in all, so that a client who comes alone gets more of them.
        threads = min(cores, 2 * max(1, cores // count))
        self.waiting = 0
        self.ready = False
        self.trouble: ImpastoError | None = None
        self._options = options
        self._seconds = 0.3  # recent time for a picture
        self._painters = [Painter(options, threads) for _ in range(count)]
        # The process that became free last is taken first. A returning client finds there what it
        # has loaded.
        self._free: asyncio.Queue[Painter] = asyncio.LifoQueue()
        for painter in self._painters:
            self._free.put_nowait(painter)

    @property
    def busy(self) -> int:
        return len(self._painters) - self._free.qsize()

    async def paint(self, order: Order) -> PaintedFile:
        """Paint as soon as a process is free.

        A painting is finished even when its client has gone. To kill and replace a process for each
        unwanted preview would cost more.

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

    async def _painted(self, painter: Painter, order: Order, until: float) -> PaintedFile:
        loop = asyncio.get_running_loop()

        def free(_: Future[PaintedFile]) -> None:
            with suppress(RuntimeError):  # the service was stopped meanwhile
                loop.call_soon_threadsafe(self._free.put_nowait, painter)

        try:
            future = painter.submit(order, until)
        except BaseException:
            self._free.put_nowait(painter)
            raise
        future.add_done_callback(free)
        try:
            waited_for = asyncio.wrap_future(future)
            waited_for.add_done_callback(_looked_at)
            painting = await asyncio.shield(waited_for)
        except EOFError as error:
            if time.monotonic() >= until:
                raise self._overdue() from error
            raise PictureError(
                "the process that painted the picture crashed",
                hint="save it anew with another program",
            ) from error
        if self.trouble:  # it is over
            self.trouble, self.ready = None, True
        self._seconds += 0.1 * (sum(painting.seconds.values()) - self._seconds)
        return painting

    def _overdue(self) -> Refusal:
        return Refusal(
            HTTPStatus.GATEWAY_TIMEOUT,
            f"it took longer than {self._options.deadline:g} s",
            hint="give a smaller size, or use POST /v1/jobs",
        )

    async def warm(self) -> None:
        """Paint something in each process, so that no client waits for their start.

        If they cannot, that is their ``trouble`` until something is painted after all. It is tried
        again and again, with ever longer pauses.
        """
        style = next(iter(catalog.bundled()))
        order = Order(Picture(np.zeros((64, 64, 3), np.uint8)).encode(), style)
        pause = _PAUSE
        while error := await self._cold(order):
            self.trouble = error if isinstance(error, ImpastoError) else ImpastoError(reason(error))
            _log.error("it cannot paint: %s", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self.trouble, self.ready = None, True

    async def _cold(self, order: Order) -> Exception | None:
        """Return why one of the processes does not paint; None if all do."""

        async def paint() -> None:
            painter = await self._free.get()
            await self._painted(painter, order, time.monotonic() + _START)

        tried = (paint() for _ in self._painters)
        outcomes = await asyncio.gather(*tried, return_exceptions=True)
        return next((each for each in outcomes if isinstance(each, Exception)), None)

    def close(self) -> None:
        for painter in self._painters:
            painter.close()


def _looked_at(future: asyncio.Future[PaintedFile]) -> None:
    """Take an error that nobody waits for any more, so that it does not reach the log."""
    if not future.cancelled():
        future.exception()

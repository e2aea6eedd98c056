"""Connections: how many a client may have, and when one is given up.

An answer waits in our memory, and in the kernel's, until the client reads it. A client may ask for
megabytes and read nothing. Then it is cut off, and what waits for it is dropped.
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import socket
import struct
import sys
from collections import Counter
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from impasto.options import ServeOptions
from impasto.server.guard import REFUSAL, SLOWEST
from impasto.server.problems import Refusal

_log = logging.getLogger("impasto.server")

_WAITING_BYTES = 262_144
"""Bytes of one connection in the kernel, which takes twice that. By itself it takes 4 MB and more.
"""
_SPARE = 16
"""Connections above a limit that are told why; further ones are cut off unheard."""
_LOOKS = 4
"""How often to look, in the time after which a silent client is given up."""
_AGAIN = 10
_MOST_FILES = 65_536


class Limits:
    """Limits of the connections of one service, and how many each client has."""

    def __init__(self, options: ServeOptions) -> None:
        self.idle = options.idle
        self._total = min(options.connections, _files() // 2)
        self._each = min(options.per_client, self._total)
        self._open: Counter[str] = Counter()
        self._tidying = False

    def enter(self, client: str) -> Refusal | None:
        """Count a connection of a client; if it is one too many, say why.

        Raises:
            ConnectionRefusedError: so many are told already that this one is not even heard.
        """
        self._open[client] += 1
        mine, everyone = self._open[client], self._open.total()
        if mine > self._each + _SPARE or everyone > self._total + _SPARE:
            raise ConnectionRefusedError
        if mine > self._each:
            return _refusal(HTTPStatus.TOO_MANY_REQUESTS, f"you have {self._each} connections")
        if everyone > self._total:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "there are too many connections")
        return None

    def leave(self, client: str) -> None:
        self._open[client] -= 1
        if not self._open[client]:  # forget clients without connections
            del self._open[client]

    def tidy(self, loop: asyncio.AbstractEventLoop) -> None:
        """Collect soon what given-up connections have held.

        They refer to themselves in circles, and Python collects those too seldom by itself.
        """
        if not self._tidying:
            self._tidying = True
            loop.call_later(self.idle / _LOOKS, self._collect)

    def _collect(self) -> None:
        self._tidying = False
        gc.collect()


def _refusal(status: HTTPStatus, message: str) -> Refusal:
    refusal = Refusal(status, message, hint="close some, or try again later", retry_after=_AGAIN)
    refusal.headers["Connection"] = "close"
    return refusal


def _files() -> int:
    """Return how many files this process may have open; connections count as files."""
    if sys.platform == "win32":
        return 8192
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    more = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= more:
        return more
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
        return more
    return soft


class Connection(H11Protocol):
    """Gives up a client whose turn it is, and who neither sends nor reads for too long."""

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits, self._lost = limits, False
        self._cycle: object = None
        self._taken = 0
        self._moved = self._began = 0.0
        """When something has happened, and when the client began to have something to read."""
        self._before = 0
        """Bytes that it had read at that time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._written = _Written(transport)
        super().connection_made(self._written)  # type: ignore[arg-type]
        self._who = _client(self.client)
        try:
            refusal = self._limits.enter(self._who)
        except ConnectionRefusedError:
            transport.abort()
            return
        if refusal:
            self.app_state = self.app_state | {REFUSAL: refusal}
        self._written.bound(self._limits.idle)
        self._moved = self.loop.time()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lost = True
        self._limits.leave(self._who)

    def _look(self) -> None:
        if self._lost:
            return
        now, idle = self.loop.time(), self._limits.idle
        taken, pending = self._written.taken()
        busy = self.cycle is not None and not self.cycle.response_complete
        if taken != self._taken or self.cycle is not self._cycle or (busy and not pending):
            self._moved = now
        if not pending:
            self._began, self._before = now, taken
        self._cycle, self._taken = self.cycle, taken
        late = now - self._began - idle > (taken - self._before) / SLOWEST
        if pending and (late or now - self._moved >= idle):
            _log.info("a client that does not read is given up, %d bytes before its end", pending)
            self.transport.abort()
            self._limits.tidy(self.loop)
        elif now - self._moved >= idle:
            self.transport.close()
        self.loop.call_later(idle / _LOOKS, self._look)


class _Written:
    """A transport that knows how much of the answer the client has not read."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._bytes = transport, 0
        self._socket: socket.socket | None = transport.get_extra_info("socket")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._bytes += len(data)
        self._transport.write(data)

    def taken(self) -> tuple[int, int]:
        """Return the bytes that the client, or its kernel, has, and the bytes that wait for it."""
        pending = self._transport.get_write_buffer_size() + self._queued()
        return self._bytes - pending, pending

    def bound(self, idle: float) -> None:
        """Make the kernel keep less for a client, and let it go after a while."""
        if not self._socket or self._socket.family not in (socket.AF_INET, socket.AF_INET6):
            return
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _WAITING_BYTES)
            if sys.platform == "linux":
                milliseconds = max(1, round(2000 * idle))
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def _queued(self) -> int:
        """Return the bytes in the kernel that the client's has not acknowledged; 0 where nobody can
        tell."""
        if sys.platform == "linux" and self._socket:
            import fcntl
            import termios

            with suppress(OSError, ValueError):  # it is closed
                answer = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
                return int(struct.unpack("i", answer)[0])
        return 0


def _client(address: tuple[str, int] | None) -> str:
    """Say who has a connection: an address, or for IPv6 its network.

    One IPv6 network has as many addresses as its owner wants.
    """
    host = address[0] if address else ""
    with suppress(ValueError):
        found = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address) and not found.ipv4_mapped:
            return str(ipaddress.ip_network((found, 64), strict=False))
    return host

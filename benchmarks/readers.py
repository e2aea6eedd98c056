"""Clients that ask the service for megabytes and do not read: the memory that they leave behind."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

from benchmarks.rows import Plan, Row, photograph
from benchmarks.serving import resident, service
from impasto.images.picture import Picture

if TYPE_CHECKING:
    from impasto.catalog import Style

READERS, FEW_READERS = 1200, 120
_IDLE = 5.0
_TOGETHER = 4
_LARGE = "size=1500&stroke=10&crisp=0"
"""A request for 6.75 MB that are painted fast: at a tenth of their size, without finer marks."""


def readers(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure the bytes of all the service's processes after slow readers, and before."""
    count = READERS if plan.full else FEW_READERS
    photo = Picture(photograph(96, 144)).encode("JPEG")
    path = f"/v1/stylize?style={style.name}&{_LARGE}"
    with service("--idle", str(_IDLE)) as (http, process), ExitStack() as held:
        http.headers["Accept"] = "image/bmp"
        for _ in range(4 * _TOGETHER):
            assert http.post(path, content=photo).status_code == 200
        before = resident(process)
        highest = before

        def ask(_: int) -> None:
            nonlocal highest
            held.enter_context(_asked(str(http.base_url), path, photo))
            highest = max(highest, resident(process))

        with ThreadPoolExecutor(_TOGETHER) as clients:
            list(clients.map(ask, range(count)))
        _wait_until_alone(process)
        assert http.post(path, content=photo).status_code == 200
        after = resident(process)
        yield Row(
            f"memory while {count} clients ask for 6.75 MB and do not read", "MB", highest / 1e6,
            before / 1e6,
        )  # fmt: skip
        yield Row(
            f"memory after {count} clients that did not read, against before", "MB", after / 1e6,
            before / 1e6, after / before, 1.05,
        )  # fmt: skip


def _asked(url: str, path: str, body: bytes) -> socket.socket:
    """Open a connection whose answer has begun to come, and is not read."""
    place = urlsplit(url)
    head = f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {len(body)}\r\n"
    while True:
        connection = socket.create_connection((place.hostname, place.port), timeout=60)
        connection.sendall(f"{head}Accept: image/bmp\r\n\r\n".encode() + body)
        if connection.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL) == b"HTTP/1.1 200":
            return connection
        connection.close()
        time.sleep(0.5)


def _wait_until_alone(process: psutil.Process) -> None:
    """Wait until all connections left have been silent for less than the limit."""
    end = time.monotonic() + 20 * _IDLE
    while time.monotonic() < end:
        held = [each for each in process.net_connections("tcp") if each.status == "ESTABLISHED"]
        if len(held) <= _TOGETHER + 1:
            return
        time.sleep(0.2)
    raise AssertionError(f"{len(held)} clients that do not read still have connections")

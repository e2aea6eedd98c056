"""Listens, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPException

import uvicorn

from impasto.errors import DeviceError, reason
from impasto.inference import devices, runtimes
from impasto.options import ServeOptions
from impasto.server.app import create_app
from impasto.server.connections import Connection, Limits
from impasto.server.jobs import Jobs
from impasto.server.place import require_temporary
from impasto.server.work import Worker

_HEADER_BYTES = 16_384
_LARGE_BLOCK = 131_072
"""Smallest block, in bytes, that goes back to the system as soon as it is free, such as a result.
"""
_FOREVER = 86_400
"""Seconds; our own code closes idle connections, later than clients stop to use them again."""
_GRACE = 8
"""Seconds that running requests have to end when the service is stopped."""


def serve(options: ServeOptions, on_ready: Callable[[str], None], *, log: bool = False) -> None:
    """Answer requests until SIGINT or SIGTERM; call ``on_ready`` with the address.

    Raises:
        OptionError: other machines could reach it without a token.
        DeviceError: the port is taken, or jobs cannot be stored.
    """
    _log_to_stderr(logging.INFO if log else logging.WARNING)
    devices.give_memory_back(_LARGE_BLOCK, heaps=1)
    require_temporary()
    app = create_app(options)
    listener = _listener(options)
    config = uvicorn.Config(
        app,
        http=partial(Connection, limits=Limits(options)),  # type: ignore[arg-type]
        ws="none",
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=_FOREVER,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    address = f"[{options.host}]" if ":" in options.host else options.host
    on_ready(f"http://{address}:{listener.getsockname()[1]}/")
    uvicorn.Server(config).run(sockets=[listener])


def work(options: ServeOptions) -> None:
    """Do the jobs of a Redis server until SIGINT or SIGTERM; then give back the one at hand.

    Raises:
        OptionError: there is no such device.
        DeviceError: this installation does not have it, or Redis does not answer.
    """
    _log_to_stderr(logging.WARNING)
    require_temporary()
    runtimes.require(options.device)
    Jobs(options).close()
    worker, stopped = Worker(options), threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopped.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    worker.start()
    stopped.wait()
    worker.stop()
    worker.join()
    for number, handler in before.items():
        signal.signal(number, handler)


def check(options: ServeOptions) -> None:
    """Ask the service that runs there whether it is ready.

    Raises:
        DeviceError: it is not, or none answers.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)
    connection = HTTPConnection(host, options.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise DeviceError(f"no service answers at {host}:{options.port}: {error}") from error
    finally:
        connection.close()
    if status != 200:
        raise DeviceError(f"the service at {host}:{options.port} is not ready ({status})")


def _listener(options: ServeOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=512)
    except OSError as error:
        raise DeviceError(
            f"the service cannot listen at {options.host}:{options.port}: {reason(error)}",
            hint="choose another with --port",
        ) from error


def _log_to_stderr(level: int) -> None:
    log = logging.getLogger("impasto.server")
    log.setLevel(level)
    if not log.handlers:
        log.addHandler(logging.StreamHandler())
    log.propagate = False

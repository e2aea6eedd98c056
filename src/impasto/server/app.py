"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from impasto.distribution import VERSION
from impasto.errors import ImpastoError, OptionError
from impasto.inference import runtimes
from impasto.options import ServeOptions
from impasto.server import schema, work
from impasto.server.guard import Guard, is_loopback
from impasto.server.jobs import Jobs
from impasto.server.metrics import Metrics
from impasto.server.painters import Painters
from impasto.server.place import unreachable
from impasto.server.problems import Refusal, answer, from_http, from_validation
from impasto.server.ranges import WholeFiles
from impasto.server.routes import ROUTERS
from impasto.server.static import PAGE

_log = logging.getLogger("impasto.server")
_AGAIN = 2
"""Seconds after which a client may ask again for jobs that cannot be reached."""


def create_app(options: ServeOptions | None = None) -> FastAPI:
    """Make the service as an ASGI application, for any server that runs such.

    Without ``options.redis`` it does its jobs itself, in processes of their own.

    Raises:
        OptionError: it would listen to other machines without a token, or there is no such device.
        DeviceError: this installation does not have the device, or the jobs cannot be stored where
            they should be.
    """
    options = options or ServeOptions()
    if not options.token and not is_loopback(options.host):
        raise OptionError(
            f"at {options.host} others can reach the service, which needs a token for that",
            hint="give --token, or set IMPASTO_TOKEN",
        )
    runtimes.require(options.device)
    app = FastAPI(
        title="impasto",
        version=VERSION,
        summary="Paint photographs in the style of a picture.",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    app.state.options = options
    app.state.jobs = Jobs(options)
    app.state.metrics = Metrics()
    app.add_middleware(Guard, options=options, observe=app.state.metrics.observe)
    known = ImpastoError, HTTPException, RequestValidationError, ClientDisconnect
    for kind in (*known, *unreachable(options)):
        app.add_exception_handler(kind, _answer_error)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/page", WholeFiles(directory=PAGE), name="page")
    schema.complete(app, options)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    options: ServeOptions = app.state.options
    painters = app.state.painters = Painters(options)
    app.state.metrics.watch(painters, app.state.jobs)
    worker = None if options.redis else work.Worker(options)
    if worker:
        worker.start()
    warming = asyncio.create_task(painters.warm())
    try:
        yield
    finally:
        warming.cancel()
        if worker:
            worker.stop()
            await run_in_threadpool(worker.join)
        painters.close()
        app.state.jobs.close()


async def _answer_error(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        error = from_http(error)
    elif isinstance(error, RequestValidationError):
        error = from_validation(error)
    elif isinstance(error, ClientDisconnect):
        error = Refusal(HTTPStatus.BAD_REQUEST, "the client has gone")
    elif not isinstance(error, ImpastoError):
        _log.error("%s", error)
        error = Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE, "the jobs cannot be reached", retry_after=_AGAIN
        )
    elif error.http_status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s", error)
    return answer(error)

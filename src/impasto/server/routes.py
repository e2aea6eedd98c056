"""The routes of the HTTP API, and the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from impasto import assets, catalog
from impasto.errors import PictureLimitError, StyleError
from impasto.options import OptimizeOptions, ServeOptions, StylizeOptions
from impasto.options.fields import changed
from impasto.server import schema, work
from impasto.server.fields import (
    FILM_TYPES,
    MEDIA_TYPES,
    OptimizeJob,
    Stylize,
    StylizeJob,
    accepted,
    known_style,
)
from impasto.server.jobs import Jobs
from impasto.server.painters import Painters
from impasto.server.painting import OWN, SMALLER, Order, PaintedFile
from impasto.server.problems import Refusal
from impasto.server.received import Fields, checked, head, received
from impasto.server.records import Job
from impasto.server.static import PAGE, style_info
from impasto.stylization.stylizer import largest_side

_WATCH = 0.25
"""Seconds between two looks at a job whose events somebody reads."""

_Made = TypeVar("_Made")


def _options(request: Request) -> ServeOptions:
    options: ServeOptions = request.app.state.options
    return options


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


def _job(id: str, jobs: Annotated[Jobs, Depends(_jobs)]) -> Job:
    return jobs.get(id)


Options = Annotated[ServeOptions, Depends(_options)]
AllJobs = Annotated[Jobs, Depends(_jobs)]
OneJob = Annotated[Job, Depends(_job)]

api = APIRouter(prefix="/v1", responses=schema.ERRORS)
pages = APIRouter(include_in_schema=False)
_page = partial(pages.api_route, methods=["GET", "HEAD"])
"""A route that monitors may also ask with HEAD."""


@api.post(
    "/stylize",
    tags=["paint"],
    response_class=Response,
    responses=schema.PICTURE,
    openapi_extra=schema.body(Stylize, image="A picture.", raw=True),
)
async def stylize(request: Request, query: Annotated[Stylize, Query()]) -> Response:  # type: ignore[valid-type]
    """Paint a picture and wait for it.

    The picture is the body, or the field `image` of a form; options are in the query or in
    the form. `Accept` chooses the format; without it, it is that of the picture. Metadata
    of the picture is dropped.
    """
    formats = accepted(request.headers.get("accept"), [*MEDIA_TYPES], OWN)
    if not formats:
        hint = f"one of {', '.join(MEDIA_TYPES.values())}"
        raise Refusal(HTTPStatus.NOT_ACCEPTABLE, "no such format is written", hint=hint)
    async with received(request, query) as (files, fields):
        wanted = checked(Stylize, fields)
        style = known_style(wanted.pop("style"))
        data = await run_in_threadpool(files["image"].read)
    order = Order(data, style, StylizeOptions(**wanted), formats)
    painters: Painters = request.app.state.painters
    painting = await _unless_gone(request, painters.paint(order))
    return Response(
        painting.data, media_type=MEDIA_TYPES[painting.format], headers=_about(painting, style)
    )


@api.post(
    "/jobs",
    status_code=HTTPStatus.ACCEPTED,
    tags=["jobs"],
    response_model=schema.JobStatus,
    responses=schema.ACCEPTED,
    openapi_extra=schema.body(
        StylizeJob,
        OptimizeJob,
        image="A picture, or a film.",
        painting="A painting, in whose style the picture is optimised; instead of style.",
    ),
)
async def submit(
    request: Request, response: Response, options: Options, jobs: AllJobs
) -> schema.JsonObject:
    """Queue what takes long: a film, a very large picture, or one that is optimised.

    Fields are those of one of three kinds: a picture or a film with `style`, or a picture
    with `painting`.
    """
    async with received(request, None, ("image", "painting")) as (files, fields):
        job = _ordered({name: head(file) for name, file in files.items()}, fields, options)
        job = await run_in_threadpool(partial(jobs.submit, job, **files))
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return await run_in_threadpool(jobs.status, job)


def _ordered(heads: dict[str, bytes], fields: Fields, options: ServeOptions) -> Job:
    """The job that a form asks for, whose files begin with ``heads``."""
    painting = heads.get("painting")
    if painting is not None:
        fields.pop("style", None)
    kind = work.kind_of(heads["image"], painting, fields.get("format"))
    wanted = checked(OptimizeJob if kind == "optimize" else StylizeJob, fields)
    format = wanted.pop("format") or ("mp4" if kind == "film" else "")
    style = "" if kind == "optimize" else known_style(wanted.pop("style"))
    _check_size(kind, wanted, options)
    return Job("", kind, style, format, wanted)


def _check_size(kind: str, wanted: Fields, options: ServeOptions) -> None:
    """Refuse what would take more memory than the service means to give."""
    if kind == "optimize":
        limit, size = options.optimize_side, wanted["size"]
        side = max(size, wanted["style_size"] or round(size * wanted["style_scale"]))
    else:
        limit, side = options.job_side, largest_side(wanted["size"] or 0, wanted["stroke"])
    if side > limit:
        raise PictureLimitError(
            f"it would be painted at {side} pixels a side; the limit is {limit}",
            hint=SMALLER,
        )
    changed(OptimizeOptions() if kind == "optimize" else StylizeOptions(), wanted)


@api.get("/jobs/{id}", tags=["jobs"], response_model=schema.JobStatus)
def state(job: OneJob, jobs: AllJobs) -> schema.JsonObject:
    """How far a job is."""
    return jobs.status(job)


@api.delete("/jobs/{id}", tags=["jobs"], response_model=schema.JobStatus)
def cancel(job: OneJob, jobs: AllJobs) -> schema.JsonObject:
    """Stop a job; the result of one that is done is deleted."""
    return jobs.status(jobs.cancel(job.id))


@api.get("/jobs/{id}/events", tags=["jobs"], response_class=EventSourceResponse)
async def events(job: OneJob, jobs: AllJobs) -> AsyncIterator[ServerSentEvent]:
    """The job whenever something about it changes, until it has ended."""
    last: schema.JsonObject = {}
    while True:
        try:
            job = await run_in_threadpool(jobs.get, job.id)
        except Refusal:
            return
        status = await run_in_threadpool(jobs.status, job)
        if status | {"seconds": 0} != last:  # that time passes is no news
            yield ServerSentEvent(data=status, event="job")
            last = status | {"seconds": 0}
        if job.final:
            return
        await asyncio.sleep(_WATCH)


@api.get("/jobs/{id}/preview", tags=["jobs"], response_class=Response, responses=schema.JPEG)
def so_far(job: OneJob, jobs: AllJobs) -> Response:
    """The picture of an optimisation so far, as long as it runs."""
    return Response(jobs.preview(job.id), media_type="image/jpeg")


@api.head("/jobs/{id}/result", include_in_schema=False)
@api.get("/jobs/{id}/result", tags=["jobs"], response_class=Response, responses=schema.RESULT)
def result(request: Request, job: OneJob, jobs: AllJobs) -> Response:
    """What a job has made; kept for a while, see `expires` of the limits."""
    part = jobs.result(job)
    ending = job.media_type.partition("/")[2]
    name = f"{job.style.replace(':', '-').replace(',', '-') or 'painting'}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if part.path:
        return FileResponse(part.path, headers=headers, media_type=job.media_type)
    headers["Content-Length"] = str(part.size)
    pieces = part.pieces() if request.method == "GET" else ()
    return StreamingResponse(pieces, headers=headers, media_type=job.media_type)


@api.get("/styles", tags=["styles"], response_model=schema.StylesInfo)
def styles() -> schema.JsonObject:
    """All styles of this service."""
    at_hand = catalog.styles().values()
    return {"styles": [style_info(style, f"/v1/styles/{style.name}/preview") for style in at_hand]}


@api.get("/styles/{name}/preview", tags=["styles"], response_class=Response, responses=schema.JPEG)
def preview(name: str, request: Request) -> Response:
    """A photograph painted in this style."""
    style = catalog.styles().get(name)
    if not style:
        raise Refusal(HTTPStatus.NOT_FOUND, "there is no such style", hint="see GET /v1/styles")
    try:
        data = catalog.preview(style.preview)
    except StyleError as error:
        raise Refusal(HTTPStatus.NOT_FOUND, error.message, hint=error.hint) from error
    tag = f'"{sha256(data).hexdigest()}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    return Response(data, media_type="image/jpeg", headers={"ETag": tag})


@api.get("/limits", tags=["about"])
def limits(options: Options) -> schema.JsonObject:
    """What this service takes, and for how long it works and waits."""
    hidden = ("host", "port", "token", "redis", "state", "device")
    public = {name: value for name, value in asdict(options).items() if name not in hidden}
    return public | {"jobs": work.kinds(), "formats": [*MEDIA_TYPES.values(), *FILM_TYPES.values()]}


@_page("/healthz")
def healthz() -> dict[str, str]:
    """The service answers."""
    return {"status": "ok"}


@_page("/readyz")
def readyz(request: Request) -> dict[str, str]:
    """The service paints: each of its processes has done so."""
    painters: Painters = request.app.state.painters
    if trouble := painters.trouble:
        what = f"it cannot paint: {trouble.message}"
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, what, hint=trouble.hint)
    if not painters.ready:
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "it is starting", retry_after=1)
    return {"status": "ready"}


@_page("/metrics")
def metrics(request: Request) -> Response:
    """Counts and times for Prometheus."""
    return Response(*request.app.state.metrics.text())


@_page("/")
def index() -> FileResponse:
    return FileResponse(PAGE / "index.html")


@_page("/docs")
def docs() -> FileResponse:
    return FileResponse(PAGE / "docs.html")


@_page("/page/painter.js")
def painter() -> FileResponse:
    """How the page paints: here, by asking the service."""
    return FileResponse(PAGE / "server.js")


@_page("/page/sample.jpg")
def sample() -> FileResponse:
    return FileResponse(assets.demo_photo())


async def _unless_gone(request: Request, work: Coroutine[None, None, _Made]) -> _Made:
    """What ``work`` gives, unless the client leaves before."""
    task, gone = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _about(painting: PaintedFile, style: str) -> dict[str, str]:
    timing = ", ".join(f"{name};dur={took * 1000:.1f}" for name, took in painting.seconds.items())
    return {
        "Server-Timing": timing,
        "Vary": "Accept",
        "X-Impasto-Device": painting.device,
        "X-Impasto-Style": style,
    }

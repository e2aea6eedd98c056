"""Jobs: submitted, watched, fetched, cancelled."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from impasto.errors import OptionError, PictureLimitError
from impasto.images.codecs.formats import recognise
from impasto.options import ServeOptions
from impasto.server import making, packing, schema, styles, work
from impasto.server.fields import SUFFIXES, Optimize, Styled, renamed
from impasto.server.painting import SMALLER
from impasto.server.problems import Refusal
from impasto.server.ranges import ranged
from impasto.server.received import Fields, checked, head, received
from impasto.server.records import Job
from impasto.server.routes.given import AllJobs, OneJob, Options

_WATCH = 0.25
"""Seconds between two looks at a job whose events a client reads."""

router = APIRouter(prefix="/v1", responses=schema.ERRORS)


@router.post(
    "/jobs",
    status_code=HTTPStatus.ACCEPTED,
    tags=["jobs"],
    response_model=schema.JobStatus,
    responses=schema.ACCEPTED,
    openapi_extra=schema.body(
        Styled,
        Optimize,
        image="A picture, or a film.",
        mask=schema.MASK,
        painting="A painting, in whose style the picture is optimised; instead of style.",
    ),
)
async def submit(
    request: Request, response: Response, options: Options, jobs: AllJobs
) -> schema.JsonObject:
    """Queue work that takes long: a film, a very large picture, an optimisation, or a polish.

    Fields are those of one of four kinds. A picture or a film comes with `style`, which may be the
    file of a painting. With `polish`, the service learns that painting for so long, and paints the
    picture in it. A picture with `painting` is optimised.
    """
    async with received(request, ("image", "mask", "painting", "style")) as (files, fields):
        job = _ordered({name: head(file) for name, file in files.items()}, fields, options)
        job = await run_in_threadpool(partial(jobs.submit, job, **files))
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return await run_in_threadpool(jobs.status, job)


def _ordered(heads: dict[str, bytes], fields: Fields, options: ServeOptions) -> Job:
    """Read the job that a form asks for; its files begin with ``heads``."""
    painting, style = heads.get("painting"), ""
    notes: tuple[str, ...] = ()
    polish = bool(fields.get("polish"))
    kind = work.kind_of(heads["image"], painting, fields.get("format"), polish)
    if kind == "optimize" and "mask" in heads:
        raise OptionError("an optimisation takes no mask", hint="send style in place of painting")
    if kind == "optimize":
        fields.pop("style", None)
        fields, notes = renamed(fields)
        wanted = checked(Optimize, fields)
    else:
        wanted = checked(Styled, fields)
        style = _style(heads, wanted.pop("style"), wanted.pop("shares"))
        if polish and (style != "*1" or packing.is_packed(heads[styles.part(1)])):
            raise OptionError("only one painting can be learnt", hint="send it as the file style")
    format = work.format_of(kind, wanted.pop("format"))
    job = Job("", kind, style, format, wanted, notes=notes, masked="mask" in heads)
    _check_size(job, options)
    _check_time(job, options)
    return job


def _style(heads: dict[str, bytes], named: str | None, shares: str | None) -> str:
    """Make the text of a job's style; its paintings begin with what are ``heads``."""
    sent = styles.paintings(heads)
    for each in sent:
        if not packing.is_packed(each):
            recognise(each, styles.WHAT)
    return styles.chosen(named, len(sent), shares)


def _check_size(job: Job, options: ServeOptions) -> None:
    """Refuse a job that needs more memory than the service gives."""
    if job.kind == "optimize":
        limit, (of_pixels, _) = options.optimize_side, making.optimization(job)
        style_side = of_pixels.style_size or round(of_pixels.size * of_pixels.style_scale)
        side = max(of_pixels.size, style_side)
    else:
        painted = making.wanted(job).painted
        size = painted.size if isinstance(painted.size, int) else 0
        limit, side = options.job_side, painted.largest_side(size)
    if side > limit:
        raise PictureLimitError(
            f"it would be painted at {side} pixels a side; the limit is {limit}",
            hint=SMALLER,
        )


def _check_time(job: Job, options: ServeOptions) -> None:
    """Refuse a job that would be stopped before it has come as far as is wanted."""
    polish = job.options.get("polish")
    if not polish:
        return
    _, seconds = making.wanted(job).polish.amount()
    if seconds > options.polish_deadline:
        raise OptionError(
            f"a polish of {polish} is longer than this service allows",
            hint=f"the limit is {options.polish_deadline:g}s",
        )


@router.get("/jobs/{id}", tags=["jobs"], response_model=schema.JobStatus)
def state(job: OneJob, jobs: AllJobs) -> schema.JsonObject:
    """Report how far a job is."""
    return jobs.status(job)


@router.delete("/jobs/{id}", tags=["jobs"], response_model=schema.JobStatus)
def cancel(job: OneJob, jobs: AllJobs) -> schema.JsonObject:
    """Stop a job; delete the result of one that is done."""
    return jobs.status(jobs.cancel(job.id))


@router.post("/jobs/{id}/stop", tags=["jobs"], response_model=schema.JobStatus)
def stop(job: OneJob, jobs: AllJobs) -> schema.JsonObject:
    """End an optimisation, or a polish, with the best so far as its result."""
    return jobs.status(jobs.stop(job.id))


@router.get("/jobs/{id}/events", tags=["jobs"], response_class=EventSourceResponse)
async def events(job: OneJob, jobs: AllJobs) -> AsyncIterator[ServerSentEvent]:
    """Send the job whenever something about it changes, until it has ended."""
    last: schema.JsonObject = {}
    while True:
        try:
            job = await run_in_threadpool(jobs.get, job.id)
        except Refusal:
            return
        status = await run_in_threadpool(jobs.status, job)
        if status | {"seconds": 0} != last:  # passing time is no news
            yield ServerSentEvent(data=status, event="job")
            last = status | {"seconds": 0}
        if job.final:
            return
        await asyncio.sleep(_WATCH)


@router.get("/jobs/{id}/preview", tags=["jobs"], response_class=Response, responses=schema.JPEG)
def so_far(job: OneJob, jobs: AllJobs) -> Response:
    """Send the picture so far, while an optimisation runs, or a painting is learnt."""
    return Response(jobs.preview(job.id), media_type="image/jpeg")


@router.head("/jobs/{id}/result", include_in_schema=False)
@router.get("/jobs/{id}/result", tags=["jobs"], response_class=Response, responses=schema.RESULT)
def result(request: Request, job: OneJob, jobs: AllJobs) -> Response:
    """Send what a job has made, whole or in ranges; it stays as long as `expires` of the limits."""
    ending = SUFFIXES.get(job.media_type) or job.media_type.partition("/")[2]
    name = f"{re.sub('[:,]', '-', styles.shown(job.style)) or 'painting'}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return ranged(request, jobs.result(job), job.ended, job.media_type, headers)


@router.head("/jobs/{id}/style", include_in_schema=False)
@router.get("/jobs/{id}/style", tags=["jobs"], response_class=Response, responses=schema.ZIP)
def style(request: Request, job: OneJob, jobs: AllJobs) -> Response:
    """Send the style that was learnt of a painting: its folder as a zip file.

    Fields that take a painting as `style` take that file, too.
    """
    headers = {"Content-Disposition": 'attachment; filename="style.zip"'}
    part = jobs.result(job, "style")
    return ranged(request, part, job.ended, "application/zip", headers)

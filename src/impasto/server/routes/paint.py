"""Paints a picture while the client waits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from http import HTTPStatus
from typing import BinaryIO, TypeVar

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from impasto.files.kinds import valid_format
from impasto.options import StyleOptions, StylizeOptions
from impasto.options.fields import changed
from impasto.server import schema, styles, work
from impasto.server.fields import MEDIA_TYPES, WRITTEN, NoFields, Painting, Stylize, accepted, taken
from impasto.server.painters import Painters
from impasto.server.painting import OWN, Order, PaintedFile
from impasto.server.problems import Refusal
from impasto.server.received import checked, head, received

_Made = TypeVar("_Made")

router = APIRouter(prefix="/v1", responses=schema.ERRORS)


@router.post(
    "/stylize",
    tags=["paint"],
    response_class=Response,
    responses=schema.PICTURE,
    openapi_extra=schema.body(Stylize, image="A picture.", mask=schema.MASK, raw=True)
    | schema.parameters(Stylize),
)
async def stylize(request: Request) -> Response:
    """Paint a picture and wait for it.

    The picture is the body, or the field `image` of a form. Options are in the address or in the
    form. `format`, or else `Accept`, chooses the format; without them it is that of the picture.
    Metadata of the picture is dropped, unless `strip` is false.

    A painting of your own is a style, too: send it as the file `style` of the form. Several
    paintings, or one and the name of a style, are blended as `shares` says. If there is a file
    `mask`, only its white parts are painted.
    """
    async with received(request, ("image", "mask", "style"), in_address=True) as (files, fields):
        wanted, sent = checked(Stylize, fields), styles.paintings(files)
        work.require_no_film(head(files["image"]))
        style = styles.chosen(wanted.pop("style"), len(sent), wanted.pop("shares"))
        formats = _formats(wanted.pop("format"), request.headers.get("accept"))
        mask = [files["mask"]] if "mask" in files else []
        data, *paintings = await run_in_threadpool(_contents, files["image"], *sent, *mask)
    written, of_style = taken(WRITTEN, wanted), taken(StyleOptions(), wanted)
    options = changed(StylizeOptions(), wanted)
    drawn = paintings.pop() if mask else None
    order = Order(data, style, options, formats, written, paintings, of_style, drawn)
    painters: Painters = request.app.state.painters
    painting = await _unless_gone(request, painters.paint(order))
    return Response(
        painting.data, media_type=MEDIA_TYPES[painting.format], headers=_about(painting, style)
    )


@router.post(
    "/styles",
    tags=["styles"],
    response_class=Response,
    responses=schema.ZIP,
    openapi_extra=schema.body(Painting, needs="style"),
)
async def style(request: Request) -> Response:
    """Make the style of a painting, to keep: its folder as a zip file.

    Unpacked, it is a style for the command line. Fields that take a painting as `style` take the
    file itself, too. Several paintings are blended as `shares` says.
    """
    async with received(request, ("style",), needs="style") as (files, fields):
        wanted, sent = checked(Painting, fields), styles.paintings(files)
        style = styles.chosen(wanted.pop("style"), len(sent), wanted.pop("shares"))
        paintings = await run_in_threadpool(_contents, *sent)
    options = taken(StyleOptions(), wanted)
    order = Order(None, style, paintings=paintings, style_options=options)
    painters: Painters = request.app.state.painters
    made = await _unless_gone(request, painters.paint(order))
    headers = {"Content-Disposition": 'attachment; filename="style.zip"'}
    return Response(made.data, media_type="application/zip", headers=headers)


@router.post(
    "/faces",
    tags=["paint"],
    response_model=schema.FacesInfo,
    openapi_extra=schema.body(image="A picture.", raw=True),
)
async def find_faces(request: Request) -> Response:
    """Find the faces in a picture, which `protect_faces` would keep recognisable."""
    async with received(request, ("image",), in_address=True) as (files, fields):
        checked(NoFields, fields)
        work.require_no_film(head(files["image"]))
        (data,) = await run_in_threadpool(_contents, files["image"])
    painters: Painters = request.app.state.painters
    found = await _unless_gone(request, painters.paint(Order(data, "", faces=True)))
    return Response(found.data, media_type="application/json")


def _contents(*files: BinaryIO) -> list[bytes]:
    return [file.read() for file in files]


def _formats(format: str | None, accept: str | None) -> Sequence[str]:
    """Choose the formats.

    Raises:
        OptionError, Refusal: none of them is written.
    """
    if format:
        return [valid_format(format)]
    formats = accepted(accept, [*MEDIA_TYPES], OWN)
    if not formats:
        hint = f"one of {', '.join(MEDIA_TYPES.values())}"
        raise Refusal(HTTPStatus.NOT_ACCEPTABLE, "no such format is written", hint=hint)
    return formats


async def _unless_gone(request: Request, work: Coroutine[None, None, _Made]) -> _Made:
    """Return what ``work`` gives, unless the client leaves before."""
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
    about = {
        "Server-Timing": timing,
        "Vary": "Accept",
        "X-Impasto-Device": painting.device,
        "X-Impasto-Style": styles.shown(style),
    }
    if painting.notes:  # only ASCII is safe in headers
        note = "; ".join(painting.notes).encode("ascii", "replace").decode()
        about["X-Impasto-Note"] = " ".join(note.split())
    return about

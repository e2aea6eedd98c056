"""Answers in parts (RFC 9110, 14), for results of jobs.

Files of the page are always sent whole, as a server may.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from impasto.server.parts import JobPart
from impasto.server.problems import Refusal

_UNIT = re.compile(r"\s*bytes\s*=(.*)", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(r"\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*")


def ranged(
    request: Request, part: JobPart, since: float, media_type: str, headers: Mapping[str, str]
) -> Response:
    """Answer with a part of a job, or with the range of it that the request's ``Range`` names.

    ``since`` is when it is there, in seconds since 1970.

    Raises:
        Refusal: the range is malformed (400), or lies behind the end (416).
    """
    tag, modified = f'"{since:.6f}-{part.size}"', formatdate(since, usegmt=True)
    known = {"Accept-Ranges": "bytes", "ETag": tag, "Last-Modified": modified, **headers}
    status, (start, stop) = HTTPStatus.OK, (0, part.size)
    asked, unless = request.headers.get("range"), request.headers.get("if-range")
    wanted = asked and request.method == "GET" and unless in (None, tag, modified)
    if wanted and (found := _range(asked or "", part.size)):
        status, (start, stop) = HTTPStatus.PARTIAL_CONTENT, found
        known["Content-Range"] = f"bytes {start}-{stop - 1}/{part.size}"
    known["Content-Length"] = str(stop - start)
    pieces = part.pieces(start, stop) if request.method == "GET" else ()
    return StreamingResponse(pieces, status, headers=known, media_type=media_type)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Return the first byte of a range and the one after it.

    None means the whole: another unit, or several ranges.
    """
    unit = _UNIT.fullmatch(header)
    if not unit or "," in unit[1]:
        return None
    found = _RANGE.fullmatch(unit[1])
    if not found or not any(found.groups()):
        raise _malformed()
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if first and last and int(last) < start:
        raise _malformed()
    if start >= size:
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        refusal = Refusal(status, f"it has {size} bytes", hint="ask for a range inside of them")
        refusal.headers = {"Content-Range": f"bytes */{size}"}
        raise refusal
    return start, stop


def _malformed() -> Refusal:
    hint = "such as Range: bytes=0-99, bytes=100- or bytes=-100"
    return Refusal(HTTPStatus.BAD_REQUEST, "the header Range is malformed", hint=hint)


class WholeFile(FileResponse):
    """A file of the page."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_without_range(scope), receive, send)


class WholeFiles(StaticFiles):
    """A folder of such files."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_without_range(scope), receive, send)


def _without_range(scope: Scope) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
    return {**scope, "headers": headers}

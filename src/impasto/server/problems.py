"""Errors as RFC 9457 problems: the sentences and hints of the command line."""

from __future__ import annotations

import errno
import re
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import JsonValue, ValidationError
from starlette.exceptions import HTTPException

from impasto.errors import ImpastoError

MEDIA_TYPE = "application/problem+json"
_PLACE = re.compile(r"(?<!\S)(?:/|[A-Za-z]:\\)\S*[/\\](?=[^/\\\s])")
"""The folder before a file's name, which clients must not see."""
_FOLDER = re.compile(r"(?<![^\s'\"(])(?:/(?!v1/|docs\b)|[A-Za-z]:\\)[^\s,'\")]*")
"""A path of the machine in a hint, but no route of the service."""


class Refusal(ImpastoError):  # noqa: N818 - not a fault
    """An answer of the service that only HTTP has, such as 404 or 429."""

    def __init__(
        self, status: HTTPStatus, message: str, *, hint: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.http_status = int(status)
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}


def problem(error: ImpastoError) -> dict[str, JsonValue]:
    """Write an error as a problem; ``code`` is its class, as the command line's ``--json`` names
    it."""
    status = _status(error)
    title = status.phrase
    code = title.replace(" ", "") if isinstance(error, Refusal) else type(error).__name__
    return {
        "type": "about:blank",
        "title": title,
        "status": int(status),
        "detail": _encodable(_PLACE.sub("", error.message)),
        "hint": _encodable(_FOLDER.sub("its folder", error.hint)),
        "code": code,
    }


def _encodable(text: str) -> str:
    """Remove halves of characters, which a client may send and no answer can hold."""
    return text.encode("utf-8", "replace").decode()


def _status(error: ImpastoError) -> HTTPStatus:
    """Return the HTTP status of an error; clients do not know 499."""
    return HTTPStatus(error.http_status) if error.http_status != 499 else HTTPStatus.GONE


def answer(error: ImpastoError) -> JSONResponse:
    """Make the response for an error."""
    headers = getattr(error, "headers", {})
    return JSONResponse(problem(error), _status(error), headers=headers, media_type=MEDIA_TYPE)


def from_http(error: HTTPException) -> ImpastoError:
    """Translate the framework's own errors, such as an unknown address."""
    status = HTTPStatus(error.status_code)
    refusal = Refusal(status, str(error.detail).lower(), hint="GET /docs says what is there")
    refusal.headers = dict(error.headers or {})
    return refusal


def from_validation(error: RequestValidationError | ValidationError) -> ImpastoError:
    """Translate fields that are missing, unknown or out of range into one sentence."""
    faults = (f"{_field(each['loc'])}: {each['msg']}" for each in error.errors())
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults), hint="see GET /docs")


def _field(place: tuple[int | str, ...]) -> str:
    """Return a field's name, without its place in the request."""
    return ".".join(str(part) for part in place if part not in ("query", "body", "path"))


_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOTHING_LEFT = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOBUFS)
_AGAIN = 5
"""Seconds after which a client may ask again when the machine was full."""


def from_system(error: BaseException) -> Refusal | None:
    """Return the refusal for an error that means that the machine has nothing left.

    That may be memory, a thread, a process, a file, or room on the disk.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        what, hint = "the disk of the service is full", "make room on it"
    elif (
        number in _NOTHING_LEFT
        or isinstance(error, MemoryError)
        or (isinstance(error, RuntimeError) and "can't start new thread" in str(error))
    ):
        what, hint = "the machine has nothing left to do it with", "try again later"
    else:
        return None
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, what, hint=hint, retry_after=_AGAIN)

"""What stands before every route: who may ask, how much and how slowly; and headers of every
answer."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from impasto.errors import ImpastoError, reason
from impasto.options import ServeOptions
from impasto.server.problems import Refusal, answer, from_system

App = Callable[[Scope, Receive, Send], Awaitable[None]]

Observe = Callable[[Scope, int, float], None]
"""A callback for each answer, with its status, and the seconds that it took."""

_log = logging.getLogger("impasto.server")

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer: a page of the service runs and loads nothing from elsewhere."""

SLOWEST = 1000
"""Bytes a second below which a client is given up, whether it sends or reads."""
REFUSAL = "refusal"
"""Key in the state of a request: why it is refused, whatever it asks."""

_PROXY = "behind a proxy, give the service a token: --token TOKEN, or IMPASTO_TOKEN"
_PRIVATE = ("/v1/", "/metrics")
_NUMBER = re.compile("[0-9]{1,4000}")  # int() also takes digits of other scripts
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")


def is_loopback(host: str) -> bool:
    """Say whether an address, or a name, can only be this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Guard:
    """ASGI middleware, the outermost."""

    def __init__(self, app: App, options: ServeOptions, observe: Observe) -> None:
        self._app, self._options, self._observe = app, options, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        request = secrets.token_hex(8)
        fresh = "no-store" if _is_private(scope["path"]) else "no-cache"

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", fresh)
                headers["X-Request-Id"] = request
            await send(message)

        try:
            self._check(scope)
            app: App = self._app
        except ImpastoError as error:
            app = answer(error)
        try:
            await app(scope, self._counted(receive), sending)
        except Exception as error:
            refusal = from_system(error)
            if refusal or isinstance(error, ImpastoError):
                _log.error("request %s: %s", request, reason(error))
            else:
                _log.exception("request %s", request)
            if not status:
                await answer(refusal or _fault(request))(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - started
            self._observe(scope, status, seconds)
            about = {"request": request, "method": scope["method"], "path": scope["path"]}
            _log.info(json.dumps(about | {"status": status, "seconds": round(seconds, 4)}))

    def _check(self, scope: Scope) -> None:
        """Refuse a request by its head alone."""
        if refusal := scope.get("state", {}).get(REFUSAL):
            raise refusal
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        alone = not self._options.token  # pages of other sites do not have it
        if alone and is_loopback(self._options.host) and not is_loopback(name):
            # Another site may have made its name mean this machine (DNS rebinding).
            raise Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                "without a token the service answers only to names of this machine",
                hint=_PROXY,
            )
        origin = headers.get("origin")
        foreign = origin and origin.split("://", 1)[-1] != host
        if alone and foreign and scope["method"] in _CHANGING:
            raise Refusal(
                HTTPStatus.FORBIDDEN, "pages of other sites may not use this service", hint=_PROXY
            )
        if self._options.token and _is_private(scope["path"]):
            credentials = headers.get("authorization", "").partition(" ")
            wanted = self._options.token.encode()  # many clients send UTF-8, others Latin-1
            sent = credentials[2].encode("latin-1"), credentials[2].encode()
            right = any(hmac.compare_digest(each, wanted) for each in sent)
            if credentials[0].lower() != "bearer" or not right:
                refusal = Refusal(
                    HTTPStatus.UNAUTHORIZED,
                    "a token is needed",
                    hint="send the header Authorization: Bearer TOKEN",
                )
                refusal.headers = {"WWW-Authenticate": "Bearer"}
                raise refusal
        length = headers.get("content-length", "0")
        if _NUMBER.fullmatch(length) and int(length) > self._options.max_bytes:
            raise self._too_large()

    def _counted(self, receive: Receive) -> Receive:
        """Count the body while it comes; give up one that comes too slowly."""
        seen, whole, started = 0, False, time.monotonic()

        async def receiving() -> Message:
            nonlocal seen, whole
            if whole:  # only the end of the connection can follow
                return await receive()
            try:
                async with asyncio.timeout(self._options.idle):
                    message = await receive()
            except TimeoutError:
                raise self._too_slow() from None
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if seen > self._options.max_bytes:
                    raise self._too_large()
                late = time.monotonic() - started - self._options.idle
                if not whole and late > seen / SLOWEST:
                    raise self._too_slow()
            return message

        return receiving

    def _too_slow(self) -> Refusal:
        return Refusal(HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly", hint="send it again")

    def _too_large(self) -> Refusal:
        return Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {self._options.max_bytes / 1e6:g} MB",
            hint="send a smaller file",
        )


def _is_private(path: str) -> bool:
    public = path.startswith("/v1/styles/") and path.endswith("/preview")
    return path.startswith(_PRIVATE) and not public


def _fault(request: str) -> Refusal:
    return Refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "something went wrong in the service",
        hint=f"its log says what, under {request}",
    )

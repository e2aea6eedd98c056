"""What monitors ask: whether the service answers, whether it paints, and its numbers."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from impasto.server.painters import Painters
from impasto.server.problems import Refusal

router = APIRouter(include_in_schema=False)
_METHODS = ["GET", "HEAD"]


@router.api_route("/healthz", methods=_METHODS)
def healthz() -> dict[str, str]:
    """Say that the service answers."""
    return {"status": "ok"}


@router.api_route("/readyz", methods=_METHODS)
def readyz(request: Request) -> dict[str, str]:
    """Say that the service paints: each of its processes has done so."""
    painters: Painters = request.app.state.painters
    if trouble := painters.trouble:
        what = f"it cannot paint: {trouble.message}"
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, what, hint=trouble.hint)
    if not painters.ready:
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "it is starting", retry_after=1)
    return {"status": "ready"}


@router.api_route("/metrics", methods=_METHODS)
def metrics(request: Request) -> Response:
    """Send counts and times for Prometheus."""
    return Response(*request.app.state.metrics.text())

"""The page, and the documentation of the API."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter

from impasto import assets
from impasto.server.ranges import WholeFile
from impasto.server.static import PAGE

router = APIRouter(include_in_schema=False)
_page = partial(router.api_route, methods=["GET", "HEAD"])


@_page("/")
def index() -> WholeFile:
    return WholeFile(PAGE / "index.html")


@_page("/docs")
def docs() -> WholeFile:
    return WholeFile(PAGE / "docs.html")


@_page("/page/painter.js")
def painter() -> WholeFile:
    """Send how the page paints: it asks the service."""
    return WholeFile(PAGE / "server.js")


@_page("/page/sample.jpg")
def sample() -> WholeFile:
    return WholeFile(assets.demo_photo())

"""Lists what there is: styles, their previews, and the limits of the service."""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from impasto import catalog
from impasto.errors import StyleError
from impasto.server import schema, work
from impasto.server.fields import FILM_TYPES, MEDIA_TYPES
from impasto.server.problems import Refusal
from impasto.server.routes.given import Options
from impasto.server.static import paintings_info, style_info

router = APIRouter(prefix="/v1", responses=schema.ERRORS)
_HIDDEN = ("host", "port", "token", "redis", "state", "device")


@router.get("/styles", tags=["styles"], response_model=schema.StylesInfo)
def styles() -> schema.JsonObject:
    """List all styles of this service."""
    at_hand = catalog.styles().values()
    return {"styles": [style_info(style, f"/v1/styles/{style.name}/preview") for style in at_hand]}


@router.get(
    "/styles/{name}/preview", tags=["styles"], response_class=Response, responses=schema.JPEG
)
def preview(name: str, request: Request) -> Response:
    """Send a photograph painted in this style."""
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


@router.get("/limits", tags=["about"])
def limits(options: Options) -> schema.JsonObject:
    """Send what this service takes, and for how long it works and waits."""
    public = {name: value for name, value in asdict(options).items() if name not in _HIDDEN}
    formats = [*MEDIA_TYPES.values(), *FILM_TYPES.values()]
    return public | {"jobs": work.kinds(), "formats": formats, "paintings": paintings_info()}

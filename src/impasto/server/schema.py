"""Adds to OpenAPI what routes do not say themselves: bodies, results, errors, examples."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from impasto.options import ServeOptions
from impasto.server import styles
from impasto.server.fields import FILM_TYPES, MEDIA_TYPES
from impasto.server.problems import MEDIA_TYPE


class Problem(BaseModel):
    """What went wrong (RFC 9457), what to do next, and the name of the error."""

    type: str = "about:blank"
    title: str = Field(examples=["Content Too Large"])
    status: int = Field(examples=[413])
    detail: str = Field(examples=["the body is larger than 33.5544 MB"])
    hint: str = Field(examples=["send a smaller file"])
    code: str = Field(examples=["ContentTooLarge"])


class JobStatus(BaseModel):
    """A job.

    `ahead` is how many are before it while it waits. `preview` is the picture so far, `style` the
    style that was learnt. `notes` say what had to be decided, such as that a field has a new name.
    """

    id: str = Field(examples=["q8x1tq2N8e2bG5y3cV0z9A"])
    kind: Literal["stylize", "film", "optimize", "polish"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    step: int = Field(examples=[40])
    total: int = Field(examples=[200])
    losses: dict[str, float]
    seconds: float
    ahead: int
    error: Problem | None
    preview: str | None
    result: str | None
    style: str | None
    media_type: str | None
    notes: list[str]


class FaceInfo(BaseModel):
    """The box of a face, from 0 to 1 of the picture's width and height, or a little beyond."""

    left: float = Field(examples=[0.34])
    top: float = Field(examples=[0.14])
    right: float = Field(examples=[0.54])
    bottom: float = Field(examples=[0.35])


class FacesInfo(BaseModel):
    """The faces in a picture, the surest first."""

    faces: list[FaceInfo]


class StyleInfo(BaseModel):
    """A style, and the painting that it was learnt from."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "great-wave",
                "title": "The Great Wave off Kanagawa",
                "artist": "Katsushika Hokusai",
                "year": "c. 1831",
                "licence": "public domain",
                "preview": "/v1/styles/great-wave/preview",
                "parameters": 199187,
            }
        }
    )
    name: str
    title: str
    artist: str
    year: str
    licence: str
    preview: str
    parameters: int = Field(description="Of its network; only networks of one shape blend.")


class StylesInfo(BaseModel):
    """All styles."""

    styles: list[StyleInfo]


JsonObject: TypeAlias = dict[str, Any]
"""A part of OpenAPI, or of a route's answer."""
Responses = dict[int | str, JsonObject]
_BINARY = {"type": "string", "format": "binary"}
_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}

ERRORS: Responses = {
    422: {"description": "A field or a picture that cannot be used.", **_PROBLEM},
    "default": {"description": "Any other error.", **_PROBLEM},
}


def _files(*types: str) -> Responses:
    content = {media_type: {"schema": _BINARY} for media_type in types}
    return {200: {"description": "The file.", "content": content}}


MASK = "A picture of the same shape: white is painted, black stays the photograph."
"""The description of the file ``mask``."""

PICTURE = _files(*MEDIA_TYPES.values())
RESULT = _files(*MEDIA_TYPES.values(), *FILM_TYPES.values())
JPEG = _files("image/jpeg")
ZIP = _files("application/zip")
ACCEPTED: Responses = {
    202: {
        "description": "The job, queued.",
        "headers": {"Location": {"description": "Of the job.", "schema": {"type": "string"}}},
    }
}


def body(
    *models: type[BaseModel], raw: bool = False, needs: str = "image", **files: str
) -> JsonObject:
    """Make the ``requestBody`` of a form with ``files`` and the fields of ``models``."""
    fields: JsonObject = {
        name: {**_BINARY, "description": description} for name, description in files.items()
    }
    for model in models:
        fields = model.model_json_schema()["properties"] | fields
    several = {"type": "array", "items": _BINARY, "maxItems": styles.MOST}
    if "style" in fields:
        kinds = [*fields["style"]["anyOf"], _BINARY, several]
        fields["style"] = fields["style"] | {"anyOf": kinds}
    form = {
        "schema": {
            "type": "object",
            "required": [needs],
            "properties": fields,
            "additionalProperties": False,
        },
        "encoding": {name: {"contentType": "application/octet-stream"} for name in files},
    }
    content: JsonObject = {"multipart/form-data": form}
    if raw:
        content |= {kind: {"schema": _BINARY} for kind in MEDIA_TYPES.values()}
    return {"requestBody": {"required": True, "content": content}}


def parameters(model: type[BaseModel]) -> JsonObject:
    """Return the fields of ``model`` as parameters in the address."""
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": about}
            | {"description": about.get("description", "")}
            for name, about in model.model_json_schema()["properties"].items()
        ]
    }


def complete(app: FastAPI, options: ServeOptions) -> None:
    """Add to the application's OpenAPI what errors look like, and how to send a token."""
    plain = app.openapi

    def openapi() -> JsonObject:
        document = plain()
        parts = document.setdefault("components", {})
        parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            parts["schemas"].pop(unused, None)
        if options.token:
            parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"token": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]

"""What a request carries: files, and fields in its address or its form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BytesIO
from typing import Any, BinaryIO, TypeAlias

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from impasto.errors import OptionError
from impasto.server.problems import Refusal, from_validation

_HEAD = 1024

Fields: TypeAlias = dict[str, Any]
"""Of a request, by name: as they were sent, or of the kinds that a model says."""


@asynccontextmanager
async def received(
    request: Request, query: BaseModel | None, names: Collection[str] = ("image",)
) -> AsyncIterator[tuple[dict[str, BinaryIO], Fields]]:
    """The files of a request, of which it takes these ``names`` and needs ``image``; and its
    fields as they were sent.

    What is large lies on the disk while it is looked at, not in memory.
    """
    if query is None and request.query_params:
        name = next(iter(request.query_params))
        raise OptionError(
            f"{name!r} stands in the address", hint="send the fields of a job in its form"
        )
    fields = query.model_dump(exclude_unset=True) if query else {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form(max_files=2, max_fields=64, max_part_size=4096) as form:
            files = {}
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files[name] = value.file
                else:
                    fields[name] = value
            yield _checked(files, names), fields
    elif query is not None and kind != "application/json":
        # Whatever else it says: curl --data-binary says that a picture is a form.
        yield _checked({"image": BytesIO(await request.body())}, names), fields
    else:
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"a body of {kind or 'no type'} is not taken",
            hint="send multipart/form-data with the field image",
        )


def _checked(files: dict[str, BinaryIO], names: Collection[str]) -> dict[str, BinaryIO]:
    for name in files.keys() - names:
        raise OptionError(f"there is no field {name!r} for a file", hint="its name is image")
    if "image" not in files or not head(files["image"]):
        raise OptionError("no picture was sent", hint="send it as the file image of a form")
    return files


def head(file: BinaryIO) -> bytes:
    """What a file begins with, which says what it is; it is left at its start."""
    beginning = file.read(_HEAD)
    file.seek(0)
    return beginning


def checked(model: type[BaseModel], fields: Fields) -> Fields:
    try:
        return model.model_validate(fields).model_dump()
    except ValidationError as error:
        raise from_validation(error) from error

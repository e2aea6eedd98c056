"""What a request carries: files, and fields in its address or its form."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from impasto.errors import OptionError
from impasto.server.problems import Refusal, from_validation


async def received(
    request: Request, query: BaseModel | None
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files of a request, ``image`` at least, and its fields as they were sent."""
    if query is None and request.query_params:
        name = next(iter(request.query_params))
        raise OptionError(
            f"{name!r} stands in the address", hint="send the fields of a job in its form"
        )
    given = query.model_dump(exclude_unset=True) if query else {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    found: dict[str, bytes] = {}
    if kind == "multipart/form-data":
        async with request.form(max_files=2, max_fields=64, max_part_size=4096) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    found[name] = await value.read()
                else:
                    given[name] = value
    elif query is not None and kind != "application/json":
        # Whatever else it says: curl --data-binary says that a picture is a form.
        found["image"] = await request.body()
    else:
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"a body of {kind or 'no type'} is not taken",
            hint="send multipart/form-data with the field image",
        )
    for name in found.keys() - {"image", "painting"}:
        raise OptionError(f"there is no field {name!r} for a file", hint="its name is image")
    if not found.get("image"):
        raise OptionError("no picture was sent", hint="send it as the file image of a form")
    return found, given


def checked(model: type[BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    try:
        return model.model_validate(given).model_dump()
    except ValidationError as error:
        raise from_validation(error) from error

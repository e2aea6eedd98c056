"""What a request carries: files, and fields in its address or its form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BytesIO
from typing import Any, BinaryIO, TypeAlias

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from impasto.errors import OptionError
from impasto.server import styles
from impasto.server.problems import Refusal, from_validation

_HEAD = 1024
_STYLE = "style"
_FILES = styles.MOST + 2

Fields: TypeAlias = dict[str, Any]
"""The fields of a request, by name: as they were sent, or in the types of a model."""


@asynccontextmanager
async def received(
    request: Request,
    names: Collection[str] = ("image",),
    *,
    needs: str = "image",
    in_address: bool = False,
) -> AsyncIterator[tuple[dict[str, BinaryIO], Fields]]:
    """Read the files and fields of a request.

    Only files with these ``names`` are taken. The file ``needs`` must be among them. Fields come as
    they were sent, by their names with ``_``. They may stand ``in_address``; then the body may be
    the picture itself. Paintings are files called ``style``. They get the names that
    :func:`impasto.server.styles.part` gives.

    Large files lie on the disk meanwhile, not in memory.

    Raises:
        OptionError: a field is given twice, or stands where it may not.
    """
    if request.query_params and not in_address:
        name = next(iter(request.query_params))
        raise OptionError(
            f"{name!r} is in the query string", hint="send the fields of a job in its form"
        )
    _, fields = _named(request.query_params.multi_items())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with _form(request) as form:
            files, others = _named(form.multi_items(), names)
            yield _with(needs, files), fields | others
    elif in_address and kind != "application/json":
        # Any other type counts as a picture: curl --data-binary says that a picture is a form.
        yield _with(needs, {"image": BytesIO(await request.body())}), fields
    else:
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"a body of {kind or 'no type'} is not accepted",
            hint=f"send multipart/form-data with the field {needs}",
        )


@asynccontextmanager
async def _form(request: Request) -> AsyncIterator[FormData]:
    try:
        form = await request.form(max_files=_FILES, max_fields=64, max_part_size=4096)
    except UnicodeError as error:  # the client names the charset
        raise OptionError("the form is not UTF-8", hint="send it in UTF-8") from error
    try:
        yield form
    finally:
        await form.close()


def _named(
    pairs: Iterable[tuple[str, Any]], names: Collection[str] = ()
) -> tuple[dict[str, BinaryIO], Fields]:
    """Split pairs into files and fields, by name. Only files with these names are taken.

    The command line's names, with ``-``, are taken as well.
    """
    files: dict[str, BinaryIO] = {}
    fields: Fields = {}
    for spelt, value in pairs:
        name, is_file = spelt.replace("-", "_"), isinstance(value, UploadFile)
        if is_file and name not in names:
            hint = f"its name is {' or '.join(names)}"
            raise OptionError(f"there is no field {name!r} for a file", hint=hint)
        if is_file and name == _STYLE:
            number = len(styles.paintings(files)) + 1
            if number > styles.MOST:
                raise OptionError(f"more than {styles.MOST} paintings were sent", hint="send fewer")
            name = styles.part(number)
        if name in files or name in fields:
            raise OptionError(f"{name!r} is given twice", hint="give it once")
        if is_file:
            files[name] = value.file
        else:
            fields[name] = value
    return files, fields


def _with(name: str, files: dict[str, BinaryIO]) -> dict[str, BinaryIO]:
    kept = styles.part(1) if name == _STYLE else name
    if kept not in files or not head(files[kept]):
        raise OptionError("no picture was sent", hint=f"send it as the file {name} of a form")
    return files


def head(file: BinaryIO) -> bytes:
    """Return the beginning of a file, which shows its kind; leave the file at its start."""
    beginning = file.read(_HEAD)
    file.seek(0)
    return beginning


def checked(model: type[BaseModel], fields: Fields) -> Fields:
    try:
        return model.model_validate(fields).model_dump()
    except ValidationError as error:
        raise from_validation(error) from error

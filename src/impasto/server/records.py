"""The record of a job, and its progress, as they are stored: in JSON.

Everything that is read may be damaged, or be from another version that shares the place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from impasto.server.schema import Problem

Kind: TypeAlias = Literal["stylize", "film", "optimize", "polish"]
State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
FINAL = ("done", "failed", "cancelled")

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Job:
    """The record of a job. ``attempt`` counts workers that died at it."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    kind: Kind
    style: str = ""
    format: str = ""
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    state: State = "queued"
    attempt: int = 0
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    media_type: str = ""
    bytes: int = 0
    error: Mapping[str, JsonValue] | None = None
    notes: tuple[str, ...] = ()
    masked: bool = False
    """Whether a ``mask`` was sent for it."""

    @property
    def final(self) -> bool:
        return self.state in FINAL


class Told(BaseModel):
    """Progress of a job, as its process reports it. ``shown`` is the step of its preview."""

    model_config = _STRICT

    step: int = 0
    total: int = 0
    losses: dict[str, float] = Field(default_factory=dict)
    shown: int = 0


def encoded(job: Job) -> bytes:
    """Write a job as it is stored."""
    return json.dumps(asdict(job)).encode()


def job(id: str, data: object) -> Job:
    """Read the job ``id`` from what is stored of it.

    Raises:
        ValueError: it is no record of that job, or one of another version.
    """
    try:
        found = _JOB.validate_json(_bytes(data))
        if found.error is not None:
            Problem.model_validate(found.error)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None
    if found.id != id:
        raise ValueError("it is of another job")
    return found


def told(data: object) -> Told:
    """Read how far a job is; nothing yet if that is unreadable."""
    try:
        return Told.model_validate_json(_bytes(data))
    except ValueError:
        return Told()


def moment(data: object) -> float:
    """Read seconds since 1970 from a text; minus infinity if it is none."""
    try:
        found = float(_bytes(data))
    except ValueError:
        return -math.inf
    return found if math.isfinite(found) else -math.inf


_JOB = TypeAdapter(Job)


def _bytes(data: object) -> bytes:
    """Return a storage's value as bytes."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise ValueError("it is not what was written")

"""Long work, kept where a restart does not forget it: in SQLite, or in Redis for several machines.

huey's storages hold the queue and the jobs, the same in either place. Each job has a record. Beside
it are its progress, and marks that are set once. ``parts.py`` has its pictures and films. Only the
process that has set the mark for a record writes it, so nobody needs a lock.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import BinaryIO

from huey.storage import EmptyData
from pydantic import JsonValue

from impasto.errors import ImpastoError, reason
from impasto.options import ServeOptions
from impasto.options.fields import Json
from impasto.server import place, records
from impasto.server.parts import JobPart
from impasto.server.problems import Refusal, problem
from impasto.server.records import Job, State

_log = logging.getLogger("impasto.server")

LOST = 10.0
"""Seconds without a sign of life after which a job's worker counts as dead."""
_ATTEMPTS = 3
_BETTERED = ("optimize", "polish")
_STRAY = 600.0
"""Seconds after which data that belongs to no job is deleted; its writer is dead."""
_SAID = 1000
"""Most damaged records that are reported, each once."""
_MARKS = ("preview", "progress", "beat", "cancel", "stop")
_MADE = ("result", "style")


class Jobs:
    """All jobs of one place: a folder, or the address of a Redis server.

    Raises:
        DeviceError: the place cannot be used.
    """

    def __init__(self, options: ServeOptions) -> None:
        self._options, self._place = options, place.opened(options)
        self._records, self._marks = self._place.records, self._place.marks
        self._parts, self._waiting = self._place.parts, self._place.waiting
        self._strays: dict[str, float] = {}
        self._said: set[str] = set()

    def close(self) -> None:
        self._place.close()

    # What clients do.

    def submit(self, job: Job, **sent: BinaryIO) -> Job:
        """Queue a job with the files that were ``sent`` for it, an ``image`` at least.

        The job has an identifier that nobody can guess.

        Raises:
            Refusal: too many are waiting.
        """
        job = replace(job, id=secrets.token_urlsafe(16), created=time.time())
        if not self._waiting.enter(job.id, self._options.queue):
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self._options.queue} jobs are waiting already",
                hint="try again later",
                retry_after=30,
            )
        try:
            for name, file in sent.items():
                self.keep(job.id, name, file)
            self._put(job)
        except BaseException:  # such as a full disk
            self._parts.clear(job.id)
            self._waiting.leave(job.id)
            raise
        self._records.enqueue(job.id.encode())
        return job

    def get(self, id: str) -> Job:
        """Return the job of an identifier.

        Raises:
            Refusal: there is none, or none any more (404).
        """
        data = self._records.peek_data(id)
        job = None if data is EmptyData else self._read(id, data)
        if job is None or self._expired(job):
            raise Refusal(
                HTTPStatus.NOT_FOUND,
                "there is no such job",
                hint=f"results are kept for {self._options.expires:g} s",
            )
        return job

    def all(self) -> list[Job]:
        """Return all jobs, the oldest first. Damaged records are left out, and reported once."""
        read = (self._read(id, data) for id, data in self._records.result_items().items())
        return sorted((job for job in read if job), key=lambda job: job.created)

    def status(self, job: Job) -> dict[str, Json]:
        """Return a job as clients see it."""
        told = records.told(self._marks.peek_data(f"{job.id}/progress"))
        shown, about = told.shown, told.model_dump(exclude={"shown"})
        end, path = job.ended or time.time(), f"/v1/jobs/{job.id}"
        return {
            "id": job.id,
            "kind": job.kind,
            "state": job.state,
            **about,
            "seconds": round(end - job.started, 1) if job.started else 0.0,
            "ahead": self._ahead(job) if job.state == "queued" else 0,
            "error": job.error,
            "preview": f"{path}/preview?step={shown}" if shown and not job.final else None,
            "result": f"{path}/result" if job.state == "done" else None,
            "style": f"{path}/style" if job.state == "done" and job.kind == "polish" else None,
            "media_type": job.media_type or None,
            "notes": list(job.notes),
        }

    def cancel(self, id: str) -> Job:
        """Stop a job, or drop the result of one that has ended."""
        job = self.get(id)
        self.mark(id, "cancel", b"1")
        if job.state == "queued" and self._claims(job):
            job = self.end(job, "cancelled")
        elif job.final:
            job = replace(job, state="cancelled", bytes=0)
            self._put(job)
            self._parts.clear(id)
        return job

    def stop(self, id: str) -> Job:
        """End a job that improves step by step, with the best result so far.

        Raises:
            Refusal: it is of another kind (409).
        """
        job = self.get(id)
        if job.kind not in _BETTERED:
            raise Refusal(
                HTTPStatus.CONFLICT,
                f"a {job.kind} job has nothing to keep before its end",
                hint=f"DELETE /v1/jobs/{id} stops it",
            )
        self.mark(id, "stop", b"1")
        return job

    def result(self, job: Job, name: str = "result") -> JobPart:
        """Return a part of a job's result.

        Raises:
            Refusal: the job has none yet (409), or none any more (410).
        """
        if job.state != "done":
            ended = job.state if job.final else f"still {job.state}"
            raise Refusal(HTTPStatus.CONFLICT, f"the job is {ended}", hint=f"GET /v1/jobs/{job.id}")
        return self.part(job.id, name)

    # What workers do.

    def take(self) -> Job | None:
        """Take the next job, which is this worker's from now on; None if there is none."""
        data = self._records.dequeue()
        if data is None:
            return None
        with suppress(Refusal):
            job = self.get(bytes(data).decode("utf-8", "replace"))
            self.beat(job)  # first, so that a worker that claims it and dies is missed
            if job.state == "queued" and self._claims(job):
                job = replace(job, state="running", started=time.time())
                self._put(job)
                return job
        return None

    def part(self, id: str, name: str) -> JobPart:
        """Return a part of a job.

        The parts are ``image``, ``mask``, ``painting``, the paintings of its style, ``result``, and
        the ``style`` that was learnt.

        Raises:
            Refusal: it is not there (410).
        """
        if part := self._parts.find(id, name):
            return part
        raise _gone(name)

    def keep(self, id: str, name: str, file: BinaryIO) -> int:
        """Store a part, whole or not at all; return its size in bytes."""
        return self._parts.put(id, name, file)

    def mark(self, id: str, name: str, data: bytes) -> None:
        """Note something small: ``preview``, ``progress``, ``beat``, ``cancel`` or ``stop``."""
        self._marks.put_data(f"{id}/{name}", data)

    def preview(self, id: str) -> bytes:
        """Return the preview of a job.

        Raises:
            Refusal: there is none (410).
        """
        data = self._marks.peek_data(f"{id}/preview")
        if data is EmptyData:
            raise _gone("preview")
        return bytes(data)

    def beat(self, job: Job) -> None:
        """Say that the worker lives."""
        self.mark(job.id, "beat", repr(time.time()).encode())

    def owns(self, job: Job) -> bool:
        """Say whether a job still belongs to its worker.

        It does not when it is over. Nor does it when the worker was silent for so long that another
        one took the job.
        """
        data = self._records.peek_data(job.id)
        now = None if data is EmptyData else self._read(job.id, data)
        return now is not None and (now.state, now.attempt) == ("running", job.attempt)

    def cancelled(self, id: str) -> bool:
        return bool(self._marks.has_data_for_key(f"{id}/cancel"))

    def stopped(self, id: str) -> bool:
        """Say whether a job shall end with the best result so far."""
        return bool(self._marks.has_data_for_key(f"{id}/stop"))

    def release(self, job: Job) -> None:
        """Give back a job that this worker has taken and cannot do."""
        self._put(replace(job, state="queued", started=0.0))
        self._marks.delete_data(_claim(job))
        self._records.enqueue(job.id.encode())

    def again(self, job: Job) -> None:
        """Put a job back into the queue because its worker is dead; not without end."""
        job = replace(job, state="queued", attempt=job.attempt + 1, started=0.0)
        if job.attempt < _ATTEMPTS:
            self._put(job)
            self._records.enqueue(job.id.encode())
        else:
            self.fail(job, ImpastoError(f"its worker died {_ATTEMPTS} times"))

    def fail(self, job: Job, error: ImpastoError) -> Job:
        return self.end(job, "failed", error=problem(error))

    def end(
        self,
        job: Job,
        state: State,
        *,
        media_type: str = "",
        bytes: int = 0,
        error: Mapping[str, JsonValue] | None = None,
        notes: Iterable[str] = (),
    ) -> Job:
        """Write how a job ended. Only the results of a finished job stay."""
        job = replace(
            job, state=state, ended=time.time(), media_type=media_type, bytes=bytes, error=error,
            notes=(*job.notes, *notes),
        )  # fmt: skip
        self._marks.delete_data(f"{job.id}/preview")
        self._put(job)
        self._parts.clear(job.id, but=_MADE if state == "done" else ())
        return job

    def tidy(self) -> None:
        """Bring back jobs whose workers died, and delete what nobody needs.

        That is results that are old or too many, and data that belongs to no job.
        """
        places = self._waiting.since()  # first: a job that is missing here was never there
        kept, jobs = 0, self.all()
        self._sweep({job.id for job in jobs})
        self._count(jobs, places)
        for job in reversed(jobs):
            if self._expired(job):
                self._forget(job)
            elif job.final:
                kept += job.bytes
                if kept > self._options.results and job.bytes:
                    self._forget(job)
            elif self._taken(job) and self._silence(job.id) > LOST:
                if self._marks.put_if_empty(f"{job.id}/lost{job.attempt}", b"1"):
                    self.again(job)
            elif job.state == "queued" and not self._records.queue_size():
                # Taken by a worker that died before it could say so.
                self._records.enqueue(job.id.encode())

    # What all need.

    def _claims(self, job: Job) -> bool:
        """Say whether this call is the first to want the job in this attempt."""
        return bool(self._marks.put_if_empty(_claim(job), b"1"))

    def _taken(self, job: Job) -> bool:
        return job.state == "running" or bool(self._marks.has_data_for_key(_claim(job)))

    def _put(self, job: Job) -> None:
        self._records.put_data(job.id, records.encoded(job))
        if job.final:
            self._waiting.leave(job.id)

    def _read(self, id: str, data: object) -> Job | None:
        try:
            return records.job(id, data)
        except ValueError as error:
            if id not in self._said and len(self._said) < _SAID:
                self._said.add(id)
                _log.warning("the record of a job is left out: %s: %s", ascii(id), reason(error))
            return None

    def _ahead(self, job: Job) -> int:
        return sum(not each.final and each.created < job.created for each in self.all())

    def _silence(self, id: str) -> float:
        return time.time() - records.moment(self._marks.peek_data(f"{id}/beat"))

    def _expired(self, job: Job) -> bool:
        return job.final and time.time() - job.ended > self._options.expires

    def _forget(self, job: Job) -> None:
        self._records.delete_data(job.id)
        self._parts.clear(job.id)
        self._waiting.leave(job.id)
        for name in _marks():
            self._marks.delete_data(f"{job.id}/{name}")

    def _count(self, jobs: list[Job], places: Mapping[str, float]) -> None:
        """Give each job that is not over its place in the count, and remove the places of other
        jobs.

        The two differ where a process died between two steps, or where an older version gave no
        places.
        """
        active, over = ({job.id for job in jobs if job.final is final} for final in (False, True))
        for id, since in places.items():
            if id in over or (id not in active and time.time() - since > _STRAY):
                self._waiting.leave(id)
        for id in active - places.keys():
            self._waiting.enter(id, math.inf)

    def _sweep(self, known: set[str]) -> None:
        """Delete data that has belonged to no job for a while.

        It is not deleted at once. A job's record is written only when all that was sent for it is
        stored.
        """
        now = time.monotonic()
        self._strays = {id: self._strays.get(id, now) for id in self._parts.ids() - known}
        for id, since in self._strays.items():
            if now - since > _STRAY:
                self._parts.clear(id)


def _gone(name: str) -> Refusal:
    return Refusal(HTTPStatus.GONE, f"the {name} is gone, or not there yet")


def _marks() -> Iterator[str]:
    yield from _MARKS
    for attempt in range(_ATTEMPTS):
        yield from (f"claim{attempt}", f"lost{attempt}")


def _claim(job: Job) -> str:
    return f"{job.id}/claim{job.attempt}"

"""Does jobs: one at a time, each in a process of its own that can be ended at any moment."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path

from impasto.errors import ImpastoError, OptionError, PictureError, in_memory, reason
from impasto.files import atomic
from impasto.files.kinds import valid_format
from impasto.images.codecs.formats import recognise
from impasto.options import ServeOptions
from impasto.server import making, styles
from impasto.server.fields import FILM_TYPES
from impasto.server.jobs import Jobs
from impasto.server.painting import SMALLER
from impasto.server.problems import Refusal, problem
from impasto.server.processes import end_with_parent, processes, start
from impasto.server.records import Job, Kind

_log = logging.getLogger("impasto.server")

_POLL = 0.2
_OUTCOME = "outcome.json"
_PATIENT = {"optimize": 10, "polish": 10}
"""Niceness of work that takes minutes on all cores."""
_FAILED = 1
"""Python's exit code for unexpected errors: the place of the jobs is away, or the disk is full."""
_NEEDS = {"film": ["av"], "optimize": ["torch"], "polish": []}

_FILM = re.compile(
    rb"....(ftyp|moov|mdat|wide|free|skip)|\x1a\x45\xdf\xa3|RIFF....AVI |\x00\x00\x01[\xb3\xba]"
    rb"|OggS|FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\x47.{187}\x47|....\x47.{191}\x47",
    re.DOTALL,
)
_STILL = re.compile(rb"....ftyp(avi[fs]|hei[cmsx]|hev[cmsx]|mif1|msf1|crx )", re.DOTALL)
"""AVIF, HEIC and raw photographs, in the containers of films."""


def kinds() -> list[str]:
    """Return the kinds of jobs that can be done here."""
    return ["stylize", *(kind for kind, need in _NEEDS.items() if all(map(find_spec, need)))]


def is_film(head: bytes) -> bool:
    """Say whether a file that begins with ``head`` is a film; a GIF may be one."""
    return bool(_FILM.match(head)) and not _STILL.match(head)


def require_no_film(head: bytes) -> None:
    """Refuse films.

    Raises:
        PictureError: a file that begins with ``head`` is a film.
    """
    if is_film(head):
        raise PictureError("the picture is a film", hint="films: POST /v1/jobs")


def kind_of(image: bytes, painting: bytes | None, format: str | None, polish: bool = False) -> Kind:
    """Decide from the first bytes of what was sent which kind of job it is.

    ``polish`` says whether a style is to be learnt for it.

    Raises:
        PictureError: neither a picture nor a film.
        OptionError: this service does not do such jobs.
    """
    head = image[:1024]
    moving = head.startswith(b"GIF8") and format in FILM_TYPES
    film = painting is None and (is_film(head) or moving)
    if not film:
        recognise(head, "the picture")
    if painting is not None:
        recognise(painting[:1024], styles.WHAT)
    if film and polish:
        hint = "polish it with a picture, and send the style that comes out with the film"
        raise OptionError("a film cannot be painted while its style is polished", hint=hint)
    kind: Kind = "film" if film else "optimize" if painting else "polish" if polish else "stylize"
    if kind not in kinds():
        extra = "video" if kind == "film" else "train"
        hint = f"it does {', '.join(kinds())}; for more, install impasto[{extra}] there"
        raise OptionError(f"this service does no {kind} jobs", hint=hint)
    return kind


def format_of(kind: Kind, format: str | None) -> str:
    """Return the format of a job's result: for a picture by its usual name, for a film as given.

    "" means the picture's own format, or the first one that holds a film's sound.

    Raises:
        OptionError: one that is not written.
    """
    if not format:
        return ""
    if kind != "film":
        return valid_format(format)
    wanted = format.strip().lower()
    if wanted not in FILM_TYPES:
        hint = f"use {', '.join(FILM_TYPES)}"
        raise OptionError(f"{format!r} is not a kind of film that is written", hint=hint)
    return wanted


class Worker(threading.Thread):
    """Takes jobs and does them, until it is stopped; a job at hand is then done anew."""

    def __init__(self, options: ServeOptions) -> None:
        super().__init__(name="impasto-worker", daemon=True)
        self._options, self._stopped = options, threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        jobs: Jobs | None = None
        tidied = 0.0
        while not self._stopped.is_set():
            try:
                jobs = jobs or Jobs(self._options)
                if time.monotonic() - tidied > 1:
                    jobs.tidy()
                    tidied = time.monotonic()
                job = jobs.take()
                if job:
                    self._do(jobs, job)
                else:
                    self._stopped.wait(_POLL)
            except Exception as error:  # the place of the jobs is away, and may come back
                _log.warning("jobs cannot be reached, or done: %s", reason(error))
                self._stopped.wait(2)
        if jobs:
            jobs.close()

    def _do(self, jobs: Jobs, job: Job) -> None:
        until = time.monotonic() + self._options.job_deadline
        with _place(job.id) as folder:
            process = processes().Process(
                target=_perform, args=(self._options, job, folder), daemon=True
            )
            try:
                start(process)
            except (OSError, EOFError, RuntimeError):  # the system has no process to give
                jobs.release(job)
                raise
            try:
                while process.is_alive():
                    process.join(_POLL)
                    jobs.beat(job)
                    if self._stopped.is_set() or jobs.cancelled(job.id) or time.monotonic() > until:
                        break
                    if not jobs.owns(job):
                        break
            finally:  # also when the place of the jobs is away
                process.kill()
                process.join()
            self._end(jobs, job, Path(folder, _OUTCOME), process.exitcode, until)

    def _end(self, jobs: Jobs, job: Job, path: Path, exitcode: int | None, until: float) -> None:
        """Record how a job ended after its process has gone.

        What the process reported was true before anything stopped it. So an existing result is not
        thrown away.
        """
        if not jobs.owns(job):
            _log.warning("a job is no longer this worker's: it was cut off, or the job is over")
        elif path.exists():
            outcome = json.loads(path.read_bytes())
            jobs.end(job, outcome.pop("state"), **outcome)
        elif jobs.cancelled(job.id):
            jobs.end(job, "cancelled")
        elif self._stopped.is_set() and exitcode:
            jobs.release(job)
        elif time.monotonic() > until:
            jobs.fail(job, self._overdue())
        elif exitcode == _FAILED:
            jobs.again(job)
        else:
            jobs.fail(job, PictureError("the process that painted the picture crashed"))

    def _overdue(self) -> Refusal:
        return Refusal(
            HTTPStatus.GATEWAY_TIMEOUT,
            f"it took longer than {self._options.job_deadline:g} s",
            hint=SMALLER,
        )


@contextmanager
def _place(id: str) -> Iterator[str]:
    """Make a folder for a job, and remove it afterwards. Nobody but us knows its ``id``."""
    folder = Path(tempfile.gettempdir(), f"impasto-{id}")
    shutil.rmtree(folder, ignore_errors=True)  # a killed worker left it
    folder.mkdir(mode=0o700)
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _perform(options: ServeOptions, job: Job, folder: str) -> None:
    """Do a job; leave the outcome in a file for the worker."""
    end_with_parent()
    if hasattr(os, "nice"):
        os.nice(_PATIENT.get(job.kind, 5))  # clients that wait come first
    jobs = Jobs(options)
    try:
        what = making.SENT if job.kind == "film" else "the picture"
        with in_memory(what, hint=SMALLER):
            outcome = making.made(options, job, jobs, Path(folder))
    except ImpastoError as error:
        outcome = {"state": "failed", "error": problem(error)}
    jobs.close()
    atomic.write(Path(folder) / _OUTCOME, json.dumps(outcome).encode())

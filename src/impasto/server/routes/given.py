"""What routes get: the options of the service, its jobs, and the job that a path names."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from impasto.options import ServeOptions
from impasto.server.jobs import Jobs
from impasto.server.records import Job


def _options(request: Request) -> ServeOptions:
    options: ServeOptions = request.app.state.options
    return options


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


def _job(id: str, jobs: Annotated[Jobs, Depends(_jobs)]) -> Job:
    return jobs.get(id)


Options = Annotated[ServeOptions, Depends(_options)]
AllJobs = Annotated[Jobs, Depends(_jobs)]
OneJob = Annotated[Job, Depends(_job)]

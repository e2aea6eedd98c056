"""Counts and times in the format of Prometheus."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable
from http import HTTPMethod

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from starlette.types import Scope

from impasto.server.jobs import Jobs
from impasto.server.painters import Painters

_METHODS = {method.value for method in HTTPMethod}


class Metrics:
    """The numbers of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("route", "method", "status")
        self._requests = Counter(
            "impasto_requests", "Requests answered.", labels, registry=self._registry
        )
        self._seconds = Histogram(
            "impasto_request_seconds",
            "Seconds until the end of an answer.",
            ("route",),
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count an answer.

        A client cannot make a label. Labels stay for ever, and a client could make endlessly many.
        """
        route = getattr(scope.get("route"), "path", "")  # never the path itself
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def watch(self, painters: Painters, jobs: Jobs) -> None:
        """Report the state of painters and jobs, whenever somebody asks."""
        self._registry.register(_Watched(painters, jobs))

    def text(self) -> tuple[bytes, int, dict[str, str]]:
        """Return body, status and headers of the answer."""
        return generate_latest(self._registry), 200, {"Content-Type": CONTENT_TYPE_LATEST}


class _Watched:
    def __init__(self, painters: Painters, jobs: Jobs) -> None:
        self._painters, self._jobs = painters, jobs

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for name, description, value in (
            ("impasto_painters_busy", "Pictures that are painted.", self._painters.busy),
            ("impasto_painters_waiting", "Pictures that wait.", self._painters.waiting),
        ):
            yield GaugeMetricFamily(name, description, value=value)
        states = GaugeMetricFamily("impasto_jobs", "Jobs at hand.", labels=["state"])
        for state, count in Counts(job.state for job in self._jobs.all()).items():
            states.add_metric([state], count)
        yield states

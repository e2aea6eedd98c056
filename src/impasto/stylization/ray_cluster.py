"""Many pictures and films on many machines, by Ray Data."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, cast

from impasto import errors
from impasto.distribution import need
from impasto.errors import ImpastoError
from impasto.progress import CancelToken, silent
from impasto.stylization import batch
from impasto.stylization.results import Result, Settings, is_there

if TYPE_CHECKING:
    from types import ModuleType

    from impasto.files.paths import Task
    from impasto.stylization.layers import Styles

Row: TypeAlias = dict[str, Any]
"""Of Ray's table: what a worker tells of a task."""
_COLUMNS = ("seconds", "width", "height", "device", "sha256", "skipped")


def run(
    tasks: Sequence[Task],
    styles: Mapping[str, Styles],
    settings: Settings,
    *,
    cancel: CancelToken | None = None,
) -> Iterator[Result]:
    """Do ``tasks`` as :func:`impasto.stylization.batch.run` does, in no order.

    They are shared out over the Ray cluster that ``RAY_ADDRESS`` names, or over this machine.

    Inputs, outputs and styles lie where every machine sees them. A worker that dies is
    replaced; what it had finished is not done again.

    Raises:
        StyleError: before any work, for a style that cannot be used.
        MissingExtraError: Ray Data is not installed, or, for a film, PyAV.
    """
    need("pyarrow", "cluster", "--ray")  # Ray Data needs it, and says so only when it runs
    ray = need("ray", "cluster", "--ray")
    batch.require_for_films(tasks, settings)
    batch.require_styles(tasks, styles, settings)
    left, taken = [], batch.places(tasks)
    tasks = [each if is_there(each, settings) else batch.fitting(each, taken) for each in tasks]
    for task in tasks:
        if is_there(task, settings):
            yield Result(task, skipped=True)
        else:
            left.append(task)
    if not left or (cancel and cancel.cancelled):
        return
    with redirect_stdout(cast("TextIO", _OwnOutput())):
        ours = not ray.is_initialized()
        if ours:
            ray.init(log_to_driver=False, include_dashboard=False)
        try:
            for row in _rows(ray, left, styles, settings):
                yield _result_of(left[row["number"]], row)
                if cancel and cancel.cancelled:
                    return
        finally:
            if ours:
                with redirect_stdout(sys.stderr):  # its last notes come now
                    ray.shutdown()


def _rows(
    ray: ModuleType, tasks: Sequence[Task], styles: Mapping[str, Styles], settings: Settings
) -> Iterator[Row]:
    """What Ray's workers tell of each task, as a table's rows."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = ray.data.from_items(
        [{"number": number} for number in range(len(tasks))], override_num_blocks=len(tasks)
    )
    workers = min(len(tasks), max(1, int(ray.cluster_resources().get("CPU", 1))))
    painted = rows.map(
        _Worker,
        fn_constructor_args=(tasks, dict(styles), settings),
        concurrency=(1, workers),
        num_cpus=1,
    )
    results = iter(painted.iter_rows())
    while True:
        with redirect_stdout(sys.stderr):  # Ray's notes are no results
            row = next(results, None)
        if row is None:
            return
        yield row


class _OwnOutput:
    """Standard output for the thread that made it; for others, which are Ray's, standard error."""

    def __init__(self) -> None:
        self._thread, self._output = threading.get_ident(), sys.stdout

    def __getattr__(self, name: str) -> object:
        own = threading.get_ident() == self._thread
        return getattr(self._output if own else sys.stderr, name)


class _Worker:
    """A worker, with the styles that it has loaded. What does not start is an error of each task:
    of this machine, perhaps; others may do better."""

    def __init__(
        self, tasks: Sequence[Task], styles: Mapping[str, Styles], settings: Settings
    ) -> None:
        self._jobs, self._styles = tasks, styles
        self._settings = replace(settings, threads=settings.threads or 1)
        self._load = batch.loader(styles, self._settings)

    def __call__(self, row: Row) -> Row:
        task, settings = self._jobs[row["number"]], self._settings
        if is_there(task, settings):  # by a worker that died before it could say so
            return row | _row(Result(task))
        if task.is_film:
            style = self._styles[task.style]
            return row | _row(batch.film(task, style, settings, silent, CancelToken()))
        return row | _row(batch.one(task, self._load, settings))


def _row(result: Result) -> Row:
    """A result as what a table can hold."""
    columns = {name: getattr(result, name) for name in _COLUMNS} | {"notes": list(result.notes)}
    if error := result.error:
        # One that the others know, for those of runtimes.py.
        kind = next(each.__name__ for each in type(error).__mro__ if hasattr(errors, each.__name__))
        return columns | {"kind": kind, "message": error.message, "hint": error.hint}
    return columns | {"kind": "", "message": "", "hint": ""}


def _result_of(task: Task, row: Row) -> Result:
    error: ImpastoError | None = None
    if row["kind"]:
        kind: type[ImpastoError] = getattr(errors, row["kind"])
        error = kind.__new__(kind)  # as it was: some make their messages themselves
        ImpastoError.__init__(error, row["message"], hint=row["hint"])
    columns = {name: row[name] for name in _COLUMNS}
    return Result(task, **columns, notes=tuple(row["notes"]), error=error)

"""What a person sees in a terminal: errors, verdicts, tables, a bar. All but results: stderr."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from impasto.errors import ImpastoError
from impasto.files import lookup
from impasto.options.fields import flattened
from impasto.progress import silent

if TYPE_CHECKING:
    from pathlib import Path

    from impasto.options.fields import Json
    from impasto.progress import OnProgress, Progress
    from impasto.stylization.results import Result

_LINE_SECONDS = 10.0
"""Seconds between lines of progress, where there is no bar."""


class Terminal:
    """How loud to be: errors only, more than usual, or JSON for programs."""

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, as_json: bool = False
    ) -> None:
        self.quiet, self.verbose, self.as_json = quiet, verbose, as_json

    def say(self, text: str) -> None:
        """Print a line for a person, on stderr."""
        if not self.quiet:
            print(_readable(text), file=sys.stderr)

    def error(self, error: ImpastoError, subject: str = "") -> None:
        """Print ``subject: what happened - what to do``, on stderr."""
        text = str(error)
        prefix = "" if not subject or text.startswith(subject) else f"{subject}: "
        print(_readable(f"{prefix}{text}"), file=sys.stderr)

    def result(self, result: Result) -> None:
        """Print one task of a batch: a JSON object, or a line."""
        if self.as_json:
            print(json.dumps(record(result)), flush=True)
        elif result.error:
            self.error(result.error, str(result.task.input))
        elif result.skipped:
            self.say(f"{result.task.output} is there already - skipped; --overwrite replaces it")
        else:
            self.say(
                f"{result.task.output}  {result.width}x{result.height}  {result.seconds:.2f} s"
            )
            for note in result.notes:
                self.say(f"  {result.task.input}: {note}")
            if self.verbose:
                self.say(f"  {result.task.style} on {result.device}")

    def left_out(self, files: Sequence[Path]) -> None:
        """Print files that were not painted: a JSON object each, or a line for each kind."""
        if self.as_json:
            for path in files:
                kind, remedy = lookup.why_left_out(path)
                about = {"input": str(path), "status": "left out", "kind": kind, "hint": remedy}
                print(json.dumps(about), flush=True)
            return
        for line in lookup.left_out_in_words(files):
            self.say(line)

    def print_json(self, value: Json) -> None:
        print(json.dumps(value, indent=2))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table on stdout."""
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in header:
            table.add_column(_readable(name), overflow="fold")  # with no sign that ASCII lacks
        for row in rows:
            table.add_row(*map(_readable, row))
        # A pipe has no width; programs and grep want each row whole.
        width = None if sys.stdout.isatty() else 500
        Console(width=width, markup=False, emoji=False).print(table)

    def details(self, title: str, record: Mapping[str, Json]) -> None:
        """Print a nested record on stdout: a table of two columns, or JSON."""
        if self.as_json:
            self.print_json(record)
        else:
            self.table(("", title), [(key, str(value)) for key, value in flattened(record)])

    @contextmanager
    def bar(self, what: str, *, lines: bool = False) -> Iterator[OnProgress]:
        """Show a progress bar on stderr, if a person looks at it; yield the callback that moves it.

        For a file, or a program, print a line now and then, if ``lines`` are wanted.
        """
        with self._bar(what, lines=lines) as move:

            def on_progress(progress: Progress) -> None:
                if progress.note:
                    self.say(progress.note)
                else:
                    move(progress)

            yield on_progress

    @contextmanager
    def _bar(self, what: str, *, lines: bool) -> Iterator[OnProgress]:
        if self.quiet or self.as_json or not sys.stderr.isatty():
            wanted = lines and not (self.quiet or self.as_json)
            yield _Lines(what, self) if wanted else silent
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
        )
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=None, losses="")

            def move(progress: Progress) -> None:
                losses = _losses(progress)
                bar.update(task, total=progress.total, completed=progress.step, losses=losses)

            yield move


class _Lines:
    """Progress for a file: the first step, the last one, and one every few seconds."""

    def __init__(self, what: str, terminal: Terminal) -> None:
        self._what, self._terminal = what, terminal
        self._first: tuple[int, float] | None = None
        self._last = -math.inf

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        step, began = self._first = self._first or (progress.step, now)
        if now - self._last < _LINE_SECONDS and progress.step < progress.total:
            return
        self._last = now
        parts = [f"{self._what} {progress.step} of {progress.total}", _losses(progress)]
        if done := progress.step - step:
            left = (now - began) / done * (progress.total - progress.step)
            parts.append(f"{timedelta(seconds=round(left))} left")
        self._terminal.say("  ".join(filter(None, parts)))


def _losses(progress: Progress) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())


def record(result: Result) -> dict[str, Json]:
    """Describe one task for ``--json``."""
    fields: dict[str, Json] = {
        "input": str(result.task.input),
        "output": str(result.task.output),
        "style": result.task.style,
        "status": result.status,
    }
    if result.error:
        return fields | {"error": error_record(result.error)}
    if result.skipped:
        return fields
    return fields | {
        "width": result.width,
        "height": result.height,
        "seconds": round(result.seconds, 4),
        "device": result.device,
        "sha256": result.sha256,
        "notes": list(result.notes),
    }


def error_record(error: ImpastoError) -> dict[str, str]:
    """Describe an error for programs; ``code`` is the name of its class."""
    return {"code": type(error).__name__, "message": error.message, "hint": error.hint}


def _readable(text: str) -> str:
    """Remove control characters and lone surrogates from ``text``."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )

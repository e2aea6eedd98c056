"""How long work reports its progress, and how it is stopped. Draws nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event

from impasto.errors import Cancelled


@dataclass(frozen=True)
class Progress:
    """One step of long work: ``step`` of ``total`` is done."""

    step: int
    total: int
    losses: Mapping[str, float] = field(default_factory=dict)
    message: str = ""
    note: str = ""
    """A note for the user; it comes once, and is no step."""


OnProgress = Callable[[Progress], None]
"""A callback that long work calls after each step; it may raise to stop the work."""


def silent(_: Progress) -> None:
    """The callback that ignores progress."""


class CancelToken:
    """A token that any thread may set; the work looks at it between its steps."""

    def __init__(self) -> None:
        self._event = Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise :class:`~impasto.errors.Cancelled` once :meth:`cancel` was called."""
        if self.cancelled:
            raise Cancelled("stopped")

"""Ctrl-C and SIGTERM: exit codes 130 and 143 at any moment, and no traceback.

During imports there is no work to bring to an end. An exception there may get lost, or be taken for
another one. So the process ends at once. Later the signal is an exception. Then the work at hand is
finished, or leaves nothing behind.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing and signal import for so long that a signal may come meanwhile
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from sys import UnraisableHookArgs
    from types import FrameType, TracebackType
    from typing import NoReturn
else:
    import _signal as signal

_NUMBERS = signal.SIGINT, signal.SIGTERM


class Signals:
    """A context that says what signals do until the process ends."""

    def __init__(self) -> None:
        self._code: int | None = None
        """The exit code of the process, once a signal has come."""

    def __enter__(self) -> Signals:
        self._handle(_leave)
        self._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
        return self

    def interrupt(self) -> None:
        """From now on, signals are exceptions."""
        self._handle(self._raise)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        _flush()
        self._handle(_leave)
        sys.unraisablehook = self._hook
        if self._code is not None:  # whatever a library has made of the exception
            raise SystemExit(self._code) from None

    def _handle(self, handler: Callable[[int, FrameType | None], NoReturn]) -> None:
        for number in _NUMBERS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as in the background of a shell
                signal.signal(number, handler)

    def _raise(self, number: int, _: FrameType | None) -> NoReturn:
        self._code = 128 + number
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(self._code)

    def _unraisable(self, about: UnraisableHookArgs) -> None:
        """End where Python would print the exception and go on."""
        if self._code is not None and isinstance(about.exc_value, KeyboardInterrupt | SystemExit):
            _end(self._code)
        self._hook(about)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # the stream is missing, closed or full
            continue


def _leave(number: int, _: FrameType | None) -> NoReturn:
    _end(128 + number)


def _end(code: int) -> NoReturn:
    """End now, without leaving half-written files."""
    try:
        # It may be half imported, or not at all.
        getattr(sys.modules.get("impasto.files.atomic"), "abandon", lambda: None)()
    finally:
        os._exit(code)

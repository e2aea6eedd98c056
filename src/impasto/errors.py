"""Everything that impasto raises on purpose.

::

    ImpastoError                what happened; .hint says what to do next
    ├── OptionError             a value or a name that impasto does not take
    ├── PictureError            a file or an object that is not a usable picture
    │   └── PictureLimitError   a picture above the limits, or above what memory holds
    ├── OutputError             a result that could not be written
    ├── StyleError              a style file that is damaged or not impasto's
    ├── DeviceError             a device that does not work here
    ├── MissingExtraError       a part of impasto that is not installed
    ├── TrainingError           a training that cannot start or go on
    └── Cancelled               stopped from outside; what is finished is kept

The command line prints ``message - hint`` and ends with ``exit_code``; a service answers
with ``http_status``.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class ImpastoError(Exception):
    """Base of all errors: a sentence for a person, and a hint that says what to do next."""

    exit_code = 1
    http_status = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} - {self.hint}" if self.hint else self.message


class OptionError(ImpastoError, ValueError):
    """A value or a name that impasto does not take."""

    exit_code = 2
    http_status = 422


class PictureError(ImpastoError, ValueError):
    """A file or an object that is not a usable picture."""

    http_status = 422


class PictureLimitError(PictureError):
    """A picture above the limits, or one that memory does not hold.

    impasto refuses it before it reads the pixels.
    """

    http_status = 413


class OutputError(ImpastoError, OSError):
    """A result that could not be written; whatever stood there before still does."""

    __str__ = ImpastoError.__str__


class StyleError(ImpastoError):
    """A style file that is damaged, or that impasto did not make."""

    exit_code = 3
    http_status = 422


class DeviceError(ImpastoError):
    """A device that was asked for and does not work here."""

    exit_code = 3
    http_status = 503


class MissingExtraError(ImpastoError, ImportError):
    """A part of impasto whose packages are not installed."""

    exit_code = 3
    http_status = 501
    __str__ = ImpastoError.__str__

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(f"{what} is not installed", hint=f'pip install "impasto[{extra}]"')
        self.args = extra, what  # another process makes the same one from these


class TrainingError(ImpastoError):
    """A training that cannot start or go on; what it had learnt is on disk."""


class Cancelled(ImpastoError):  # noqa: N818 - not a fault
    """Stopped from outside; what is finished is kept."""

    exit_code = 130
    http_status = 499


def did_you_mean(name: str, names: Iterable[str], otherwise: str = "") -> str:
    """Make a hint for a name that is none of ``names``: the nearest ones, up to three."""
    near = difflib.get_close_matches(name.lower(), dict.fromkeys(names).keys(), 3, 0.6)
    return f"did you mean {' or '.join(near)}?" if near else otherwise


@contextmanager
def in_memory(
    what: str, *, hint: str, kind: type[ImpastoError] = PictureLimitError
) -> Iterator[None]:
    """A context that reports too little memory, or no thread, for ``what``.

    It does not matter which library finds it out. ``kind`` is the class of the error.

    Raises:
        PictureLimitError: it does not fit.
    """
    try:
        yield
    except Exception as error:  # each library has its own class
        if isinstance(error, ImpastoError) and not isinstance(error, MemoryError):
            raise  # it is a sentence already
        if any("start new thread" in str(each) for each in _chain(error)):
            raise kind(
                f"no thread can be started for {what}: too many run here",
                hint="allow more (ulimit -u), or more memory (ulimit -v), or use fewer",
            ) from error
        if not any(is_of_memory(each) for each in _chain(error)):
            raise
        raise kind(f"{what} does not fit into memory", hint=hint) from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error, and the errors that caused it: a library may have made its own of one."""
    for _ in range(20):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def is_of_memory(error: BaseException) -> bool:
    """Say whether an error means too little memory; the libraries' errors share no class."""
    text = str(error).lower()
    known = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    return known or "alloc" in text or "failed to map segment" in text


def reason(error: Warning | BaseException | str) -> str:
    """Return what an error of the system or of another library says, in one line."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__

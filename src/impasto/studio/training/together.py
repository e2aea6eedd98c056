"""Messages between the processes of one training.

They may be on machines that share no disk. Only the first process reads and writes the training's
folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from accelerate.utils import broadcast_object_list, gather_object

from impasto.errors import ImpastoError, TrainingError

if TYPE_CHECKING:
    from accelerate import Accelerator

Told = TypeVar("Told")

_LOST = ("closed by peer", "reset by peer", "connection refused", "timed out", "broken pipe")
"""Texts in torch's errors when another process is gone; they have no class of their own."""


def of_first(accelerator: Accelerator, make: Callable[[], Told]) -> Told:
    """Return, in all processes, what the first one makes; also raise its own errors in all."""
    if accelerator.num_processes == 1:
        return make()
    answer: list[tuple[Told | None, ImpastoError | None]] = [(None, None)]
    if accelerator.is_main_process:
        try:
            answer = [(make(), None)]
        except ImpastoError as error:
            answer = [(None, error)]
    broadcast_object_list(answer)
    told, refused = answer[0]
    if refused:
        raise refused
    return told  # type: ignore[return-value]  # None only where it was made


def require_same(accelerator: Accelerator, sources: Mapping[str, str]) -> None:
    """Check the sources of all machines.

    Raises:
        TrainingError: another machine learns from other files than the first one.
    """
    if accelerator.num_processes == 1:
        return
    everywhere = gather_object([dict(sources)])
    for number, each in enumerate(everywhere):
        other = [name for name in sources if each.get(name) != everywhere[0][name]]
        if other:
            raise TrainingError(
                f"the {' and '.join(other)} of process {number} differ from those of the first",
                hint="copy the same files to every machine, with the same names",
            )


@contextmanager
def present(accelerator: Accelerator) -> Iterator[None]:
    """A context that says that another process is gone, in place of torch's error.

    Raises:
        TrainingError: it is.
    """
    try:
        yield
    except RuntimeError as error:
        lost = any(each in str(error).lower() for each in _LOST)
        if accelerator.num_processes == 1 or isinstance(error, ImpastoError) or not lost:
            raise
        raise TrainingError(
            "another process of this training is gone",
            hint="the same command on every machine goes on from the last checkpoint",
        ) from error

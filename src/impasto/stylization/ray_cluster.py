"""Many pictures and films on many machines, with Ray.

This machine reads and writes the files, the others paint. They share no disk. The content of a
picture's file travels to one of them. The content of its painting's file comes back.
"""

from __future__ import annotations

import functools
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, cast

from impasto import images
from impasto.distribution import need
from impasto.errors import DeviceError, ImpastoError, in_memory, reason
from impasto.files import atomic
from impasto.progress import CancelToken, silent
from impasto.stylization import batch, layers
from impasto.stylization.carried import Carried, packed
from impasto.stylization.results import Result, Settings, is_there
from impasto.video import workplace

if TYPE_CHECKING:
    from types import ModuleType

    from impasto.files.naming import Task
    from impasto.stylization.layers import Painter, Styles

LOCAL = "local"
"""In place of a cluster's address: a Ray of this machine alone, for this run."""
_AUTO = "auto"
"""The cluster that this machine is in."""
_AHEAD = 2
"""Pictures that are sent for each processor: while one is painted, the next arrives."""
_RETRIES = 3
"""Times that a picture is sent again when its worker dies; the picture may be what kills them."""
_ANSWERS = 3.0
_LOOK = 0.5
"""Seconds in which a cluster has to answer; also the pause between searches for new machines."""
_GRACE = 10.0
"""Seconds in which Ray has to send the work of a lost machine again."""
_KEPT = 4
"""Styles that a worker keeps loaded."""
_LARGEST_FILM = 1 << 40
_MODE, _TOKEN = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"
_STARTED = (
    "run this on a machine of the cluster, after ray start, with the RAY_AUTH_MODE and "
    "RAY_AUTH_TOKEN that it was started with"
)

Pending: TypeAlias = Any
"""Ray's handle of a result to come."""


def run(
    tasks: Sequence[Task],
    styles: Mapping[str, Styles],
    settings: Settings,
    *,
    address: str = LOCAL,
    cancel: CancelToken | None = None,
) -> Iterator[Result]:
    """Do ``tasks`` as :func:`impasto.stylization.batch.run` does, in no order.

    They are shared out over the Ray cluster at ``address``, as ``HOST:PORT`` or ``"auto"``. This
    machine must belong to it. ``"local"`` shares them out over this machine. Others take over from
    a worker or a machine that dies. Only the work at hand there is done again. A film that was
    begun on this machine goes on here.

    Raises:
        StyleError: before any work, for a style that cannot be used.
        DeviceError: no such cluster answers, or this machine is not in it.
        MissingExtraError: Ray is not installed, or, for a film, PyAV.
    """
    ray = imported(address)
    batch.require_for_films(tasks, settings)
    batch.require_styles(tasks, styles, settings)
    cancel = cancel or CancelToken()
    left: list[Task] = []
    begun: list[Task] = []
    taken = batch.places(tasks)
    tasks = [each if is_there(each, settings) else batch.fitting(each, taken) for each in tasks]
    for task in tasks:
        if is_there(task, settings):
            yield Result(task, skipped=True)
        else:
            (begun if task.is_film and workplace.unfinished(task.output) else left).append(task)
    if left and not cancel.cancelled:
        with connected(ray, address):
            yield from _shared_out(ray, left, styles, settings, cancel)
    for task in begun:
        if not cancel.cancelled:
            yield batch.film(task, styles[task.style], settings, silent, cancel, taken)


def imported(address: str) -> ModuleType:
    """Ray, with the authentication that the cluster at ``address`` is likely to have.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    if "ray" not in sys.modules:  # it reads its environment when it is imported
        authenticate(address)
    return need("ray", "cluster", "--ray")


def authenticate(address: str) -> None:
    """Tell Ray how to authenticate, unless ``RAY_AUTH_MODE`` does.

    A Ray of this machine gets a token of its own, which is not kept. A cluster gets the token that
    this user has, if there is one, as with ``ray start``.
    """
    if _MODE in os.environ:
        return
    if address == LOCAL:
        os.environ.setdefault(_TOKEN, secrets.token_hex(32))
    if _has_token():
        os.environ[_MODE] = "token"


def _has_token() -> bool:
    """Whether Ray finds one, in the environment or in this user's home."""
    if os.environ.get(_TOKEN) or os.environ.get(f"{_TOKEN}_PATH"):
        return True
    with suppress(RuntimeError, OSError):  # no home, or none that can be read
        return (Path.home() / ".ray" / "auth_token").is_file()
    return False


@contextmanager
def connected(ray: ModuleType, address: str) -> Iterator[None]:
    """A context with Ray; what Ray prints does not count as a result.

    Raises:
        DeviceError: no cluster answers at ``address``, or this machine is not in it.
    """
    with redirect_stdout(cast("TextIO", _OwnOutput())):
        if ray.is_initialized():
            yield
            return
        _require_answer(address)
        dashboard = {"include_dashboard": False} if address == LOCAL else {}
        try:
            ray.init(
                address=address, log_to_driver=False, logging_level=logging.WARNING, **dashboard
            )
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise DeviceError(
                f"the Ray cluster {address} cannot be used: {reason(error)}", hint=_STARTED
            ) from error
        try:
            yield
        finally:
            with redirect_stdout(sys.stderr):  # its last notes come now
                ray.shutdown()


def _require_answer(address: str) -> None:
    """Check that a cluster answers. Ray itself would try for a minute, and then end this process.

    Raises:
        DeviceError: nothing answers there.
    """
    host, _, port = address.rpartition(":")
    if address in (LOCAL, _AUTO):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWERS).close()
    except (OSError, ValueError) as error:
        raise DeviceError(
            f"no Ray cluster answers at {address}: {reason(error)}",
            hint="give its HOST:PORT, such as 10.0.0.1:6379; auto; or local for this machine",
        ) from error


def _shared_out(
    ray: ModuleType,
    tasks: Sequence[Task],
    styles: Mapping[str, Styles],
    settings: Settings,
    cancel: CancelToken,
) -> Iterator[Result]:
    """Give each task's result as soon as it is there and written."""
    work = ray.remote(num_cpus=1, max_retries=_RETRIES)(_work)
    carried = {name: ray.put(packed(styles[name])) for name in {task.style for task in tasks}}
    left, done = deque(tasks), set[str]()
    waiting, late = dict[Pending, _Sent](), dict[Pending, _Sent]()
    lost: dict[str, float] = {}
    while len(done) < len(tasks):
        for each in _stranded(ray, waiting, lost):
            late[each] = waiting.pop(each)  # the first answer counts
            left.appendleft(late[each].task)
        room = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1))) - len(waiting)
        for task in [left.popleft() for _ in range(min(room, len(left)))]:
            try:
                content = _content(task, settings)
            except ImpastoError as error:
                done.add(str(task.output))
                yield Result(task, error=error)
                continue
            pending = work.remote(task, content, carried[task.style], settings)
            waiting[pending] = _Sent(task, time.monotonic())
        everything = waiting | late
        answered, _ = ray.wait([*everything], timeout=_LOOK) if everything else ([], [])
        for each in answered:
            task = everything[each].task
            waiting.pop(each, None)
            late.pop(each, None)
            if str(task.output) not in done:
                done.add(str(task.output))
                yield _result(ray, each, task, settings)
        if cancel.cancelled:
            for each in everything:
                ray.cancel(each, force=True)
            return


@dataclass(frozen=True)
class _Sent:
    """A task that a worker has, and the time since then."""

    task: Task
    at: float


def _stranded(
    ray: ModuleType, waiting: Mapping[Pending, _Sent], lost: dict[str, float]
) -> list[Pending]:
    """Return the work that may be at a ``lost`` machine; ``lost`` has the times of the losses.

    Ray sends the work of a dead machine again. For a machine whose cable was pulled, it waits many
    minutes for an answer.
    """
    now = time.monotonic()
    for node in ray.nodes():
        if not node["Alive"]:
            lost.setdefault(node["NodeID"], now)
    return [
        pending
        for pending, sent in waiting.items()
        if any(sent.at < since < now - _GRACE for since in lost.values())
    ]


def _content(task: Task, settings: Settings) -> bytes:
    options = replace(settings.read, max_bytes=_LARGEST_FILM) if task.is_film else settings.read
    with in_memory(str(task.input), hint="paint it without --ray"):
        return images.content(task.input, options)


def _result(ray: ModuleType, pending: Pending, task: Task, settings: Settings) -> Result:
    try:
        result, data = ray.get(pending)
    except ray.exceptions.RayTaskError:
        raise  # our own fault
    except ray.exceptions.RayError:
        what = f"the workers that painted it died, {_RETRIES + 1} times"
        hint = "it may need more memory than they have: use a smaller --size"
        return Result(task, error=DeviceError(what, hint=hint))
    return batch.written(result, data, settings)


def _work(
    task: Task, content: bytes, carried: Carried, settings: Settings
) -> tuple[Result, bytes | None]:
    """On a worker: return a task's result, and the content of its output.

    A part that does not start here is an error of the task; this machine may be the reason.
    """
    settings = replace(settings, threads=settings.threads or 1)
    try:
        if task.is_film:
            return _film(task, content, carried, settings)
        return batch.one(task, content, lambda _: _loaded(carried, settings), settings)
    except ImpastoError as error:
        return Result(task, error=error), None


def _film(
    task: Task, content: bytes, carried: Carried, settings: Settings
) -> tuple[Result, bytes | None]:
    with TemporaryDirectory(prefix="impasto-") as folder:
        source, target = Path(folder, task.input.name), Path(folder, "painted", task.output.name)
        atomic.write(source, content)
        here = replace(task, input=source, output=target, free=False)
        result = batch.film(here, _unpacked(carried)[1], settings, silent, CancelToken())
        if error := result.error:
            error.message = error.message.replace(str(source), str(task.input))
            return replace(result, task=task), None
        return replace(result, task=task), target.read_bytes()


@functools.lru_cache(maxsize=_KEPT)
def _unpacked(carried: Carried) -> tuple[TemporaryDirectory[str], Styles]:
    """Unpack the styles; also return the folder that holds them while they are used."""
    place = TemporaryDirectory(prefix="impasto-")
    return place, carried.unpacked(Path(place.name))


@functools.lru_cache(maxsize=_KEPT)
def _loaded(carried: Carried, settings: Settings) -> Painter:
    styles = _unpacked(carried)[1]
    return layers.painter(styles, device=settings.device, threads=settings.threads)


class _OwnOutput:
    """Standard output for the thread that made it; for others, which are Ray's, standard error."""

    def __init__(self) -> None:
        self._thread, self._output = threading.get_ident(), sys.stdout

    def __getattr__(self, name: str) -> object:
        own = threading.get_ident() == self._thread
        return getattr(self._output if own else sys.stderr, name)

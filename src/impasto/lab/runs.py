"""Runs of an experiment: each is done once, kept, and shared out among processes or machines.

A run is a PNG and a JSON file. A hash of all that decides what is painted names them. The JSON file
comes last. A run that is there is not done again. So a stopped lab goes on. A lab whose axes
changed does only the new runs.
"""

from __future__ import annotations

import functools
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import torch

from impasto import images, untrusted
from impasto.errors import ImpastoError, TrainingError, in_memory
from impasto.files import atomic
from impasto.images.picture import Picture
from impasto.inference import devices
from impasto.lab.experiment import Trial
from impasto.lab.remembering import Remembering
from impasto.options import OptimizeOptions
from impasto.options.losses import KINDS
from impasto.progress import CancelToken, OnProgress, Progress, silent
from impasto.studio.optimization.optimize import Step, optimize
from impasto.studio.perceptual import loading
from impasto.stylization import ray_cluster
from impasto.untrusted import Json

RUNS = "runs"

_MOST_BYTES = 1 << 28
"""Most bytes of a record: a hundred thousand evaluations with the losses of dozens of layers."""
_SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Done:
    """A run and its result; ``error`` says why there is none."""

    trial: Trial
    key: str
    losses: list[dict[str, float]]
    """Losses after each evaluation: total, content, style, tv, and each layer's own."""
    seconds: float = 0
    memory: int = 0
    """Largest resident memory of the process while it ran, in bytes."""
    error: str = ""
    kept: bool = False
    """Whether an earlier call made it."""

    def picture(self, folder: Path) -> Path:
        return folder / RUNS / f"{self.key}.png"


@in_memory("the experiment", hint="use a smaller --size, or fewer --workers", kind=TrainingError)
def run(
    trials: Sequence[Trial],
    folder: Path,
    *,
    workers: int = 1,
    ray: str | None = None,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> list[Done]:
    """Do what is not done yet, and return all of it, in the order of ``trials``.

    Args:
        trials: what to paint.
        folder: where the report is written; runs are kept in its ``runs``.
        workers: processes on this machine; each takes its part of the cores.
        ray: share the runs out over a Ray cluster instead. It is the address, as
            :func:`impasto.stylization.ray_cluster.run` takes it.
        on_progress: called after each run.
        cancel: stops after the evaluation at hand, or with several workers after their runs.
            Unfinished runs are left out.

    Raises:
        OutputError: ``folder`` takes no files.
        PictureError: a picture of a trial cannot be read.
        MissingExtraError: ``ray`` without the package.
    """
    cancel = cancel or CancelToken()
    atomic.require_places([folder / RUNS / "any.png"], [], overwrite=True)
    keyed = [(trial.key, trial) for trial in trials]
    done = {key: kept for key, trial in keyed if (kept := _read(key, trial, folder))}
    left = {key: trial for key, trial in keyed if key not in done}
    total, finished = len(dict(keyed)), len(done)
    on_progress(Progress(finished, total))
    spread: _Spread = functools.partial(_in_processes, workers)
    if workers == 1 or len(left) < 2:
        spread = _here
    if ray and left:
        spread = functools.partial(_on_ray, ray)
    for key, result in spread(_by_network(left), cancel):
        done[key] = _write(key, left[key], result, folder)
        finished += 1
        on_progress(Progress(finished, total))
    # Two places on an axis may be one run: each has its own labels.
    return [replace(done[key], trial=trial) for key, trial in keyed if key in done]


@dataclass(frozen=True)
class _Outcome:
    """What comes back from the place where a run was done."""

    png: bytes = b""
    losses: tuple[Mapping[str, float], ...] = ()
    seconds: float = 0
    memory: int = 0
    error: str = ""


_Spread = Callable[[Mapping[str, Trial], CancelToken], Iterator[tuple[str, _Outcome]]]


def _by_network(left: Mapping[str, Trial]) -> dict[str, Trial]:
    """Order runs so that those of one network and one style follow each other.

    So a process loads each network once.
    """
    return dict(
        sorted(left.items(), key=lambda item: (_network_of(item[1].options), item[1].style))
    )


def _network_of(options: OptimizeOptions) -> tuple[str, str, str, str]:
    loss = options.loss
    return loss.loss_network, loss.pooling, loss.padding, loss.weights or ""


def _here(left: Mapping[str, Trial], cancel: CancelToken) -> Iterator[tuple[str, _Outcome]]:
    for key, trial in left.items():
        if cancel.cancelled:
            return
        result = _perform(trial.content, trial.style, trial.options, cancel)
        if not cancel.cancelled:
            yield key, result


def _in_processes(
    workers: int, left: Mapping[str, Trial], cancel: CancelToken
) -> Iterator[tuple[str, _Outcome]]:
    threads = max(1, devices.threads() // workers)
    # Spawned: a forked process inherits the locks of torch's threads without the threads.
    with ProcessPoolExecutor(workers, get_context("spawn"), _worker, (threads,)) as pool:
        waiting = {
            pool.submit(_perform, trial.content, trial.style, trial.options): key
            for key, trial in left.items()
        }
        while waiting:
            finished, _ = wait(waiting, 0.2, FIRST_COMPLETED)
            for future in finished:
                yield waiting.pop(future), _returned(future)
            if cancel.cancelled:  # the paintings at hand are kept
                waiting = {run: key for run, key in waiting.items() if not run.cancel()}


def _returned(future: Future[_Outcome]) -> _Outcome:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise TrainingError(
            "a process of the lab was killed, perhaps for its memory",
            hint="use fewer --workers; the same command goes on from here",
        ) from error


def _worker(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process decides
    torch.set_num_threads(threads)


def _on_ray(
    address: str, left: Mapping[str, Trial], cancel: CancelToken
) -> Iterator[tuple[str, _Outcome]]:
    ray = ray_cluster.imported(address)
    with ray_cluster.connected(ray, address):
        yield from _shared_out(ray, left, cancel)


def _shared_out(
    ray: ModuleType, left: Mapping[str, Trial], cancel: CancelToken
) -> Iterator[tuple[str, _Outcome]]:
    # Another machine may not have the files.
    paths = {path for trial in left.values() for path in (trial.content, trial.style)}
    pictures = {path: ray.put(images.read(path)) for path in paths}
    perform: Any = ray.remote(num_cpus=1, max_retries=3)(_perform)
    waiting = {
        perform.remote(pictures[trial.content], pictures[trial.style], trial.options): key
        for key, trial in left.items()
    }
    while waiting:
        finished, _ = ray.wait(list(waiting), timeout=0.2)
        for each in finished:
            yield waiting.pop(each), ray.get(each)
        if cancel.cancelled:
            for each in waiting:
                ray.cancel(each, force=True)
            return


def _perform(
    content: Path | Picture,
    style: Path | Picture,
    options: OptimizeOptions,
    cancel: CancelToken | None = None,
) -> _Outcome:
    """Do one run. What impasto refuses becomes ``error``, and the other runs go on."""
    losses: list[Mapping[str, float]] = []

    def on_step(step: Step) -> None:
        losses.append(dict(step.losses))

    began = time.perf_counter()
    try:
        with _memory() as memory:
            network = _shared(*_network_of(options))
            painted = optimize(
                content, style, options=options, on_step=on_step, cancel=cancel, network=network
            )
    except ImpastoError as error:
        return _Outcome(error=str(error))
    return _Outcome(painted.encode("PNG"), tuple(losses), time.perf_counter() - began, memory.most)


class _Memory:
    most = 0


@contextmanager
def _memory() -> Iterator[_Memory]:
    """Watch this process's resident memory; torch frees at once what it held only for a moment."""
    usage, process, stop = _Memory(), psutil.Process(), threading.Event()

    def watch() -> None:
        while True:
            usage.most = max(usage.most, process.memory_info().rss)
            if stop.wait(_SAMPLE_SECONDS):
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        stop.set()
        thread.join()


@functools.lru_cache(maxsize=2)
def _shared(name: str, pooling: str, padding: str, weights: str) -> Remembering:
    return Remembering(
        loading.load(name, pooling=pooling, padding=padding, weights=weights or None)
    )


def _write(key: str, trial: Trial, result: _Outcome, folder: Path) -> Done:
    if result.error:  # not kept, because what was missing may be there next time
        return Done(trial, key, [], error=result.error)
    losses = [dict(each) for each in result.losses]
    done = Done(trial, key, losses, result.seconds, result.memory)
    record = {
        "options": asdict(trial.options),
        "seconds": round(result.seconds, 3),
        "memory": result.memory,
        "losses": losses,
    }
    atomic.write(done.picture(folder), result.png, overwrite=True)
    data = json.dumps(record).encode()
    atomic.write(folder / RUNS / f"{key}.json", data, overwrite=True)
    return done


def _read(key: str, trial: Trial, folder: Path) -> Done | None:
    """Read a run that is kept; None if there is none, or it is damaged. Then it is done again."""
    try:
        record = untrusted.read_json(folder / RUNS / f"{key}.json", _MOST_BYTES)
        losses, seconds, memory = _record(record)
        done = Done(trial, key, losses, seconds, memory, kept=True)
        with untrusted.opened(done.picture(folder)) as file:
            images.read(file)
    except (OSError, ValueError):  # a PictureError is one, too
        return None
    return done


def _record(record: Json) -> tuple[list[dict[str, float]], float, int]:
    """Read losses, seconds and bytes of memory.

    Raises:
        ValueError: the record holds something else.
    """
    if not isinstance(record, dict):
        raise ValueError("it is not an object")
    told, seconds, memory = (record.get(key) for key in ("losses", "seconds", "memory"))
    if not (isinstance(told, list) and told and all(isinstance(each, dict) for each in told)):
        raise ValueError("losses are not a list of objects")
    if not isinstance(seconds, (int, float)) or not isinstance(memory, int):
        raise ValueError("seconds or memory are no numbers")
    losses = [{k: v for k, v in each.items() if isinstance(v, (int, float))} for each in told]
    if losses != told or any(name not in each for each in losses for name in KINDS):
        raise ValueError("losses are missing, or no numbers")
    return losses, seconds, memory

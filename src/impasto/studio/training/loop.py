"""The one loop that networks learn in, whatever they learn from.

:func:`learn` reads from top to bottom. What is taught is a :class:`Lesson`: paintings
(:mod:`impasto.studio.training.train`) or another style (:mod:`impasto.studio.training.distill`).

Several GPUs, or machines, through accelerate; on CPUs by torch's own launcher::

    accelerate launch -m impasto train PAINTING PHOTOS -o NAME
    torchrun --nproc-per-node 2 -m impasto train PAINTING PHOTOS -o NAME
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor

from impasto import atomic
from impasto.distribution import need
from impasto.errors import Cancelled, MissingExtraError, TrainingError
from impasto.images import from_array
from impasto.progress import CancelToken, OnProgress, Progress
from impasto.studio import loss_curves
from impasto.studio.device import in_bfloat16, torch_device
from impasto.studio.networks import TransformNetwork
from impasto.studio.perceptual.objective import KINDS, Losses
from impasto.studio.tensors import to_pixels
from impasto.studio.training import checkpoint
from impasto.studio.training.checkpoint import Checkpoint, Training
from impasto.studio.training.log import Log
from impasto.studio.training.muon import Group, Muon
from impasto.studio.training.schedule import schedule

_CLIP = 1.0
"""Largest norm of a gradient: one odd batch must not undo an hour."""

Batch = TypeVar("Batch")
Paint = Callable[..., Tensor]
"""The network as it learns: photographs, and for several styles their mix, to paintings."""


class Lesson(Protocol[Batch]):
    """What a network learns from, and how that is measured."""

    def groups(self, network: TransformNetwork) -> list[Group]:
        """What is learnt, as ``params``, with the ``peak`` of its learning rate."""

    def fetch(self, number: int) -> Batch:
        """A batch by its number. Called in another thread, one batch ahead."""

    def losses(self, paint: Paint, batch: Batch) -> Losses:
        """Paint a batch, and compare."""

    def validation(self, network: TransformNetwork) -> float | None:
        """The loss on photographs that are in no batch; None without such."""

    def sample(self, network: TransformNetwork, done: int) -> Tensor:
        """A picture to look at after ``done`` steps, ``(3, H, W)``, 0..1."""


@dataclass(frozen=True)
class Course(Generic[Batch]):
    """One training: what it learns, for how long, where it keeps what it needs to go on."""

    lesson: Lesson[Batch]
    training: Training
    folder: Path
    """Of the style that is learnt."""
    steps: int
    save_every: int
    learns_norms_only: bool = False
    """The rest of the network stays as it is, running means of batch norms too."""

    @property
    def work(self) -> Path:
        return self.folder / checkpoint.WORK


def learn(
    network: TransformNetwork,
    course: Course[Batch],
    resumed: Checkpoint | None,
    accelerator: Accelerator,
    *,
    on_progress: OnProgress,
    cancel: CancelToken | None = None,
) -> Checkpoint:
    """Take all steps of a course, from its beginning or from ``resumed`` on.

    Raises:
        TrainingError: a loss that is not a number; what had been learnt stays on disk.
        Cancelled: stopped by ``cancel``, after a checkpoint.
    """
    lesson, work, steps, cancel = course.lesson, course.work, course.steps, cancel or CancelToken()
    network.to(accelerator.device).train(not course.learns_norms_only)
    optimiser = Muon(lesson.groups(network))
    if resumed:
        resumed.restore(network, optimiser)
    first = resumed.step if resumed else 0
    paint, stepper = accelerator.prepare(network, optimiser)
    log = Log(work / "losses.jsonl", first, accelerator.is_main_process)
    processes, process = accelerator.num_processes, accelerator.process_index
    numbers = (step * processes + process for step in range(first, steps))
    with closing(prefetched(lesson.fetch, numbers)) as batches:
        for done, batch in enumerate(batches, first + 1):
            began = time.monotonic()
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * schedule(done - 1, steps)
            losses = lesson.losses(paint, batch)
            record = losses.numbers()
            _require_finite(record, done, course)
            stepper.zero_grad()
            accelerator.backward(losses.total)
            accelerator.clip_grad_norm_(network.parameters(), _CLIP)
            stepper.step()
            shown = {name: record[name] for name in KINDS if name in record}
            record |= {"seconds": time.monotonic() - began, "from_disk": _from_disk(batch)}

            stop = anyone(accelerator, cancel.cancelled)
            save = stop or done % course.save_every == 0 or done == steps
            if save and (validation := lesson.validation(network)) is not None:
                record["validation"] = validation
            log.append(done, record)
            accelerator.log(record, step=done)
            if save and accelerator.is_main_process:
                checkpoint.save(work, checkpoint.of(network, done, course.training, optimiser))
                _show(course, network, log, done)
            on_progress(Progress(done, steps, shown))
            if stop:
                raise Cancelled("stopped")
    return checkpoint.of(network, steps, course.training)


@contextmanager
def evaluating(network: TransformNetwork) -> Iterator[None]:
    """The network as it will be used: nothing is learnt, and no running mean moves."""
    learning = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(learning)


def prefetched(fetch: Callable[[int], Batch], numbers: Iterable[int]) -> Generator[Batch]:
    """What ``fetch`` makes of each number, the next one while this one is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Batch]] = deque()
        for number in numbers:
            waiting.append(pool.submit(fetch, number))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        for each in waiting:
            yield each.result()


def accelerator(device: str, work: Path, *, tensorboard: bool = False) -> Accelerator:
    """Devices and processes of a training, by the studio's one policy.

    Raises:
        DeviceError: there is no such device.
        MissingExtraError: TensorBoard is not installed.
    """
    chosen = torch_device(device)
    make = partial(
        Accelerator,
        cpu=chosen.type == "cpu",
        mixed_precision="bf16" if in_bfloat16(chosen.type) else "no",
    )
    if not tensorboard:
        return make()
    need("tensorboard", "tensorboard", "tensorboard")
    try:
        tracked = make(log_with="tensorboard", project_dir=work)
    except (ImportError, ValueError) as error:
        raise MissingExtraError("tensorboard", "tensorboard") from error
    tracked.init_trackers("tensorboard")
    return tracked


def anyone(accelerator: Accelerator, here: bool) -> bool:
    """Whether it is so in any process."""
    if accelerator.num_processes == 1:
        return here
    flag = torch.tensor(float(here), device=accelerator.device)
    return bool(accelerator.reduce(flag) > 0)


def end(accelerator: Accelerator) -> None:
    """All processes leave together."""
    accelerator.wait_for_everyone()
    accelerator.end_training()


def _from_disk(batch: object) -> bool:
    return bool(getattr(batch, "from_disk", False))


def _show(course: Course[Batch], network: TransformNetwork, log: Log, done: int) -> None:
    """Write a sample to look at, and the curves of the losses."""
    sample = from_array(to_pixels(course.lesson.sample(network, done))).encode("PNG")
    atomic.write(course.work / f"sample-{done:07}.png", sample, overwrite=True)
    means = log.curves()
    curves = loss_curves.png(list(means.values()), course.folder.name, steps=list(means))
    atomic.write(course.work / "losses.png", curves, overwrite=True)


def _require_finite(losses: Mapping[str, float], step: int, course: Course[Batch]) -> None:
    bad = [name for name in KINDS if not math.isfinite(losses.get(name, 0.0))]
    if not bad:
        return
    saved = checkpoint.paths(course.work)
    hint = "use a lower --learning-rate, and --restart to begin anew"
    if saved and not course.learns_norms_only:
        hint = (
            f"learn on from the last good state with --start {saved[-1]} --restart "
            "and a lower --learning-rate"
        )
    raise TrainingError(
        f"the {' and '.join(bad)} loss stopped being a number at step {step}", hint=hint
    )

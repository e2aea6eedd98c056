"""The one loop in which networks learn, whatever they learn from.

:func:`learn` reads from top to bottom. A :class:`Lesson` teaches. Its subject is paintings
(:mod:`impasto.studio.training.train`) or another style (:mod:`impasto.studio.training.distill`). Or
it is how to make styles of paintings (:mod:`impasto.studio.training.train_any`).

accelerate runs it on several GPUs, or machines; torch's own launcher on CPUs::

    accelerate launch -m impasto train PAINTING PHOTOS -o NAME
    torchrun --nproc-per-node 2 -m impasto train PAINTING PHOTOS -o NAME
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

from impasto.distribution import need
from impasto.errors import Cancelled, MissingExtraError, TrainingError
from impasto.files import atomic, kept_steps
from impasto.images import from_array
from impasto.options.losses import KINDS, LATTICE, TONE
from impasto.progress import CancelToken, OnProgress, Progress
from impasto.studio import loss_curves
from impasto.studio.device import in_bfloat16, torch_device
from impasto.studio.perceptual.objective import Losses
from impasto.studio.tensors import to_pixels
from impasto.studio.training import checkpoint, checkpoints, together
from impasto.studio.training.checkpoint import Checkpoint, Training
from impasto.studio.training.log import Log
from impasto.studio.training.muon import Group, Muon
from impasto.studio.training.schedule import schedule

_GRADIENT = "gradient"
_CLIP = 1.0
"""Largest norm of a network's gradient: one odd batch must not undo an hour."""

Batch = TypeVar("Batch")
Network = TypeVar("Network", bound=nn.Module, contravariant=True)  # noqa: PLC0105
Paint = Callable[..., Tensor]
"""The network as it learns: from photographs, and for several styles their mix, to paintings."""


class Lesson(Protocol[Batch, Network]):
    """Teaches a network, and measures what it has learnt."""

    def groups(self, network: Network) -> list[Group]:
        """Return the weights to learn, as ``params``, with the ``peak`` of their learning rate."""

    def fetch(self, number: int) -> Batch:
        """Return a batch by its number. Another thread calls this, one batch ahead."""

    def losses(self, learning: Callable[..., Any], batch: Batch, /) -> Losses:
        """Give a batch to the learning network, and compare the result."""

    def validation(self, network: Network) -> float | None:
        """Return the loss on photographs that are in no batch; None without such."""

    def sample(self, network: Network, done: int) -> Tensor:
        """Return a picture to look at after ``done`` steps, ``(3, H, W)``, 0..1."""


@dataclass(frozen=True)
class Course(Generic[Batch, Network]):
    """One training: what it learns, for how long, and where it stores its state."""

    lesson: Lesson[Batch, Network]
    training: Training
    folder: Path
    """Folder of the style that is learnt."""
    steps: int
    save_every: int
    learns_norms_only: bool = False
    """Whether the rest of the network stays as it is, also running means of batch norms."""
    networks: int = 1
    """How many networks learn, with the mean of their losses; each has a part of the gradient."""

    @property
    def work(self) -> Path:
        return self.folder / kept_steps.WORK


def learn(
    network: Network,
    course: Course[Batch, Network],
    resumed: Checkpoint | None,
    accelerator: Accelerator,
    *,
    on_progress: OnProgress,
    cancel: CancelToken | None = None,
) -> Checkpoint:
    """Take all steps of a course, from its beginning or from ``resumed`` on.

    Raises:
        TrainingError: a loss that is not a number; what was learnt before stays on disk. Or another
            process learns in the same folder.
        Cancelled: stopped by ``cancel``, after a checkpoint.
    """
    lesson, steps, cancel = course.lesson, course.steps, cancel or CancelToken()
    network.to(accelerator.device).train(not course.learns_norms_only)
    optimiser, first = Muon(lesson.groups(network)), 0
    if resumed:
        first = resumed.restore(network, optimiser)
    paint, stepper = accelerator.prepare(network, optimiser)
    log = Log(course.work / "losses.jsonl", first, accelerator.is_main_process)
    with (
        together.present(accelerator),
        kept_steps.alone(course.work) if accelerator.is_main_process else nullcontext(),
        closing(prefetched(lesson.fetch, _numbers(first, steps, accelerator))) as batches,
    ):
        for done, batch in enumerate(batches, first + 1):
            began = time.monotonic()
            losses = lesson.losses(paint, batch)
            record = _step(losses, done, course, network, stepper, accelerator)
            shown = {name: record[name] for name in (*KINDS, TONE, LATTICE) if name in record}
            record |= {"seconds": time.monotonic() - began, "from_disk": _from_disk(batch)}
            stop = anyone(accelerator, cancel.cancelled)
            save = stop or done % course.save_every == 0 or done == steps
            record |= _validated(lesson, network) if save else {}
            log.append(done, record)
            accelerator.log(record, step=done)
            if save and accelerator.is_main_process:
                _keep(course, network, optimiser, log, done)
            on_progress(Progress(done, steps, shown))
            if stop:
                raise Cancelled("stopped")
    return checkpoint.of(network, steps, course.training)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """A context for the network in use: nothing is learnt, and no running mean moves."""
    learning = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(learning)


def prefetched(fetch: Callable[[int], Batch], numbers: Iterable[int]) -> Generator[Batch]:
    """Give what ``fetch`` makes of each number; fetch the next one while this one is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Batch]] = deque()
        for number in numbers:
            waiting.append(pool.submit(fetch, number))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        for each in waiting:
            yield each.result()


def accelerator(device: str, work: Path, *, tensorboard: bool = False) -> Accelerator:
    """Choose devices and processes of a training, by the studio's one policy.

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
    """Say whether it is so in any process."""
    if accelerator.num_processes == 1:
        return here
    flag = torch.tensor(float(here), device=accelerator.device)
    return bool(accelerator.reduce(flag) > 0)


def end(accelerator: Accelerator) -> None:
    """Let all processes leave together."""
    accelerator.wait_for_everyone()
    accelerator.end_training()


def _from_disk(batch: object) -> bool:
    return bool(getattr(batch, "from_disk", False))


def _numbers(first: int, steps: int, accelerator: Accelerator) -> Iterator[int]:
    """Give the numbers of this process's batches."""
    processes, process = accelerator.num_processes, accelerator.process_index
    return (step * processes + process for step in range(first, steps))


def _step(
    losses: Losses,
    number: int,
    course: Course[Batch, Network],
    network: nn.Module,
    stepper: Optimizer,
    accelerator: Accelerator,
) -> dict[str, float]:
    """Take one step; return the losses as numbers.

    Raises:
        TrainingError: they, or their gradient, are no numbers. Nothing is learnt from such a step.
    """
    record = losses.numbers()
    _require_finite(record, number, course)
    stepper.zero_grad()
    accelerator.backward(losses.total)
    most = _CLIP / course.networks**0.5
    gradient = float(accelerator.clip_grad_norm_(network.parameters(), most))
    _require_finite({_GRADIENT: gradient}, number, course)
    for group in stepper.param_groups:
        group["lr"] = group["peak"] * schedule(number - 1, course.steps)
    stepper.step()
    return record


def _validated(lesson: Lesson[Batch, Network], network: Network) -> dict[str, float]:
    validation = lesson.validation(network)
    known = validation is not None and math.isfinite(validation)
    return {"validation": validation} if known and validation is not None else {}


def _keep(
    course: Course[Batch, Network], network: Network, optimiser: Optimizer, log: Log, done: int
) -> None:
    """Write a checkpoint, a sample to look at, and the curves of the losses."""
    state = checkpoint.of(network, done, course.training, optimiser)
    checkpoints.save(course.work, state)
    sample = from_array(to_pixels(course.lesson.sample(network, done))).encode("PNG")
    atomic.write(course.work / f"sample-{done:07}.png", sample, overwrite=True)
    means = log.curves()
    curves = loss_curves.png(list(means.values()), course.folder.name, steps=list(means))
    atomic.write(course.work / "losses.png", curves, overwrite=True)


def _require_finite(losses: Mapping[str, float], step: int, course: Course[Batch, Network]) -> None:
    """Check losses.

    Raises:
        TrainingError: one of these is not a number.
    """
    bad = [name for name in (*KINDS, _GRADIENT) if not math.isfinite(losses.get(name, 0.0))]
    if not bad:
        return
    saved = kept_steps.paths(course.work)
    hint = "use a lower --learning-rate, and --restart to begin anew"
    if step == 1:
        hint = "use smaller weights"
    if saved and not course.learns_norms_only:
        hint = (
            f"learn on from the last good state with --start {saved[-1]} --restart "
            "and a lower --learning-rate"
        )
    raise TrainingError(
        f"the {' and '.join(bad)}{'' if bad == [_GRADIENT] else ' loss'} stopped being a number "
        f"at step {step}",
        hint=hint,
    )

"""Teach a hypernetwork to make a style of any painting.

Each step has some paintings and some photographs. The hypernetwork makes a network for each
painting. All networks paint all photographs at once, as one network of grouped convolutions. The
loss network then sees all paintings in one forward pass. Its features of the original paintings are
also the input of the hypernetwork. The loop is :func:`impasto.studio.training.loop.learn`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from impasto.catalog.hypernetwork import Learnt
from impasto.catalog.layout import CARD
from impasto.errors import OutputError, TrainingError, in_memory
from impasto.files import atomic, kept_steps
from impasto.files.kept_steps import WORK
from impasto.images.photographs import digest, parted
from impasto.options import PLAIN_LOSS, LossOptions, TrainAnyOptions
from impasto.progress import CancelToken, OnProgress, silent
from impasto.studio import hypernetwork as hypernetworks
from impasto.studio import networks
from impasto.studio.export.publish import write_hypernetwork
from impasto.studio.hypernetwork import LAYERS, Encoder
from impasto.studio.perceptual.objective import Objective
from impasto.studio.training import bank, init_from, loop, start_any
from impasto.studio.training.any_lesson import AnyLesson, Held
from impasto.studio.training.averaged import Averaged
from impasto.studio.training.checkpoint import Checkpoint, Training
from impasto.studio.training.dataset import pictures, tell
from impasto.studio.training.log import Log
from impasto.studio.training.loop import Course
from impasto.studio.training.pairs import Pictures, Source


@dataclass(frozen=True)
class Taught:
    """A hypernetwork that was written."""

    folder: Path
    steps: int
    held: Held | None
    """None if no painting, or no photograph, was kept apart."""


@in_memory("the training", hint="use a smaller --crop or fewer --styles", kind=TrainingError)
def train_any(
    paintings: str | Path,
    photos: str | Path,
    output: str | Path,
    *,
    options: TrainAnyOptions | None = None,
    start: str | Path | None = None,
    restart: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Taught:
    """Learn from all pictures of two folders, and write the folder of a hypernetwork.

    Args:
        paintings: a folder of pictures whose styles are learnt; the more kinds, the better.
        photos: a folder of photographs.
        output: the folder, for ``--hypernetwork``. Its ``training`` keeps what a later call needs
            to go on, and the decoded pictures.
        options: see :class:`~impasto.options.TrainAnyOptions`. With ``start`` those of shape are
            the start's.
        start: what to learn on from: the folder of a hypernetwork, its file, or a checkpoint.
            ``"any"`` is the hypernetwork that comes with impasto.
        restart: begin anew where a stopped training would go on.
        on_progress: called after every step with the losses; notes say what is measured.
        cancel: stops after the step at hand, with a checkpoint; the same call goes on from it.

    Raises:
        OptionError: a start that is none, or of another shape than ``options``.
        OutputError: the folder holds a hypernetwork already, and no training to go on with.
        DeviceError: there is no such device.
        TrainingError: too few pictures, or a loss that is not a number. Or options, pictures or
            start differ from the interrupted training's.
        Cancelled: stopped by ``cancel``.
    """
    folder = Path(output)
    _require_free(folder, restart=restart)
    origin = start_any.find(start, folder / WORK, restart)
    options, begun = start_any.begun(options, origin)
    began, before = start_any.named(origin), start_any.learnt(origin)  # before it may be moved
    accelerator = loop.accelerator(options.device, folder / WORK)
    if restart and accelerator.is_main_process:
        init_from.empty(folder / WORK, origin)
    files = [_found(Path(each), folder, options, on_progress) for each in (paintings, photos)]
    with accelerator.main_process_first():
        banks = [bank.of(each, folder / WORK, on_progress) for each in files]
    processes = accelerator.num_processes
    begun.to(accelerator.device)
    lesson = _lesson(options, banks, begun.encoder, processes, on_progress)
    sources = {"start": began, "pictures": digest(*files), "processes": str(processes)}
    training = Training(asdict(options), [], sources)
    course = Course(lesson, training, folder, options.steps, options.save_every)
    resumed = init_from.resumed(course, origin, accelerator, restart=False, on_progress=on_progress)
    if not (origin or resumed):
        lesson.calibrate(begun)
    network = Averaged(begun)
    learnt = loop.learn(
        network, course, resumed, accelerator, on_progress=on_progress, cancel=cancel
    )
    held = replace(lesson, tell=silent).held(network)
    if accelerator.is_main_process:
        _publish(network, learnt, before, lesson, course.work)
    loop.end(accelerator)
    return Taught(folder, learnt.step, held)


def _require_free(folder: Path, *, restart: bool) -> None:
    """Check that the folder is free.

    Raises:
        OutputError: the folder holds something, and no training that could go on.
    """
    if not restart and (folder / CARD).exists() and not kept_steps.paths(folder / WORK):
        raise OutputError(
            f"{folder} holds a style, or a hypernetwork, already",
            hint="--restart replaces it, -o names another",
        )


def _found(
    folder: Path, output: Path, options: TrainAnyOptions, on_progress: OnProgress
) -> list[Path]:
    """Find the pictures of a folder, and report what is left out of it."""
    survey = pictures(folder, output)
    tell(survey.left_out, on_progress, options.steps)
    return survey.paths


def _lesson(
    options: TrainAnyOptions,
    banks: list[bank.Bank],
    encoder: Encoder,
    processes: int,
    on_progress: OnProgress,
) -> AnyLesson:
    """Make the lesson.

    Raises:
        TrainingError: there are no pictures to learn from.
    """
    paintings, unseen_paintings = _parted(banks[0], options.held_out_paintings)
    photographs, unseen_photographs = _parted(banks[1], options.held_out)
    device = encoder.mean.device
    blank = networks.build(options.network).to(device).eval().requires_grad_(False)
    batches = options.steps * processes
    source = Source(options, paintings, photographs, device, batches, blank.stride)
    losses = Objective(_losses(options), learning=True)
    losses.network.to(device)
    return AnyLesson(
        options, source, unseen_paintings, unseen_photographs, losses, encoder, blank, on_progress
    )


def _losses(options: TrainAnyOptions) -> LossOptions:
    """Return what makes a painting good; the hypernetwork sees paintings at the same layers."""
    return LossOptions(
        loss_network="vgg19",
        padding="replicate",
        content_layers=PLAIN_LOSS.content_layers,
        style_layers=tuple(LAYERS),
        style_statistic=options.style_statistic,
        loss_scale="balanced",
        style_weight=options.style_weight,
        tv_weight=options.tv_weight,
        tone_weight=options.tone_weight,
        lattice_weight=options.lattice_weight,
    )


def _parted(pictures: bank.Bank, held_out: int) -> tuple[Pictures, Pictures]:
    """Split pictures into those to learn from and those to keep apart."""
    learnt, apart = parted(range(len(pictures)), held_out)
    if not learnt:
        raise TrainingError("there are no pictures to learn from", hint="give folders with many")
    return Pictures(pictures, learnt), Pictures(pictures, apart)


def _publish(
    network: Averaged, learnt: Checkpoint, before: Learnt, lesson: AnyLesson, work: Path
) -> None:
    """Write the folder; its card comes last. It counts what the start had learnt ``before``."""
    made = network.cpu().eval().current
    summary = Log(work / "losses.jsonl", learnt.step, here=False).summary()
    source, options = lesson.source, lesson.options
    about = Learnt(
        steps=(before.steps or 0) + learnt.step,
        pairs=(before.pairs or 0) + learnt.step * options.styles * options.batch,
        seconds=(before.seconds or 0) + summary.seconds,
        paintings=len(source.paintings.numbers),
        photographs=len(source.photographs.numbers),
    )
    folder = work.parent
    atomic.write(folder / start_any.LEARNABLE, hypernetworks.encoded(made), overwrite=True)
    write_hypernetwork(folder, made, about)

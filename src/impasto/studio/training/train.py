"""Learn styles from paintings: photographs and paintings in, a style folder out.

The method is Johnson et al. 2016 (arXiv 1603.08155) with instance normalisation (Ulyanov et al.
2016). For several styles it is conditional (Dumoulin et al. 2017, arXiv 1610.07629). The losses are
relative (:mod:`impasto.studio.perceptual.losses`), so that nobody has to tune a weight by hand. The
loop is :func:`impasto.studio.training.loop.learn`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from impasto import catalog
from impasto.errors import TrainingError, in_memory
from impasto.files.kept_steps import WORK
from impasto.options import TrainOptions
from impasto.progress import CancelToken, OnProgress, silent
from impasto.studio.training import init_from, loop
from impasto.studio.training.checkpoint import Training
from impasto.studio.training.loop import Course
from impasto.studio.training.painting_lesson import PaintingLesson
from impasto.studio.training.paintings import Paintings, entries, wanted_of
from impasto.studio.training.publish import publish, record
from impasto.studio.training.subject import Subject
from impasto.studio.training.train_apart import train_apart


@in_memory("the training", hint="use a smaller --crop or --batch", kind=TrainingError)
def train(
    paintings: Paintings,
    photos: str | Path,
    output: str | Path,
    *,
    options: TrainOptions | None = None,
    start: str | Path | None = init_from.BEST,
    restart: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Path:
    """Learn the styles of one or more paintings and write them as one style folder.

    Args:
        paintings: pictures, or :class:`~impasto.Painting` with texts for the card. Several share
            all convolutions of one network. With ``options.apart`` each has a network of its own.
        photos: a folder of photographs, a few hundred or more.
        output: the folder; its last part names the style, if there is one. A plain name goes to the
            user's styles, where ``-s NAME`` finds it. With ``options.apart`` the folder gets a
            style folder for each painting.
        options: see :class:`~impasto.TrainOptions`.
        start: a style, or a checkpoint, to learn on from: several times faster than from nothing.
            With ``options.tune`` ``"norms"`` its network and its styles stay as they are. Only the
            norms of the new styles are learnt. ``"any"`` is what the hypernetwork makes of the
            paintings. ``"best"`` is that or ``starry-night``, whichever paints the painting better.
            For several styles in one network, or another network than the default one, ``"best"``
            is nothing. None and ``"none"`` are nothing.
        restart: begin anew where an interrupted training of this style would go on.
        on_progress: called after every step with the losses.
        cancel: stops the training after the step at hand, with a checkpoint.

    Returns:
        The folder.

    Raises:
        OptionError, PictureError: a value, a name or a painting cannot be used.
        OutputError: the folder holds a style already, and no training to go on with.
        DeviceError: there is no such device.
        TrainingError: no photographs, or a loss that is not a number. Or options, photographs or
            start differ from the interrupted training's. What was learnt before stays on disk.
        Cancelled: stopped by ``cancel``.
    """
    options = options or TrainOptions()
    if options.apart:
        return train_apart(
            wanted_of(paintings), photos, Path(output), options,
            start=start, restart=restart, on_progress=on_progress, cancel=cancel,
        )  # fmt: skip
    folder = catalog.place(output)
    wanted = wanted_of(paintings, folder.name)
    catalog.require_free([each.name for each in wanted], folder)
    subject = Subject.of(wanted, photos, folder, options, on_progress)
    dataset, accelerator = subject.dataset, subject.accelerator
    if start in (init_from.BEST, init_from.NOTHING):
        good = start == init_from.BEST and init_from.is_good(options, len(wanted))
        start = subject.best(0) if good else None
    origin = init_from.find(start, folder / WORK, restart)
    trunk = init_from.trunk(start, origin, wanted, options.style_crop)
    options, kept = init_from.with_trunk(options, trunk)
    styles = kept + entries(wanted, subject.pictures, kept)
    network = init_from.begun(options, len(styles), trunk).to(accelerator.device)
    lesson = PaintingLesson(
        options, dataset, subject.objectives, accelerator.device, len(kept)
    ).balanced(network)
    began, teacher = init_from.began(start, origin), init_from.taught_by(origin, styles)
    sources = init_from.sources(began, dataset, accelerator.num_processes)
    course = Course(
        lesson, Training(asdict(options), styles, sources), folder,
        options.steps, options.save_every, learns_norms_only=options.tune == "norms",
    )  # fmt: skip
    resumed = init_from.resumed(
        course, origin, accelerator, restart=restart, on_progress=on_progress, owned=[folder]
    )
    learnt = loop.learn(
        network, course, resumed, accelerator, on_progress=on_progress, cancel=cancel
    )
    if accelerator.is_main_process:
        publish(learnt, folder, record(learnt, course.work, start, dataset), teacher)
    loop.end(accelerator)
    return folder

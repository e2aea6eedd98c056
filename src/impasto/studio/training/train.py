"""Learn styles: photographs and paintings in, a style folder out.

The loop reads from top to bottom in :func:`train`. The method is Johnson et al. 2016
(arXiv 1603.08155) with instance normalisation (Ulyanov et al. 2016), for several styles
conditional (Dumoulin et al. 2017, arXiv 1610.07629); the losses are relative
(:mod:`impasto.studio.perceptual.losses`), so that no weight is tuned by hand.

Several GPUs, or machines, through accelerate; on CPUs by torch's own launcher::

    accelerate launch -m impasto.studio.training.train PAINTING PHOTOS -o NAME
    torchrun --nproc-per-node 2 -m impasto.studio.training.train PAINTING PHOTOS -o NAME
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from impasto import atomic, catalog, images
from impasto.distribution import VERSION
from impasto.errors import Cancelled, MissingExtraError, OutputError, TrainingError
from impasto.images.picture import Picture
from impasto.options import TrainOptions
from impasto.progress import CancelToken, OnProgress, Progress, silent
from impasto.studio import loss_curves, networks
from impasto.studio.export import publish
from impasto.studio.networks import TransformNetwork
from impasto.studio.perceptual.objective import KINDS, Objective, StylePicture
from impasto.studio.tensors import grained, to_pixels, to_tensor
from impasto.studio.training import checkpoint, init_from
from impasto.studio.training.checkpoint import Checkpoint, Training
from impasto.studio.training.dataset import Photos
from impasto.studio.training.feature_cache import Crops
from impasto.studio.training.log import Log
from impasto.studio.training.muon import Muon
from impasto.studio.training.paintings import Painting, Paintings, entries, wanted_of
from impasto.studio.training.schedule import schedule

_CLIP = 1.0
"""Largest norm of a gradient: one odd batch must not undo an hour."""
_SAMPLES = 6
"""Photographs, and styles, on a sample picture."""


def train(
    paintings: Paintings,
    photos: str | Path,
    output: str | Path,
    *,
    options: TrainOptions | None = None,
    start: str | Path | None = None,
    restart: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Path:
    """Learn the styles of one or more paintings and write them as one style folder.

    Args:
        paintings: pictures, or :class:`~impasto.studio.training.paintings.Painting` with what the
            card shall say; several share all convolutions of one network.
        photos: a folder of photographs, a few hundred or more.
        output: the folder; its last part names the style, if there is one. A plain name
            goes to the user's styles, where ``-s NAME`` finds it.
        options: every knob; see :class:`~impasto.options.TrainOptions`.
        start: a style, or a checkpoint, to learn on from: several times faster than from
            nothing. With ``options.tune`` ``"norms"`` its network stays as it is, its
            styles with it, and only the norms of the new ones are learnt.
        restart: begin anew where an interrupted training of this style would go on.
        on_progress: called after every step with the losses.
        cancel: stops the training after the step at hand, with a checkpoint.

    Returns:
        The folder.

    Raises:
        OptionError, PictureError: a value, a name or a painting cannot be used.
        OutputError: the folder holds a style already, and no training to go on with.
        TrainingError: no photographs, other options, photographs or another start than the
            interrupted training's, or a loss that is not a number; what had been learnt stays
            on disk.
        Cancelled: stopped by ``cancel``.
    """
    cancel = cancel or CancelToken()
    run = _Run(
        paintings, Path(photos), catalog.place(output), options or TrainOptions(), start, restart
    )
    for step in range(run.first, run.options.steps):
        record = run.learn(step)
        stop = run.anyone(cancel.cancelled)
        run.keep(step + 1, record, save=stop)
        losses = {name: record[name] for name in KINDS}
        on_progress(Progress(step + 1, run.options.steps, losses))
        if stop:
            raise Cancelled("stopped")
    return run.finish()


class _Run:
    """One training: made ready, a step at a time, kept on disk, finished."""

    def __init__(
        self,
        paintings: Paintings,
        photos: Path,
        folder: Path,
        options: TrainOptions,
        start: str | Path | None,
        restart: bool,
    ) -> None:
        self._folder, self._work, self._start = folder, folder / init_from.WORK, start
        wanted = wanted_of(paintings, folder.name)
        catalog.require_free([each.name for each in wanted], folder)
        origin = init_from.find(start, self._work, restart)
        trunk = checkpoint.read(origin) if origin else None
        self.options, kept = init_from.with_trunk(options, trunk)
        options = self.options
        pictures = [each.picture(options.style_size, options.style_crop) for each in wanted]
        self._kept, self._styles = len(kept), kept + entries(wanted, pictures, kept)
        self._batches = Photos(
            photos, batch=options.batch, crop=options.crop, seed=options.seed,
            held_out=options.held_out, without=folder,
        )  # fmt: skip
        self._accelerator = accelerator = _accelerator(options, self._work)
        self._objectives = _objectives(wanted, pictures, options, accelerator.device)
        self._crops = Crops(self._batches, self._objectives[0], options)
        self._held_out = self._batches.validation().to(accelerator.device)

        self._network = init_from.built(options, len(self._styles))
        if trunk:
            trunk.begin(self._network)
        sources = {
            "start": init_from.named(start, origin),
            "photographs": self._batches.digest(),
            "processes": str(accelerator.num_processes),
        }
        self._training = Training(asdict(options), self._styles, sources)
        resumed = self._resumed(origin, restart)
        self._network.to(accelerator.device).train(options.tune == "all")
        self._balance()
        new = range(self._kept, len(self._styles))
        self._optimiser = Muon(_parameters(self._network, options, new))
        if resumed:
            resumed.restore(self._network, self._optimiser)
        self.first = resumed.step if resumed else 0
        self._painter, self._stepper = accelerator.prepare(self._network, self._optimiser)
        self._log = Log(self._work / "losses.jsonl", self.first, accelerator.is_main_process)

    def _resumed(self, origin: Path | None, restart: bool) -> Checkpoint | None:
        """Where a stopped training goes on; None: it begins."""
        self._accelerator.wait_for_everyone()  # all have read what is dropped now
        if restart and self._accelerator.is_main_process:
            init_from.empty(self._work, origin)
        self._accelerator.wait_for_everyone()
        found = checkpoint.latest(self._work, self._training)
        if not (found or restart) and (self._folder / catalog.CARD).exists():
            there = f"{self._folder} is a style already"
            raise OutputError(there, hint="--restart replaces it, -o names another")
        return found

    def _balance(self) -> None:
        """Show each objective what its losses are at the start, if it divides by them: always
        of the first photographs, in every process, and however often a training was stopped."""
        if self.options.loss.balance == "none":
            return
        photographs = self._batches.batch(0).to(self._accelerator.device)
        ground = self._grained(photographs, 0)
        with torch.no_grad():
            for index, objective in enumerate(self._objectives):
                painted = self._network(ground, self._mix(index))
                objective(painted, objective.content(photographs))

    def learn(self, step: int) -> dict[str, Any]:
        """One step: a batch, one of the styles, the losses, the gradient."""
        began, accelerator = time.monotonic(), self._accelerator
        rate = schedule(step, self.options.steps)
        for group in self._optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        number = step * accelerator.num_processes + accelerator.process_index
        index, strength = _draw(number, len(self._objectives), self.options)
        photographs, content = self._crops(number, accelerator.device)
        ground = self._grained(photographs, number * self.options.batch)
        painted = self._painter(ground, self._mix(index, strength))
        losses = self._objectives[index](painted, content, strength)
        numbers = losses.numbers()
        self._require_finite(numbers, step)
        self._stepper.zero_grad()
        accelerator.backward(losses.total)
        accelerator.clip_grad_norm_(self._network.parameters(), _CLIP)
        self._stepper.step()
        seconds = time.monotonic() - began
        return {**numbers, "seconds": seconds, "from_disk": self._crops.from_disk}

    def keep(self, done: int, record: dict[str, Any], *, save: bool) -> None:
        """Log the step; now and then, and for ``save``, write all that is there."""
        save = save or done % self.options.save_every == 0 or done == self.options.steps
        if save and (validation := self._validate()) is not None:
            record["validation"] = validation
        self._log.append(done, record)
        self._accelerator.log(record, step=done)
        if save and self._accelerator.is_main_process:
            checkpoint.save(self._work, done, self._network, self._optimiser, self._training)
            self._sample(self._work / f"sample-{done:07}.png", done)
            means = self._log.curves()
            drawn = loss_curves.png(list(means.values()), self._folder.name, steps=list(means))
            atomic.write(self._work / "losses.png", drawn, overwrite=True)

    def anyone(self, here: bool) -> bool:
        """Whether it is so in any process."""
        if self._accelerator.num_processes == 1:
            return here
        flag = torch.tensor(float(here), device=self._accelerator.device)
        return bool(self._accelerator.reduce(flag) > 0)

    def finish(self) -> Path:
        if self._accelerator.is_main_process:
            whole = self._accelerator.unwrap_model(self._painter, keep_fp32_wrapper=False)
            network, options = whole.to("cpu").eval(), self.options
            training = {
                **asdict(options),
                "start": init_from.name(self._start),
                "photographs": len(self._batches),
                "skipped": sorted(path.name for path in self._batches.skipped),
                **self._log.summary(),
                "versions": {"impasto": VERSION, "torch": str(torch.__version__)},
            }
            path = self._folder / checkpoint.NETWORK
            checkpoint.write(path, options.steps, network, self._training)
            publish.write_style(self._folder, network, self._styles, {"training": training})
        self._accelerator.wait_for_everyone()
        self._accelerator.end_training()
        return self._folder

    def _grained(self, photographs: Tensor, first: int) -> Tensor:
        return grained(photographs, self.options.grain, self.options.seed, first)

    def _mix(self, index: int, strength: float = 1.0) -> Tensor:
        """Style weights for the new style ``index``."""
        mix = torch.zeros(self._network.styles, device=self._accelerator.device)
        mix[self._kept + index] = strength
        return mix

    @contextmanager
    def _still(self) -> Iterator[None]:
        """The network as it will be used: nothing is learnt, and no running mean moves."""
        self._network.eval()
        with torch.no_grad():
            yield
        self._network.train(self.options.tune == "all")

    def _validate(self) -> float | None:
        """The mean objective of photographs that are in no batch, over all new styles."""
        photographs, objectives = self._held_out, self._objectives
        if not len(photographs):
            return None
        total, count = 0.0, max(len(photographs), len(objectives))
        with self._still():
            for number in range(count):
                index = number % len(objectives)
                photograph = photographs[number % len(photographs)][None]
                painted = self._network(self._grained(photograph, number), self._mix(index))
                content = objectives[index].content(photograph)
                total += float(objectives[index](painted, content).total)
        return total / count

    def _sample(self, path: Path, done: int) -> None:
        """Photographs above their paintings, to look at while the training runs."""
        photographs = self._held_out
        if not len(photographs):
            photographs = self._batches.batch(done).to(self._accelerator.device)
        photographs = photographs[:_SAMPLES]
        rows, grained = [photographs], self._grained(photographs, done)
        with self._still():
            for index in range(min(len(self._objectives), _SAMPLES)):
                mix = self._mix(index)
                rows.append(torch.cat([self._network(each[None], mix) for each in grained]))
        picture = torch.cat([torch.cat(list(row), 2) for row in rows], 1)
        data = images.from_array(to_pixels(picture)).encode("PNG")
        atomic.write(path, data, overwrite=True)

    def _require_finite(self, losses: Mapping[str, float], step: int) -> None:
        bad = [name for name in KINDS if not math.isfinite(losses[name])]
        if not bad:
            return
        saved = checkpoint.paths(self._work)
        hint = "use a lower --learning-rate, and --restart to begin anew"
        if saved and self.options.tune == "all":
            hint = (
                f"learn on from the last good state with --start {saved[-1]} --restart "
                "and a lower --learning-rate"
            )
        raise TrainingError(
            f"the {' and '.join(bad)} loss stopped being a number at step {step + 1}", hint=hint
        )


def _objectives(
    wanted: Sequence[Painting],
    pictures: Sequence[Picture],
    options: TrainOptions,
    device: torch.device,
) -> list[Objective]:
    """One for each painting; they share the loss network."""
    objectives: list[Objective] = []
    for painting, picture in zip(wanted, pictures, strict=True):
        loss = options.loss
        if painting.style_weight is not None:
            loss = replace(loss, style_weight=painting.style_weight)
        objective = Objective(loss, network=objectives[0].network if objectives else None)
        objective.network.to(device)
        objective.set_styles([StylePicture(to_tensor(picture.pixels)[None].to(device))])
        objectives.append(objective)
    return objectives


def _parameters(
    network: TransformNetwork, options: TrainOptions, new: range
) -> list[dict[str, Any]]:
    """What is learnt, and the peak of its learning rate; ``new`` are the rows of the norms
    that are learnt where all else stays.

    The norms of a style have a gradient in one of so many steps, which Adam takes for a
    smaller and less certain one; the root of their number makes up for both.
    """
    own = set(networks.norms(network))
    named = dict(network.named_parameters())
    shared = [weight for name, weight in named.items() if name not in own]
    for weight in shared:
        weight.requires_grad_(options.tune == "all")
    rate = options.learning_rate
    rows = [named[name] for name in sorted(own)]
    groups = [{"params": rows, "peak": rate * len(new) ** 0.5}]
    if options.tune == "all":
        groups.append({"params": shared, "peak": rate})
    else:
        for weight in rows:
            weight.register_hook(_only(new))  # type: ignore[no-untyped-call]
    return groups


def _only(rows: range) -> Callable[[Tensor], Tensor]:
    """What leaves of a gradient, ``(rows, channels)``, that of some rows, and 0 elsewhere."""

    def masked(gradient: Tensor) -> Tensor:
        found = torch.zeros_like(gradient)
        found[rows.start : rows.stop] = gradient[rows.start : rows.stop]
        return found

    return masked


def _draw(number: int, styles: int, options: TrainOptions) -> tuple[int, float]:
    """Which style a batch learns, in turn, and at which strength: half of them at all of it."""
    if not options.strength:
        return number % styles, 1.0
    rng = np.random.default_rng([options.seed, number, 1])
    return number % styles, 1.0 if rng.random() < 0.5 else float(rng.random())


def _accelerator(options: TrainOptions, work: Path) -> Accelerator:
    """Devices and processes; bfloat16 on CUDA, for on the CPUs at hand it is slower."""
    there: dict[str, Any] = {
        "cpu": not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        "mixed_precision": "bf16" if torch.cuda.is_available() else "no",
    }
    if not options.tensorboard:
        return Accelerator(**there)
    try:
        accelerator = Accelerator(**there, log_with="tensorboard", project_dir=work)
        accelerator.init_trackers("tensorboard")
    except (ImportError, ValueError) as error:
        raise MissingExtraError("tensorboard", "tensorboard") from error
    return accelerator


if __name__ == "__main__":
    import runpy
    import sys

    sys.argv[:1] = ["impasto", "train"]
    runpy.run_module("impasto", run_name="__main__")

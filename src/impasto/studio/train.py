"""Learn a style: photographs and one painting in, a style folder out.

The loop reads from top to bottom in :func:`train`. The method is Johnson et al. 2016
(arXiv 1603.08155) with instance normalisation (Ulyanov et al. 2016); the losses are
relative (:mod:`impasto.studio.losses`), so that no weight is tuned by hand.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim

from impasto import __version__, catalog, codecs, files
from impasto.errors import PictureError, TrainingError
from impasto.options import TrainOptions
from impasto.picture import Picture
from impasto.progress import CancelToken, OnProgress, Progress, silent
from impasto.studio import checkpoint, export
from impasto.studio.networks import TransformNetwork
from impasto.studio.objective import KINDS, Objective, StylePicture
from impasto.studio.photos import Photos, to_pixels, to_tensor

_CLIP = 1.0
"""Largest norm of a gradient: one odd batch must not undo an hour."""
_WARM_UP = 0.05
_WORK = "training"
_SMALLEST_PAINTING = 32


def train(
    style: str | Path,
    photos: str | Path,
    output: str | Path,
    *,
    options: TrainOptions | None = None,
    card: Mapping[str, Any] | None = None,
    start: Path | None = None,
    restart: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Path:
    """Learn the style of one painting and write it as a style folder.

    Args:
        style: the painting, any readable picture.
        photos: a folder of photographs, a few hundred or more.
        output: the style's folder; its last part is the style's name. A plain name goes
            to the user's styles, where ``-s NAME`` finds it.
        options: every knob; see :class:`~impasto.options.TrainOptions`.
        card: what the style's card says of the artwork: ``title``, ``artist``, ``year``,
            ``licence``.
        start: a checkpoint of another training with the same network; learning goes on
            from its weights, which is several times faster than from nothing.
        restart: begin anew where an interrupted training of this style would go on.
        on_progress: called after every step with the losses.
        cancel: stops the training after the step at hand, with a checkpoint.

    Returns:
        The style's folder.

    Raises:
        OptionError, PictureError: a value, a name or the painting cannot be used.
        TrainingError: no photographs, other options than the interrupted training's, or
            a loss that is not a number; what had been learnt stays on disk.
        Cancelled: stopped by ``cancel``.
    """
    options = options or TrainOptions()
    cancel = cancel or CancelToken()
    folder = _folder(output)
    work = folder / _WORK
    painting = _painting(style, options)
    batches = Photos(Path(photos), batch=options.batch, crop=options.crop, seed=options.seed)

    torch.manual_seed(options.seed)
    network = TransformNetwork(options.network)
    optimiser = optim.Adam(network.parameters(), lr=options.learning_rate)
    objective = Objective(options.loss, [StylePicture(to_tensor(painting.pixels)[None])])
    first = _begin(work, network, optimiser, options, start, restart)
    log = _Log(work / "losses.jsonl", first)

    for step in range(first, options.steps):
        began = time.monotonic()
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * schedule(step, options.steps)
        photographs = batches.batch(step)
        losses = objective(network(photographs), objective.content(photographs))
        numbers = losses.numbers()
        _require_finite(numbers, step, work)
        optimiser.zero_grad()
        losses.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimiser.step()

        done = step + 1
        log.append(done, {**numbers, "seconds": time.monotonic() - began})
        if done % options.save_every == 0 or done == options.steps or cancel.cancelled:
            checkpoint.save(work, done, network, optimiser, options)
            _sample(work / f"sample-{done:07}.png", network, photographs)
        on_progress(Progress(done, options.steps, {name: numbers[name] for name in KINDS}))
        cancel.check()

    training = {
        **asdict(options),
        "start": _name(start),
        "painting_sha256": hashlib.sha256(painting.pixels.tobytes()).hexdigest(),
        "photographs": len(batches),
        "skipped": sorted(path.name for path in batches.skipped),
        **log.summary(),
        "versions": {"impasto": __version__, "torch": str(torch.__version__)},
    }
    return export.write_style(folder, network.eval(), {"training": training}, card or {})


def schedule(step: int, steps: int) -> float:
    """Factor of the learning rate: a short rise, then half a cosine down to zero."""
    part = (step + 1) / steps
    if part < _WARM_UP:
        return part / _WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (part - _WARM_UP) / (1 - _WARM_UP))


def _painting(style: str | Path, options: TrainOptions) -> Picture:
    painting = codecs.open_any(style)
    if min(painting.width, painting.height) < _SMALLEST_PAINTING:
        raise PictureError(
            f"{style} is {painting.width}x{painting.height}, too small to learn a style from",
            hint=f"each side should have {_SMALLEST_PAINTING} pixels or more",
        )
    return painting.resized(options.style_size)


def _name(start: Path | None) -> str | None:
    """The style that a checkpoint belongs to, for the card."""
    if start is None:
        return None
    return start.parents[1].name if start.parent.name == _WORK else start.stem


def _folder(output: str | Path) -> Path:
    path = Path(output)
    catalog.valid_name(path.name)
    return path if len(path.parts) > 1 else catalog.user_folder() / path


def _begin(
    work: Path,
    network: nn.Module,
    optimiser: optim.Adam,
    options: TrainOptions,
    start: Path | None,
    restart: bool,
) -> int:
    """Load what there is to go on from; the number of steps that are done."""
    if restart:
        for old in work.glob("*"):
            old.unlink()
    if resumed := checkpoint.latest(work, options):
        resumed.restore(network, optimiser)
        return resumed.step
    if start:
        checkpoint.read(start).restore_network(network)
    return 0


def _require_finite(losses: Mapping[str, float], step: int, work: Path) -> None:
    bad = [name for name in KINDS if not math.isfinite(losses[name])]
    if bad:
        raise TrainingError(
            f"the {' and '.join(bad)} loss stopped being a number at step {step + 1}",
            hint=f"the last good state is in {work}; use a lower --learning-rate",
        )


def _sample(path: Path, network: nn.Module, photographs: Tensor) -> None:
    """Photographs above their paintings, to look at while the training runs."""
    with torch.no_grad():
        rows = [torch.cat(list(part), 2) for part in (photographs, network(photographs))]
    picture = codecs.from_array(to_pixels(torch.cat(rows, 1)))
    files.write(path, picture.encode("PNG"), overwrite=True)


class _Log:
    """``losses.jsonl``: one line per step, without what a crash left beyond the checkpoint."""

    def __init__(self, path: Path, first: int) -> None:
        self._path = path
        self._lines = path.read_text().splitlines()[:first] if path.exists() else []
        files.write(path, "".join(f"{line}\n" for line in self._lines).encode(), overwrite=True)

    def append(self, step: int, numbers: Mapping[str, float]) -> None:
        self._lines.append(json.dumps({"step": step, **numbers}))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(self._lines[-1] + "\n")

    def summary(self) -> dict[str, Any]:
        """Hours of work, and the mean losses of the last tenth of the training."""
        records = [json.loads(line) for line in self._lines]
        last = records[-max(1, len(records) // 10) :]
        losses = {name: round(sum(r[name] for r in last) / len(last), 4) for name in KINDS}
        return {"losses": losses, "seconds": round(sum(r["seconds"] for r in records))}

"""A smaller network that paints as a style does: for films, cameras and phones.

Knowledge distillation (Hinton et al. 2015, arXiv 1503.02531): photographs are painted by the
style, and the smaller network learns to paint the same. That takes no painting and no loss
network, so a step is several times as fast as one of :mod:`impasto.studio.training.train`, and what
the style needed an hour for is there in minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto import atomic, catalog
from impasto.catalog import Style
from impasto.distribution import VERSION
from impasto.errors import Cancelled, OptionError, TrainingError
from impasto.inference.engine import OnnxEngine
from impasto.options import DistillOptions, TrainOptions
from impasto.progress import CancelToken, OnProgress, Progress, silent
from impasto.studio import networks
from impasto.studio.export import publish
from impasto.studio.networks import TransformNetwork
from impasto.studio.tensors import grained, to_pixels, to_tensor
from impasto.studio.training import checkpoint, init_from
from impasto.studio.training.checkpoint import Training
from impasto.studio.training.dataset import Photos
from impasto.studio.training.muon import Muon
from impasto.studio.training.paintings import learnt_with
from impasto.studio.training.schedule import schedule

START = "starry-night-tiny"
"""Where the bundled tiny styles began."""
_CLIP = 1.0
_SCALES = 2
"""Sizes at which slopes are compared, each half of the one before."""
_WINDOW = 8
"""Side in pixels of what is around a place."""
_STRENGTH = 3.0
"""Weight of the slopes' strength; without it the Gram matrices are twice as far off."""

Paint = Callable[[Tensor], Tensor]
"""Photographs to paintings: ``(N, 3, H, W)``, 0..1."""


@dataclass(frozen=True)
class Distilled:
    """A style that was written, and how it compares with the one that it learnt from."""

    folder: Path
    levels: float
    """Mean absolute difference of their paintings of photographs that it has not seen, in
    levels of 255; of ones that it has seen, where none was kept apart."""
    parameters: int


def distill(
    style: str | Path | Style,
    photos: str | Path,
    output: str | Path,
    *,
    options: DistillOptions | None = None,
    start: str | Path | None = None,
    title: str = "",
    overwrite: bool = False,
    on_progress: OnProgress = silent,
    cancel: CancelToken | None = None,
) -> Distilled:
    """Teach a smaller network to paint as ``style`` does, and write it as another style.

    Args:
        style: a name, a folder, a card or a blend; as :func:`impasto.catalog.find` takes it.
        photos: a folder of photographs, a few hundred or more.
        output: the new style's folder, or its name alone, for the user's styles.
        options: see :class:`~impasto.options.DistillOptions`.
        start: a style, or a checkpoint, of such a small network to learn on from; by default
            where the bundled tiny styles began for a tiny network, and nothing for others.
        title: what people shall call it; by default after the style's own title.
        overwrite: replace a style that is there.
        on_progress: called after every step with the loss.
        cancel: stops after the step at hand; nothing is written.

    Raises:
        OptionError: no such style, a name that no style can have, or a start of another network.
        OutputError: ``output`` is there already.
        TrainingError: no photographs, or a loss that is not a number. Nothing is written.
        Cancelled: stopped by ``cancel``.
    """
    options, found = options or DistillOptions(), catalog.find(style)
    target = catalog.place(output)
    if target.resolve() == found.folder.resolve():
        raise OptionError(f"{target} would replace the style itself", hint="give another name")
    if (target / catalog.CARD).exists() and not overwrite:
        raise atomic.there_already(target)
    batches = Photos(
        Path(photos), batch=options.batch, crop=options.crop, seed=options.seed,
        held_out=options.held_out, without=target,
    )  # fmt: skip
    if start is None and options.network == networks.preset("tiny"):
        start = START
    network = _begun(options, start)
    engine = OnnxEngine(found.model(), device="cpu")

    def paint(photographs: Tensor) -> Tensor:
        painted = [engine.paint(to_pixels(each), found.weights) for each in photographs]
        return torch.stack([to_tensor(each) for each in painted])

    began = time.monotonic()
    loss = _learn(network, paint, batches, options, on_progress, cancel or CancelToken())
    unseen = batches.validation()
    some = unseen if len(unseen) else batches.batch(0)
    levels = _difference(network, paint, some, options)
    measured = {"total": round(loss, 4), "levels": round(levels, 2)}
    training = {
        **asdict(options),
        **_learnt_with(found),
        "start": init_from.name(start),
        "photographs": len(batches),
        "skipped": sorted(path.name for path in batches.skipped),
        "losses": measured,
        "seconds": round(time.monotonic() - began),
        "versions": {"impasto": VERSION, "torch": str(torch.__version__)},
    }
    origin = {"style": found.name, "sha256": found.card.sha256}
    entry = {
        "name": target.name,
        "title": title or f"{found.card.title}, small",
        "artwork": asdict(found.card.artwork),
    }
    state = Training({**asdict(options), "strength": False}, [entry])
    checkpoint.write(target / checkpoint.NETWORK, options.steps, network, state)
    publish.write_style(target, network, [entry], {"distilled": origin, "training": training})
    return Distilled(target, levels, sum(weight.numel() for weight in network.parameters()))


def _learnt_with(style: Style) -> dict[str, Any]:
    """By what ``impasto evaluate`` measures the new style: the loss that the other one had."""
    loss, size, crop = learnt_with(style)
    return {"loss": asdict(loss), "style_size": size, "style_crop": crop}


def _begun(options: DistillOptions, start: str | Path | None) -> TransformNetwork:
    """The network as it begins."""
    shape = TrainOptions(network=options.network, crop=options.crop, seed=options.seed)
    network = init_from.built(shape, 1)
    if start is not None:
        trunk = checkpoint.read(checkpoint.find(start))
        trunk.require_network(options.network)
        trunk.begin(network)
    return network


def _learn(
    network: TransformNetwork,
    paint: Paint,
    batches: Photos,
    options: DistillOptions,
    on_progress: OnProgress,
    cancel: CancelToken,
) -> float:
    """Take all steps; the mean loss of the last tenth."""
    optimiser = Muon([{"params": list(network.parameters())}])
    last: list[float] = []
    network.train()
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * schedule(step, options.steps)
        ground, taught = _grounds(batches.batch(step), options, step * options.batch)
        loss = distance(network(ground), paint(taught))
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss stopped being a number at step {step + 1}",
                hint="use a lower --learning-rate",
            )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimiser.step()
        if step >= options.steps * 9 // 10:
            last.append(loss.item())
        on_progress(Progress(step + 1, options.steps, {"total": loss.item()}))
        if cancel.cancelled:
            raise Cancelled("stopped")
    network.eval()
    return sum(last) / len(last)


def distance(painted: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference of pixels, of mean colours, of slopes, and of how strong slopes
    are around a place: without the last, marks that the small network cannot put where the
    large one has them would fade."""
    total = F.l1_loss(painted, wanted)
    for _ in range(_SCALES):
        for axis in (2, 3):
            one, other = painted.diff(dim=axis), wanted.diff(dim=axis)
            strength = F.l1_loss(_strength(one), _strength(other))
            total = total + (F.l1_loss(one, other) + _STRENGTH * strength) / 2
        painted, wanted = F.avg_pool2d(painted, 2), F.avg_pool2d(wanted, 2)
    return total + F.l1_loss(painted, wanted)


def _strength(slopes: Tensor) -> Tensor:
    """The root of the mean square in windows."""
    return (F.avg_pool2d(slopes.square(), _WINDOW, _WINDOW // 2) + 1e-4).sqrt()


def _grounds(photographs: Tensor, options: DistillOptions, first: int) -> tuple[Tensor, Tensor]:
    """What the new network and the old one get, in whole levels: every other photograph with
    grain, as pictures have it, the rest without, as frames of films are; none for the old one of
    a calm network."""
    grain = grained(photographs, options.grain, options.seed, first)
    odd = torch.tensor([(first + number) % 2 for number in range(len(photographs))])
    mixed = torch.where(odd.bool()[:, None, None, None], photographs, grain)
    ground, clean = (each.mul(255).round().div(255) for each in (mixed, photographs))
    return ground, clean if options.calm else ground


def _difference(
    network: TransformNetwork, paint: Paint, photographs: Tensor, options: DistillOptions
) -> float:
    """By how many levels paintings of these photographs differ in the mean."""
    total = 0.0
    for number, photograph in enumerate(photographs):
        ground, taught = _grounds(photograph[None], options, number)
        with torch.no_grad():
            total += float(F.l1_loss(network(ground).clamp(0, 1), paint(taught)))
    return total * 255 / len(photographs)

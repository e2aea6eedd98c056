"""Many styles learnt at once: a step, beside the loss network alone on as many pictures.

The loss network sees each painting once forward and once backward. A training can be no faster than
that. What it takes beyond is its own: photographs, their content, the transform networks, the
losses and the optimiser. With ``--full`` there are more networks, for a GPU.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks.measure import medians, timed
from benchmarks.rows import Plan, Row
from impasto import assets
from impasto.files import lookup
from impasto.options import TrainOptions
from impasto.studio import networks
from impasto.studio.networks.grouped import Grouped
from impasto.studio.training.apart_lesson import ApartLesson
from impasto.studio.training.muon import Muon
from impasto.studio.training.paintings import Painting
from impasto.studio.training.subject import Subject

if TYPE_CHECKING:
    from impasto.catalog import Style

_COUNTS, _MORE = (1, 4), (16, 64)
_BAR = 0.7
_OPTIONS = TrainOptions(apart=True, held_out=0)


def apart(_style: Style, plan: Plan) -> Iterator[Row]:
    """Measure paintings a second, in turns; then what a network costs beside others."""
    seconds = {}
    with tempfile.TemporaryDirectory() as work:
        for count in (*_COUNTS, *(_MORE if plan.full else ())):
            training = _Training(_subject(count, Path(work)))
            runs = {"ours": timed(training.step), "alone": timed(training.loss_network)}
            times = medians(runs, plan.repeats)
            seconds[count] = times["ours"] / count
            ours, theirs = (count / each for each in times.values())
            what = f"networks at once: {count}, against the loss network alone"
            yield Row(what, "paintings/s", ours, theirs, ours / theirs, _BAR, at_least=True)
    first, *others = seconds.items()
    for count, each in others:
        what = f"a step of one network, one of {count} against one alone"
        yield Row(what, "s", each, first[1], each / first[1])


@dataclass
class _Training:
    """A training that goes on for as long as it is measured."""

    subject: Subject

    def __post_init__(self) -> None:
        subject, device = self.subject, self.subject.accelerator.device
        shape, count = subject.options.network, len(subject.wanted)
        weights = [networks.build(shape).state_dict() for _ in range(count)]
        self._network = Grouped(shape, weights).to(device)
        self._lesson = ApartLesson(subject.options, subject.dataset, subject.objectives, device)
        self._optimiser = Muon(self._lesson.groups(self._network))
        self._paint: Callable[..., torch.Tensor] = subject.accelerator.prepare(self._network)
        self._number = 0

    def step(self) -> None:
        """Take a step of all networks."""
        losses = self._lesson.losses(self._paint, self._lesson.fetch(self._number))
        self._optimiser.zero_grad()
        losses.total.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._number += 1
        losses.total.item()  # waits for a GPU

    def loss_network(self) -> None:
        """Run the loss network on as many paintings, forward and backward."""
        side, count = self.subject.options.crop, len(self.subject.wanted)
        shape = count * self.subject.options.batch, 3, side, side
        device = self.subject.accelerator.device
        pictures = torch.rand(shape, device=device, requires_grad=True)
        features = self._lesson.objectives[0].features(pictures)
        torch.stack([each.mean() for each in features.values()]).sum().backward()  # type: ignore[no-untyped-call]
        assert pictures.grad is not None
        pictures.grad.sum().item()


def _subject(count: int, work: Path) -> Subject:
    """Take any pictures for paintings: what they show changes no time."""
    files = lookup.pictures(assets.PHOTOGRAPHS).paths
    wanted = [Painting(files[each % len(files)], name=f"style-{each}") for each in range(count)]
    return Subject.of(wanted, assets.PHOTOGRAPHS, work, _OPTIONS, lambda _: None)

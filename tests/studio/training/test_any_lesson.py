"""What a hypernetwork learns from a step."""

from dataclasses import replace
from pathlib import Path

import learning_any
from impasto.progress import silent
from impasto.studio.training import any_lesson, bank, pairs, start_any
from impasto.studio.training import train_any as module
from impasto.studio.training.averaged import Averaged
from impasto.studio.training.muon import Muon
from impasto.studio.training.pairs import Source
from learning_any import TINY

STYLES = Source.styles


def lesson_of(options, photos, folder):
    """A lesson about a few pictures, and the hypernetwork that it begins with."""
    folders = learning_any.paintings(folder), Path(photos)
    files = [sorted(each.glob("*.[pj][np]g"))[:3] for each in folders]
    banks = [bank.of(each, folder / "work", silent) for each in files]
    options, begun = start_any.begun(options, None)
    lesson = module._lesson(options, banks, begun.encoder, 1, silent)
    lesson.calibrate(begun)
    return lesson, begun


def test_losses_of_the_same_pairs_fall(photos, tmp_path):
    lesson, begun = lesson_of(replace(TINY, learning_rate=0.03), photos, tmp_path)
    network, batch = Averaged(begun).train(), lesson.fetch(0)
    optimiser, totals = Muon(lesson.groups(network)), []
    for _ in range(12):
        losses = lesson.losses(network, batch)
        totals.append(losses.numbers()["total"])
        optimiser.zero_grad()
        losses.total.backward()
        for group in optimiser.param_groups:
            group["lr"] = group["peak"]
        optimiser.step()
    assert totals[-1] < 0.9 * totals[0]


def test_what_is_seen_of_paintings_is_measured_once(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(any_lesson, "BLOCK", 2)
    monkeypatch.setattr(pairs, "BLOCK", 2)
    lesson, begun = lesson_of(replace(TINY, uses=3), photos, tmp_path)
    drawn = []
    monkeypatch.setattr(
        Source, "styles", lambda own, number: drawn.append(number) or STYLES(own, number)
    )
    network = Averaged(begun).train()
    totals = [lesson.losses(network, lesson.fetch(n)).numbers()["total"] for n in range(8)]
    assert drawn == [0, 1, 2, 3]
    assert len(set(totals)) == 8  # photographs and boldness differ
    again, _ = lesson_of(replace(TINY, uses=3), photos, tmp_path)
    assert again.losses(network, again.fetch(7)).numbers()["total"] == totals[7]

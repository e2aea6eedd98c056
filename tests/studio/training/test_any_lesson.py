"""What a hypernetwork learns from a step."""

from dataclasses import replace
from pathlib import Path

import torch

import learning_any
from impasto.progress import silent
from impasto.studio.training import bank, start_any
from impasto.studio.training import train_any as module
from impasto.studio.training.averaged import Averaged
from impasto.studio.training.muon import Muon
from learning_any import TINY


def test_losses_of_the_same_pairs_fall(photos, tmp_path):
    folders = learning_any.paintings(tmp_path), Path(photos)
    files = [sorted(each.glob("*.[pj][np]g"))[:3] for each in folders]
    banks = [bank.of(each, tmp_path / "work", silent) for each in files]
    options, begun = start_any.begun(replace(TINY, learning_rate=0.03), None)
    lesson = module._lesson(options, banks, torch.device("cpu"), 1, silent)
    lesson.calibrate(begun)
    network, pairs = Averaged(begun).train(), lesson.fetch(0)
    optimiser, totals = Muon(lesson.groups(network)), []
    for _ in range(9):
        losses = lesson.losses(network, pairs)
        totals.append(losses.numbers()["total"])
        optimiser.zero_grad()
        losses.total.backward()
        for group in optimiser.param_groups:
            group["lr"] = group["peak"]
        optimiser.step()
    assert totals[-1] < 0.9 * totals[0]

"""All numbers of a polish, for a loop in another language: the page's, which polishes in a browser.

Nobody types a number twice: the page is written with these, and uses them as this package does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING

from impasto.catalog import TrainingRecord
from impasto.images.photographs import crops
from impasto.polishing import folded, muon, polisher
from impasto.studio.training import schedule

if TYPE_CHECKING:
    from impasto.options.fields import Json

_CROPS = 512
"""Crops in the recipe; a longer polish repeats them."""
_ENOUGH = 40
"""Steps from which crops of the full side are best.

In less time, four times as many steps on crops of half the side teach more. In the time of 11
steps, they lowered the loss of two paintings by 29 and 35 per cent.
"""


def recipe(photographs: int, versions: Mapping[str, str]) -> dict[str, Json]:
    """Return the recipe of a polish that learns from so many photographs; another one judges it.

    ``crops`` has for each step a photograph's number, the zoom, and the place from left and from
    top, 0..1. It also has whether the crop is mirrored. ``loss_weights`` are in the order of the
    graph's input. ``versions`` are of what computes, for the card.
    """
    options, loss = polisher.OPTIONS, polisher.OPTIONS.loss
    return {
        "fewest": polisher.FEWEST,
        "enough": _ENOUGH,
        "rate": options.learning_rate,
        "warm_up": schedule.WARM_UP,
        "optimiser": _optimiser(),
        "crop": options.crop,
        "grain": options.grain,
        "style_size": options.style_size,
        "style_smoothing": options.style_smoothing,
        "loss_weights": [
            loss.content_weight,
            loss.style_weight,
            loss.tv_weight,
            loss.tone_weight,
        ],
        "crops": [_crop(options.seed, number, photographs) for number in range(_CROPS)],
        "exported": {
            "input": folded.INPUT,
            "output": folded.OUTPUT,
            "rounded": folded.ROUNDED,
            "taps": folded.taps().tolist(),
        },
        "training": _record(photographs, versions),
    }


def _optimiser() -> dict[str, Json]:
    """Return the numbers of :mod:`impasto.polishing.muon`."""
    return {
        "momentum": muon.MOMENTUM,
        "betas": list(muon.BETAS),
        "eps": muon.EPS,
        "quintic": list(muon.QUINTIC),
        "iterations": muon.ITERATIONS,
        "scale": muon.SCALE,
        "clip": muon.CLIP,
        "tiny_clip": muon.TINY_CLIP,
        "tiny_norm": muon.TINY_NORM,
    }


def _crop(seed: int, number: int, photographs: int) -> Json:
    (drawn,) = islice(crops(seed, number, photographs), 1)
    return [*drawn]


def _record(photographs: int, versions: Mapping[str, str]) -> Json:
    """Return what a card says of such a polish, without its results."""
    known = TrainingRecord.of(asdict(polisher.OPTIONS))
    learnt = replace(known, start=polisher.START, photographs=photographs, versions=versions)
    return replace(learnt, source={}).record()

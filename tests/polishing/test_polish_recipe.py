"""The numbers that the page polishes with are those that the core polishes with."""

from dataclasses import replace

import numpy as np

from impasto import assets, images
from impasto.catalog import TrainingRecord
from impasto.files import lookup
from impasto.images.photographs import PhotographBytes
from impasto.polishing import polisher
from impasto.polishing.recipe import recipe

_FILES = lookup.pictures(assets.PHOTOGRAPHS).paths


def test_the_crops_are_those_that_the_core_learns_from():
    told, side = recipe(len(_FILES), {}), 64
    assert len(told["crops"]) == 512
    photographs = PhotographBytes(_FILES, crop=side, seed=polisher.OPTIONS.seed, held_out=0)
    for number in (0, 1, 511):
        photograph, zoom, left, top, mirrored = told["crops"][number]
        image = images.read(_FILES[photograph]).pil().convert("RGB")
        part = side / zoom
        x, y = left * (image.width - part), top * (image.height - part)
        box = (x, y, x + part, y + part)
        square = np.asarray(image.resize((side, side), images.BICUBIC, box=box))
        assert np.array_equal(photographs.crop(number), square[:, :: -1 if mirrored else 1])


def test_another_default_is_told(monkeypatch):
    loss = replace(polisher.OPTIONS.loss, tone_weight=7.0)
    monkeypatch.setattr(polisher, "OPTIONS", replace(polisher.OPTIONS, crop=96, loss=loss))
    told = recipe(15, {"x": "1"})
    assert (told["crop"], told["loss_weights"][3]) == (96, 7.0)
    training = TrainingRecord.of(told["training"])
    assert (training.crop, training.start, training.photographs) == (96, "any", 15)
    assert training.versions == {"x": "1"}

"""Polishes of few pixels, on one thread: they can be compared bit by bit."""

from dataclasses import replace
from functools import cache

import pytest

from impasto.catalog import step
from impasto.inference import devices
from impasto.polishing import learning, polisher


@pytest.fixture(autouse=True, scope="module")
def small():
    """A step takes a hundredth of the time, the graphs are read once, and curves are not drawn."""
    options = replace(polisher.OPTIONS, crop=64, style_size=96)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "threads", lambda: 1)
        patch.setattr(polisher, "OPTIONS", options)
        patch.setattr(learning.loss_curves, "png", lambda *_, **__: b"curves")
        patch.setattr(step, "graphs", cache(step.graphs))
        yield

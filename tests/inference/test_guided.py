"""Networks that paint with statistics that they are given."""

import numpy as np
import pytest

from impasto import catalog, images
from impasto.inference import runtimes
from impasto.inference.engine import OnnxEngine, Running
from impasto.inference.guided import Guided


@pytest.fixture(scope="module")
def guided(style):
    return Guided(OnnxEngine(style.model(), device="cpu"))


@pytest.fixture(scope="module")
def tall(photo):
    """Of many bands, though small."""
    return np.tile(images.resize_to(photo, (80, 120)).pixels, (12, 1, 1))[:901]


def rows(network, pixels, statistics, area, monkeypatch):
    """Painted in bands of an area, and how high those were."""
    painting, heights = np.zeros_like(pixels), []

    def photo(part):
        heights.append(part.stop - part.start)
        return pixels[part]

    monkeypatch.setattr(network.engine, "band", lambda budget: area)
    network.paint_rows(photo, (), statistics, painting)
    return painting, heights


def test_its_own_statistics_give_the_same_painting(guided, photo):
    painting, statistics = guided.paint(photo.pixels, measured=True)
    assert np.array_equal(painting, guided.engine.paint(photo.pixels))
    again, found = guided.paint(photo.pixels, (), statistics)
    assert np.abs(again.astype(int) - painting).max() <= 1
    assert not found
    both, measured = guided.paint(photo.pixels, (), statistics, measured=True)
    assert np.array_equal(both, again)
    for name, values in statistics.items():
        np.testing.assert_allclose(measured[name], values, rtol=1e-3, atol=1e-4)


def test_other_statistics_give_another_painting(guided, photo):
    _, statistics = guided.paint(255 - photo.pixels, measured=True)
    painting, _ = guided.paint(photo.pixels, (), statistics)
    assert np.abs(painting.astype(int) - guided.engine.paint(photo.pixels)).mean() > 10


@pytest.mark.parametrize("name", ["great-wave", "great-wave-tiny"])
def test_bands_of_rows_are_parts_of_the_whole(name, tall, monkeypatch):
    network = Guided(OnnxEngine(catalog.bundled()[name].model(), device="cpu"))
    whole, statistics = network.paint(tall, measured=True)
    painting, heights = rows(network, tall, statistics, 1, monkeypatch)
    assert len(heights) > 2
    assert np.abs(painting.astype(int) - whole).max() <= 1


def test_a_network_reaches_no_further_than_it_is_forecast_to(guided, tall):
    """What is changed further away changes nothing, and what is nearer does."""
    reach, statistics = guided.reach[1], guided.paint(tall, measured=True)[1]
    changed = tall.copy()
    changed[:400] = 255 - changed[:400]
    one, other = (guided.paint(each, (), statistics)[0].astype(int) for each in (tall, changed))
    apart = np.abs(one - other).max((1, 2))
    assert apart[400 + reach :].max() == 0
    assert apart[400 : 400 + reach // 2].min() > 0


def test_smaller_bands_are_tried_where_memory_ends(guided, tall, monkeypatch):
    whole, statistics = guided.paint(tall, measured=True)
    real = Running.__call__

    def outputs(running, photo, others, **kwargs):
        if photo.shape[1] > 600:
            raise runtimes.OutOfMemoryError("Failed to allocate memory for requested buffer")
        return real(running, photo, others, **kwargs)

    monkeypatch.setattr(Running, "__call__", outputs)
    painting, heights = rows(guided, tall, statistics, tall.size, monkeypatch)
    assert heights[0] > 600 > heights[-1]
    assert np.abs(painting.astype(int) - whole).max() <= 1

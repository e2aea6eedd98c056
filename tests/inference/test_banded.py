"""Painting in bands, beside painting whole."""

import resource
import tempfile
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from impasto.errors import DeviceError
from impasto.inference import engine, network, runtimes
from impasto.inference.banded import Tiles
from impasto.inference.engine import OnnxEngine, Running
from impasto.studio import networks
from impasto.studio.export import onnx as onnx_graph
from impasto.studio.networks import NETWORKS


def tiles(model):
    return Tiles(network.read(model), partial(Running, device="cpu", arena=False))


@pytest.fixture(scope="module")
def whole(style):
    return OnnxEngine(style.model(), device="cpu")


@pytest.mark.parametrize("height", [64, 203, 328])
@pytest.mark.parametrize("rows", [8, 64, 1000])
def test_bands_of_any_height_give_what_the_whole_gives(style, whole, photo, height, rows):
    pixels = np.tile(photo.pixels, (4, 2, 1))[:height, :301]
    in_bands = tiles(style.model()).paint(pixels, {}, rows * 301)
    apart = np.abs(in_bands.astype(int) - whole.paint(pixels))
    assert apart.max() <= 1
    assert apart.mean() < 0.02


def test_bands_with_statistics_of_their_own_would_differ(style, whole, photo):
    """The reason for all this: what the naive way gives."""
    pixels = np.concatenate([photo.pixels // 3, photo.pixels])
    naive = np.concatenate([whole.paint(half) for half in np.split(pixels, 2)])
    assert np.abs(naive.astype(int) - whole.paint(pixels)).mean() > 5
    in_bands = tiles(style.model()).paint(pixels, {}, 16 * pixels.shape[1])
    assert np.abs(in_bands.astype(int) - whole.paint(pixels)).max() <= 1


_JOHNSON = replace(NETWORKS["johnson"], width=8, blocks=2)


@pytest.mark.parametrize(
    ("options", "styles"),
    [
        (replace(NETWORKS["tiny"], blocks=2), 2),
        (replace(NETWORKS["tiny"], blocks=2, norm="batch"), 1),
        (_JOHNSON, 1),
        (replace(_JOHNSON, separable=True, shrink=2), 2),
        (replace(_JOHNSON, shrink=4, upsampling="bilinear", pad="zeros"), 1),
        (replace(_JOHNSON, upsampling="nearest", pad="replicate", norm="batch"), 1),
    ],
)
@pytest.mark.usefixtures("exporter")
def test_every_network_can_be_painted_in_bands(options, styles, rng):
    torch.manual_seed(0)
    network = networks.build(options, styles).eval()
    for weight in network.parameters():
        weight.data += torch.randn_like(weight) * 0.05
    model = onnx_graph.to_onnx(network)
    pixels = rng.integers(0, 256, (12, 9, 3), np.uint8).repeat(16, 0).repeat(16, 1)[:187, :139]
    whole = OnnxEngine(model, device="cpu")
    mix = [0.3, 0.7][:styles]
    expected = whole.paint(pixels, mix)
    found = tiles(model).paint(pixels, whole.mix(mix), 32 * 139)
    assert expected.std() > 10
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_picture_that_would_take_too_much_memory_is_painted_in_bands(
    style, whole, photo, monkeypatch
):
    expected = whole.paint(photo.pixels)
    monkeypatch.setattr(engine, "MEMORY", 500_000)
    in_bands = OnnxEngine(style.model(), device="cpu")
    monkeypatch.setattr(in_bands, "_whole", None)  # what paints whole pictures
    monkeypatch.setattr(engine, "_mix", lambda session, weights: {})
    assert np.abs(in_bands.paint(photo.pixels).astype(int) - expected).max() <= 1


def test_where_memory_ends_after_all_ever_smaller_parts_are_tried(style, photo, monkeypatch):
    painter = OnnxEngine(style.model(), device="cpu")
    pixels = np.tile(photo.pixels, (4, 1, 1))
    expected, real = painter.paint(pixels), Running.__call__
    most, refused = [pixels.size / 4], []

    def outputs(running, photo, others, **kwargs):
        if photo.size > most[0]:
            refused.append(photo.shape)
            raise runtimes.OutOfMemoryError("Failed to allocate memory for requested buffer")
        return real(running, photo, others, **kwargs)

    monkeypatch.setattr(Running, "__call__", outputs)
    assert np.abs(painter.paint(pixels).astype(int) - expected).max() <= 1
    assert refused[0][1] == len(pixels)
    assert len({shape[1] for shape in refused}) > 1

    most[0] = 0
    with pytest.raises(DeviceError, match="Failed to allocate"):
        painter.paint(pixels)


def test_a_full_disk_is_an_error_that_says_what_to_do(style, photo):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    painter = tiles(style.model())
    painter.paint(photo.pixels, {}, 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(DeviceError, match=r"temporary files .* - .*TMPDIR"):
            painter.paint(photo.pixels, {}, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_temporary_files_go_to_tmpdir_and_are_gone_afterwards(style, photo, tmp_path, monkeypatch):
    made = []
    real = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(
        tempfile, "TemporaryFile", lambda **kwargs: made.append(real(**kwargs)) or made[-1]
    )
    tiles(style.model()).paint(photo.pixels, {}, 1)
    assert made
    assert all(file.closed for file in made)
    assert not list(tmp_path.iterdir())

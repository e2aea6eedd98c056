"""Every bundled style paints what it painted when it was accepted, on any processor."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import golden
import hostile_networks
from impasto import catalog, images
from impasto.inference import runtimes
from impasto.options import StylizeOptions

NAMES = sorted(catalog.bundled())


def off(style, folder):
    """The style with a first convolution whose weights are 1 % off."""
    model = onnx.load_from_string(style.model())
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    values = numpy_helper.to_array(weight)
    noise = np.random.default_rng(0).standard_normal(values.shape)
    changed = (values * (1 + 0.01 * noise)).astype(values.dtype)
    weight.CopyFrom(numpy_helper.from_array(changed, weight.name))
    shutil.copytree(style.folder, folder)
    hostile_networks.put(folder, model.SerializeToString())
    return catalog.find(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_style_paints_what_is_kept_and_a_changed_network_does_not(name, tmp_path):
    style, wanted = catalog.bundled()[name], golden.kept(name)
    assert golden.alike(golden.painted(style), wanted)
    assert not golden.alike(golden.painted(off(style, tmp_path / name)), wanted)


def test_one_picture_is_kept_of_each_style():
    assert sorted(path.stem for path in golden.FOLDER.iterdir()) == NAMES
    assert sum(path.stat().st_size for path in golden.FOLDER.iterdir()) < 1_500_000


@pytest.mark.parametrize("changed", [{"grain": 5.5}, {"strength": 0.98}, {"stroke": 2}])
def test_a_changed_pipeline_is_seen(changed):
    assert not golden.alike(golden.painted("great-wave", **changed), golden.kept("great-wave"))


@pytest.fixture(scope="module", params=golden.CLOSE)
def large(request):
    """A style's name, and its painting of a large photograph. It takes a second or two: a small one
    has no scales to speak of."""
    assert StylizeOptions().marks_side == 1024
    return request.param, golden.large(request.param)


def test_up_close_a_style_paints_what_is_kept(large):
    name, painting = large
    assert golden.alike(painting[golden.PART], golden.kept(name, golden.CROPS))


@pytest.mark.usefixtures("marks_as_they_are")
def test_a_preview_is_the_result_seen_small(large):
    """As `python -m benchmarks --only look` tells it of all styles, at 4096 pixels."""
    name, painting = large
    preview = golden.large(name, 512)
    small = images.resize_pixels(painting, preview.shape[:2])
    assert np.corrcoef(small.ravel(), preview.ravel())[0, 1] >= 0.96
    assert np.abs(small.astype(int) - preview).mean() <= 9


@pytest.mark.parametrize("name", ["great-wave", "udnie-tiny"])
def test_what_another_runtime_rounds_otherwise_is_alike(name, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setattr(runtimes, "PRECISION", "f32")
    painted = golden.painted(name, device="openvino")
    assert golden.alike(painted, golden.kept(name))

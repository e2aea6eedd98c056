"""Both runtimes on the same networks: what one paints, the other paints."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from impasto import doctor
from impasto.errors import DeviceError, StyleError
from impasto.inference import devices, runtimes
from impasto.inference.engine import OnnxEngine
from impasto.options import NetworkOptions
from impasto.studio import networks
from impasto.studio.export import int8
from impasto.studio.export import onnx as onnx_graph
from impasto.video.temporal import SteadyEngine


@pytest.fixture(autouse=True, scope="module")
def single_precision():
    """So that both runtimes compute alike, whatever the processor is fastest in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtimes, "PRECISION", "f32")
        yield


@pytest.fixture(scope="module")
def vino(style):
    return OnnxEngine(style.model(), device="openvino")


@pytest.fixture(scope="module")
def cpu(style):
    return OnnxEngine(style.model(), device="cpu")


def test_openvino_paints_what_onnxruntime_paints(vino, cpu, photo, rng):
    sizes = [(1, 1), (64, 96), (131, 149), (97, 320), (64, 96)]
    pictures = [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    for pixels in [photo.pixels, *pictures]:
        painted = vino.paint(pixels)
        assert painted.shape == pixels.shape
        assert np.abs(painted.astype(int) - cpu.paint(pixels)).max() <= 1


def test_in_the_processors_own_precision_a_painting_hardly_changes(cpu, style, photo, monkeypatch):
    monkeypatch.setattr(runtimes, "PRECISION", None)
    fastest = OnnxEngine(style.model(), device="openvino")
    off = np.abs(fastest.paint(photo.pixels).astype(int) - cpu.paint(photo.pixels))
    assert off.mean() <= 0.6
    assert off.max() <= 16
    assert runtimes.precision("cpu") == "f32"
    own = runtimes.precision("openvino")
    assert doctor.report()["devices"]["openvino"] == (
        "works (OpenVINO)" if own == "f32" else f"works (OpenVINO, {own})"
    )


def test_a_painting_stays_when_the_next_is_painted(vino, photo):
    first = vino.paint(photo.pixels)
    copy = first.copy()
    vino.paint(255 - photo.pixels)
    assert np.array_equal(first, copy)


def test_one_openvino_engine_serves_many_threads(vino, photo):
    pictures = [np.ascontiguousarray(photo.pixels[: 80 + 8 * (n % 3)]) for n in range(9)]
    expected = [vino.paint(pixels) for pixels in pictures]
    results = {}
    threads = [
        threading.Thread(target=lambda n=n: results.update({n: vino.paint(pictures[n])}))
        for n in range(9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(results[n], expected[n]) for n in range(9))


def test_openvino_keeps_a_network_for_the_last_few_sizes_only(style, photo):
    engine = OnnxEngine(style.model(), device="openvino")
    for height in range(64, 72):
        engine.paint(photo.pixels[:height])
    kept = engine._whole.session._compiled
    assert [shape[1] for ((_, shape),) in kept] == [68, 69, 70, 71]
    compiled = kept[next(reversed(kept))]
    engine.paint(photo.pixels[:71])
    assert kept[next(reversed(kept))] is compiled


def test_large_pictures_leave_nothing_behind(vino, photo, monkeypatch):
    monkeypatch.setattr("impasto.inference.engine.KEEP_MEMORY", 1000)
    vino.paint(photo.pixels)
    assert not vino._whole.session._compiled


@pytest.mark.usefixtures("exporter")
def test_openvino_takes_style_weights_and_8_bits(photo):
    torch.manual_seed(0)
    network = networks.build(NetworkOptions(width=8, blocks=2), 2, strength=True)
    for weight in network.parameters():
        weight.data += torch.randn_like(weight) * 0.2
    model = onnx_graph.to_onnx(network.eval())
    eight = int8.to_int8(
        model, iter([(photo.pixels, [1.0, 0.0]), (photo.pixels, [0.0, 1.0])]), int8.large(model)
    )
    weights = [0.3, 0.5]
    for data, most in ((model, 0.01), (eight, 2.0)):
        one, other = (OnnxEngine(data, device=name) for name in ("cpu", "openvino"))
        painted = one.paint(photo.pixels, weights)
        assert np.abs(painted.astype(int) - one.paint(photo.pixels)).mean() > 2
        assert np.abs(other.paint(photo.pixels, weights).astype(int) - painted).mean() < most


def test_in_bands_and_steadily(style, photo, monkeypatch):
    frames = [photo.pixels, np.roll(photo.pixels, 3, 1)]
    painters = [
        SteadyEngine(OnnxEngine(style.model(), device=name)) for name in ("cpu", "openvino")
    ]
    for frame in frames:
        one, other = (painter.paint(frame) for painter in painters)
        assert np.abs(one.astype(int) - other).max() <= 2
    monkeypatch.setattr("impasto.inference.engine.MEMORY", 500_000)
    one, other = (
        OnnxEngine(style.model(), device=name).paint(photo.pixels) for name in ("cpu", "openvino")
    )
    assert np.abs(one.astype(int) - other).max() <= 1


def test_without_openvino_it_is_named_and_auto_does_not_miss_it(style, monkeypatch):
    monkeypatch.setattr(runtimes.util, "find_spec", lambda name: None)
    with pytest.raises(DeviceError, match=r"no openvino - pip install \"impasto\[openvino\]\""):
        OnnxEngine(style.model(), device="openvino")
    assert "openvino" not in runtimes.available()
    assert "openvino" not in runtimes.versions()
    assert OnnxEngine(style.model()).device in runtimes.available()


@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_what_is_no_network_is_the_styles_fault(style, device):
    network = style.loaded()
    first, *others = network.nodes
    nonsense = replace(network, nodes=(replace(first, op="Nonsense"), *others))
    with pytest.raises(StyleError, match="refuses the network"):
        runtimes.start(nonsense, device)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("Failed to allocate memory")])
def test_too_little_memory_is_no_fault_of_the_style(style, photo, monkeypatch, error):
    import onnxruntime

    def no_room(*_, **__):
        raise error

    painter = OnnxEngine(style.model(), device="cpu")
    monkeypatch.setattr(onnxruntime.InferenceSession, "run", no_room)
    with pytest.raises(runtimes.OutOfMemoryError, match="failed"):
        painter.paint(photo.pixels)
    monkeypatch.setattr(onnxruntime, "InferenceSession", no_room)
    with pytest.raises(runtimes.OutOfMemoryError):
        runtimes.start(style.loaded(), "cpu")


def test_auto_takes_openvino_where_it_was_measured_to_be_faster(style):
    assert OnnxEngine(style.model()).device == "cpu"
    found = doctor.bench((96, 128))
    assert {"cpu", "openvino"} <= set(found)
    devices.remember({"openvino": 1.0, "cpu": 2.0})
    assert OnnxEngine(style.model()).device == "openvino"
    assert doctor.report()["devices"]["openvino"] == "works (OpenVINO)"

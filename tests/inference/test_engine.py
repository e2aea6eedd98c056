import threading

import numpy as np
import onnx
import pytest

from impasto.errors import DeviceError, OptionError
from impasto.inference import devices, runtimes
from impasto.inference.engine import OnnxEngine


@pytest.fixture(scope="module")
def cpu(style):
    return OnnxEngine(style.model(), device="cpu")


@pytest.mark.parametrize(
    "size",
    [(1, 1), (1, 5000), (5000, 1), (2, 2), (3, 3), (7, 7), (8, 8), (63, 65), (100, 101), (97, 64),
     (4096, 64), (131, 149)],
)  # fmt: skip
def test_the_painting_has_the_photographs_size(cpu, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    painted = cpu.paint(pixels)
    assert painted.shape == pixels.shape
    assert painted.dtype == np.uint8


def test_extending_to_the_stride_does_not_move_the_picture(cpu, photo):
    """All sizes agree on what they share, but for the statistics of a row more or less."""
    pixels = photo.pixels[:96, :96]
    whole = cpu.paint(pixels).astype(int)
    for cut in range(1, 8):
        part = cpu.paint(pixels[: 96 - cut]).astype(int)
        assert np.abs(part[:80] - whole[:80]).mean() < 6


def test_the_network_really_paints(cpu, photo):
    painted = cpu.paint(photo.pixels).astype(int)
    assert np.abs(painted - photo.pixels).mean() > 20
    assert painted.std() > 20


def test_the_same_picture_gives_the_same_painting_whatever_the_threads(style, photo):
    one = OnnxEngine(style.model(), device="cpu", threads=1).paint(photo.pixels)
    two = OnnxEngine(style.model(), device="cpu", threads=2).paint(photo.pixels)
    assert np.abs(one.astype(int) - two).max() <= 1


def test_one_engine_serves_many_threads(cpu, photo):
    expected = cpu.paint(photo.pixels)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(cpu.paint(photo.pixels))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(np.array_equal(result, expected) for result in results)


def test_uniform_pictures_give_finite_paintings(cpu):
    for value in (0, 127, 255):
        painted = cpu.paint(np.full((64, 96, 3), value, np.uint8))
        assert painted.shape == (64, 96, 3)


def test_auto_takes_a_device_that_works_and_says_so(style):
    found = OnnxEngine(style.model())
    assert found.device in devices.RUNTIMES
    assert "cpu" in runtimes.available()


@pytest.mark.parametrize("device", [d for d in ("cuda", "coreml") if d not in runtimes.available()])
def test_a_device_that_is_not_there_is_an_error_when_asked_for(style, device):
    with pytest.raises(DeviceError, match=f"no {device} - .*--device cpu"):
        OnnxEngine(style.model(), device=device)


def test_a_provider_that_silently_falls_back_is_caught(style, monkeypatch):
    """onnxruntime lists a provider, makes the session without it, and says nothing."""
    import onnxruntime as ort

    monkeypatch.setattr(
        ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    real = ort.InferenceSession
    monkeypatch.setattr(
        ort,
        "InferenceSession",
        lambda model, options, providers: real(model, options, ["CPUExecutionProvider"]),
    )
    with pytest.raises(DeviceError, match="fell back to the CPU"):
        OnnxEngine(style.model(), device="cuda")
    honest = OnnxEngine(style.model())
    assert honest.device == "cpu"
    assert "cuda does not work here" in honest.note


def test_a_device_that_does_not_exist_is_a_usage_error(style):
    with pytest.raises(OptionError, match="use auto, tensorrt, cuda, coreml, openvino, cpu"):
        OnnxEngine(style.model(), device="gpu")


def test_the_bundled_file_states_what_it_is(style):
    model = onnx.load_from_string(style.model())
    assert [o.version for o in model.opset_import if o.domain == ""] == [style.card.model.opset]
    height, width = model.graph.input[0].type.tensor_type.shape.dim[1:3]
    assert height.dim_param
    assert width.dim_param


def test_threads_follow_affinity_and_quota(tmp_path, monkeypatch):
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for text, expected in [("200000 100000", 2.0), ("50000 100000", 0.5), ("max 100000", None)]:
        (tmp_path / "cpu.max").write_text(text)
        assert devices._cgroup_quota(tmp_path) == expected
    (tmp_path / "cpu.max").unlink()
    assert devices._cgroup_quota(tmp_path) is None
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert devices._cgroup_quota(tmp_path) is None
    monkeypatch.setattr(devices, "_cgroup_quota", lambda _: 2.4)
    assert devices.threads() == 2
    monkeypatch.setattr(devices, "_cgroup_quota", lambda _: 0.2)
    assert devices.threads() == 1

import json
import sys

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from impasto.errors import OptionError, PictureError
from impasto.inference import devices
from impasto.options import LossOptions, OptimizeOptions
from impasto.studio.optimization import memory
from impasto.studio.optimization.optimize import optimize
from impasto.studio.perceptual import loading
from impasto.studio.perceptual.objective import Objective, StylePicture


@pytest.fixture(scope="module")
def network():
    return loading.load("vgg19")


@pytest.mark.parametrize("frugal", [False, True])
def test_the_forecast_is_near_what_is_really_taken(frugal, network, tmp_path):
    network.frugal = frugal
    objective = Objective(LossOptions(), [StylePicture(torch.rand(1, 3, 64, 64))], network)

    def evaluate():
        picture = torch.rand(1, 3, 320, 320)
        content = objective.content(picture)
        loss = objective(picture.requires_grad_(True), content).total
        torch.autograd.grad(loss, picture)

    said = memory.forecast(network, objective.layers, (320, 320), history=0)
    assert 0.95 < said / _taken(evaluate, tmp_path) < 1.4


@pytest.mark.parametrize("layers", [None, ("conv1_1",), ("conv3_1",)])
def test_what_a_style_picture_takes_is_forecast_too(layers, network, tmp_path):
    loss = LossOptions(style_layers=layers) if layers else LossOptions()
    objective = Objective(loss, [StylePicture(torch.rand(1, 3, 64, 64))], network)

    def measure():
        objective.towards([StylePicture(torch.rand(1, 3, 320, 320))])

    said = memory.style_forecast(network, objective.style_layers, (320, 320))
    assert 0.95 < said / _taken(measure, tmp_path) < 1.4


def _taken(work, folder):
    """Torch counts its own tensors: unlike the process's memory, the same on every machine."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    profiler.export_chrome_trace(str(folder / "trace.json"))
    trace = json.loads((folder / "trace.json").read_bytes())["traceEvents"]
    moves = [event["args"] for event in trace if event["name"] == "[memory]"]
    taken = max(move["Total Allocated"] for move in moves)
    return taken - (moves[0]["Total Allocated"] - moves[0]["Bytes"])


def test_a_style_picture_that_is_too_large_is_said_before_the_work(monkeypatch):
    monkeypatch.setattr(devices, "memory", lambda: 4 * 10**9)
    photo, style = (np.full((60, side, 3), 128, np.uint8) for side in (80, 90))
    options = OptimizeOptions(size=64, style_size=6000, steps=1)
    with pytest.raises(OptionError, match="a style picture of 6000x4000 would need about .* GB"):
        optimize(photo, style, options=options)


def test_layers_that_are_not_used_need_no_room():
    """Without padding, a small picture has nothing left for the deepest layers."""
    network = loading.load("vgg19", padding="valid")
    assert memory.forecast(network, ["conv4_1"], (171, 256), history=0) > 0
    with pytest.raises(PictureError, match="256x171 is too small"):
        memory.forecast(network, ["conv5_4"], (171, 256), history=0)


def test_the_frugal_gradient_is_the_same(network):
    generator = torch.Generator().manual_seed(0)
    picture, style = (torch.rand(1, 3, 64, 80, generator=generator) for _ in range(2))
    objective = Objective(LossOptions(), [StylePicture(style)], network)
    content = objective.content(style)
    found = []
    for network.frugal in (False, True):
        point = picture.clone().requires_grad_(True)
        found.append(torch.autograd.grad(objective(point, content).total, point)[0])
    assert torch.allclose(*found, rtol=1e-4, atol=1e-9)


def test_what_does_not_fit_is_made_frugal_or_refused(network):
    layers, size = ["conv4_2", "conv1_1"], (1000, 1500)
    plain, frugal = [], []
    for network.frugal, sizes in ((False, plain), (True, frugal)):
        sizes.append(memory.forecast(network, layers, size, 10))
    assert frugal[0] < 0.8 * plain[0]
    assert memory.fit(network, layers, size, 10, plain[0]) == 10
    assert not network.frugal
    assert memory.fit(network, layers, size, 10, plain[0] - 1) == 10
    assert network.frugal
    assert memory.fit(network, layers, size, 10, frugal[0] - 1) == 3
    with pytest.raises(OptionError, match=r"1500x1000 would need about .* GB of memory"):
        memory.fit(network, layers, size, 10, 10**8)
    assert memory.fit(network, layers, size, 10, None) == 10


def test_a_gpus_memory_is_the_gpus():
    assert memory.available(torch.device("mps")) is None
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    device = torch.device("cuda")
    whole = torch.cuda.get_device_properties(device).total_memory
    free = memory.available(device)
    assert 0 < free <= whole
    taken = torch.ones(64, 2**20, device=device)
    assert free - memory.available(device) == pytest.approx(taken.nbytes, rel=0.2)
    del taken  # torch holds it, and has it free
    assert memory.available(device) == pytest.approx(free, rel=0.01)


def test_this_machines_memory_is_known_on_linux():
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells")
    assert 10**7 < devices.memory() < 10**14

import subprocess
import sys

import pytest
import torch

from impasto import devices
from impasto.errors import OptionError
from impasto.options import LossOptions
from impasto.studio import features, memory
from impasto.studio.objective import Objective, StylePicture

MEASURE = """
import resource, sys, torch
from impasto.options import LossOptions
from impasto.studio import features
from impasto.studio.objective import Objective, StylePicture

network = features.load("vgg19")
network.frugal = sys.argv[1] == "True"
objective = Objective(LossOptions(), [StylePicture(torch.rand(1, 3, 64, 64))], network)
unit = 1024 if sys.platform != "darwin" else 1
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
picture = torch.rand(1, 3, 640, 640)
content = objective.content(picture)
loss = objective(picture.requires_grad_(True), content).total
torch.autograd.grad(loss, picture)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before)
"""


@pytest.fixture(scope="module")
def network():
    return features.load("vgg19")


@pytest.mark.parametrize("frugal", [False, True])
def test_the_forecast_is_near_what_is_really_taken(frugal, network):
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(frugal)], capture_output=True, text=True, check=True
    )
    network.frugal = frugal
    layers = [*network.content_layers, *network.style_layers]
    said = memory.forecast(network, layers, (640, 640), history=0)
    assert 0.7 < said / int(done.stdout) < 1.5


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


def test_this_machines_memory_is_known_on_linux():
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells")
    assert 10**7 < devices.memory() < 10**14

"""The running average of a hypernetwork that learns."""

import torch

from impasto.options import HypernetworkOptions, NetworkOptions
from impasto.studio.hypernetwork import LAYERS, Hypernetwork
from impasto.studio.training.averaged import Averaged, _follow

SMALL = HypernetworkOptions(components=2, hidden=8, embedding=4, directions=3, dropout=0)
FEATURES = {layer: torch.rand(1, channels, 4, 4) for layer, channels in LAYERS.items()}


def made():
    torch.manual_seed(0)
    return Averaged(Hypernetwork(SMALL, NetworkOptions(width=4, blocks=2)))


def call(network):
    seen = network.learning.encoder.statistics(FEATURES)
    return network(seen, torch.ones(1))["stem.bias"]


def test_it_learns_as_the_hypernetwork_and_is_its_average_otherwise():
    network = made()
    before = call(network.train()).detach()
    with torch.no_grad():
        network.learning.decoder.offsets.bias += 1
    assert torch.allclose(call(network.train()), before + 1, atol=1e-5)
    average = call(network.eval())
    assert (average > before).all()
    assert (average < before + 1).all()


def test_only_what_learns_has_gradients():
    network = made().train()
    call(network).sum().backward()
    assert network.learning.decoder.offsets.bias.grad is not None
    assert not any(each.requires_grad for each in network.average.parameters())


def test_the_average_stays_while_nothing_is_learnt():
    network = made()
    call(network.train())
    before = {name: each.clone() for name, each in network.state_dict().items()}
    call(network.eval())
    assert all(torch.equal(before[name], each) for name, each in network.state_dict().items())


def test_it_soon_forgets_the_first_steps_and_later_changes_slowly():
    values = []
    for count in (0, 90, 10**9):
        average = torch.zeros(1)
        _follow([average], [torch.ones(1)], count)
        values.append(round(float(average), 4))
    assert values == [0.9, 0.09, 0.001]

"""Networks that paint at once paint what each paints alone."""

import pytest
import torch

from impasto.options import NetworkOptions
from impasto.studio import networks
from impasto.studio.networks.grouped import Grouped, one


@pytest.mark.parametrize("options", [NetworkOptions(width=4, blocks=2), networks.preset("johnson")])
def test_they_paint_what_each_paints_alone(options):
    torch.manual_seed(0)
    alone = [networks.build(options) for _ in range(3)]
    grouped = Grouped(options, [each.state_dict() for each in alone])
    photographs = torch.rand(2, 3, 32, 48)
    painted = grouped(photographs)
    assert painted.shape == (3, 2, 3, 32, 48)
    for network, mine in zip(alone, painted, strict=True):
        assert torch.allclose(mine, network(photographs), atol=1e-4)


def test_their_state_is_a_stack_of_single_states():
    options = NetworkOptions(width=4, blocks=2)
    alone = [networks.build(options).state_dict() for _ in range(2)]
    state = Grouped(options, alone).state_dict()
    assert list(state) == list(alone[0])
    for number in range(2):
        assert all(torch.equal(one(state, number)[name], alone[number][name]) for name in state)

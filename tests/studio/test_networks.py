import numpy as np
import pytest
import torch
import torch.nn.functional as F

from impasto.options import NetworkOptions
from impasto.studio.networks import DepthToSpace, ResizeConv, TransformNetwork


def filled(network):
    """No weight at its start: biases and norms are random as well."""
    for weight in network.parameters():
        weight.data += torch.randn_like(weight) * 0.1
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(
    "options", [NetworkOptions(), NetworkOptions(8, 0, 1), NetworkOptions(8, 1, 0)]
)
def test_the_output_has_the_inputs_size(options):
    network = TransformNetwork(options)
    for size in ((64, 64), (8, 16), (72, 40)):
        assert network(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_a_resize_convolution_folds_exactly_up_to_the_border():
    conv = filled(ResizeConv(5, 7))
    x = torch.randn(2, 5, 6, 9)
    folded = conv.folded("boa").append(DepthToSpace())
    assert torch.allclose(folded(x), conv(x), atol=1e-5)


def test_its_channels_lie_as_they_are_asked_to():
    conv = filled(ResizeConv(4, 3))
    x = torch.randn(1, 4, 5, 6)
    y = conv.folded("abo")(x).reshape(1, 2, 2, 3, 5, 6)
    expected = conv(x)
    for a in range(2):
        for b in range(2):
            assert torch.allclose(y[:, a, b], expected[:, :, a::2, b::2], atol=1e-5)


def test_depth_to_space_is_pixel_shuffle_in_another_order():
    x = torch.randn(2, 12, 4, 5)
    boa = x.reshape(2, 3, 2, 2, 4, 5).permute(0, 3, 1, 2, 4, 5).reshape(2, 12, 4, 5)
    assert torch.equal(DepthToSpace()(boa), F.pixel_shuffle(x, 2))


def test_the_folded_network_paints_what_the_network_paints():
    network = filled(TransformNetwork(NetworkOptions(8, 1, 1)))
    x = torch.rand(1, 3, 40, 64)
    y = network.folded()(x * 255) / 255
    painted = y.reshape(1, 2, 2, 3, 20, 32).permute(0, 3, 4, 1, 5, 2).reshape(1, 3, 40, 64)
    assert torch.allclose(painted, network(x), atol=2e-5)


def test_a_flat_picture_gives_no_lattice():
    """The four sub-pixels of a resize-convolution agree wherever its input is flat."""
    conv = filled(ResizeConv(4, 3))
    flat = torch.randn(1, 4, 1, 1).expand(1, 4, 8, 8)
    y = conv(flat)
    assert (y.amax((2, 3)) - y.amin((2, 3))).max() < 1e-5


def test_every_weight_learns():
    network = TransformNetwork(NetworkOptions(4, 1, 1))
    network(torch.rand(1, 3, 32, 32)).square().mean().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    assert np.isfinite([float(weight.grad.abs().sum()) for weight in network.parameters()]).all()

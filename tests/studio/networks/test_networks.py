from dataclasses import replace

import numpy as np
import pytest
import torch

from impasto.errors import OptionError
from impasto.options import NetworkOptions
from impasto.studio import networks
from impasto.studio.export import folding
from impasto.studio.networks import NETWORKS, build
from impasto.studio.networks.blocks import Norm, ResizeConv

SMALL = NetworkOptions(width=8, blocks=2)
JOHNSON = replace(NETWORKS["johnson"], width=4, blocks=1)


def filled(network):
    """No weight at its start: biases and norms are random as well."""
    for weight in network.parameters():
        weight.data += torch.randn_like(weight) * 0.1
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(
    "options",
    [
        *(replace(each, width=4, blocks=2) for each in NETWORKS.values()),
        replace(SMALL, blocks=0),
        replace(SMALL, norm="batch", activation="selu", separable=True),
        replace(JOHNSON, upsampling="bilinear", pad="zeros", output="sigmoid", norm="batch"),
        replace(JOHNSON, upsampling="nearest", pad="replicate", shrink=4, activation="selu"),
    ],
)
def test_the_output_has_the_inputs_size(options):
    network = build(options, styles=3)
    for size in ((64, 64), (64, 96), (80, 64)):
        painted = network(torch.rand(2, 3, *size), torch.tensor([0.2, 0.3, 0.5]))
        assert painted.shape == (2, 3, *size)


def test_johnsons_network_is_the_published_one():
    """1.68 million parameters, as PyTorch's example has but for biases that norms undo."""
    network = build(NETWORKS["transformer-net"])
    biases = 32 + 64 + 128 + 10 * 128 + 64 + 32
    assert sum(weight.numel() for weight in network.parameters()) + biases == 1_679_235
    half = build(NETWORKS["johnson-half"])
    assert (network.stride, half.stride) == (4, 8)


def test_tanh_reaches_beyond_the_range_by_as_much_as_published():
    network = filled(build(JOHNSON))
    network.out.bias.data[:] = torch.tensor([1e3, -1e3, 0])
    painted = network(torch.rand(1, 3, 16, 16)) * 255
    assert torch.allclose(painted[0, 0], torch.tensor(277.5))
    assert torch.allclose(painted[0, 1], torch.tensor(-22.5))


def test_what_our_design_cannot_do_is_refused():
    for change in ({"upsampling": "nearest"}, {"pad": "zeros"}, {"output": "tanh"}, {"shrink": 2}):
        with pytest.raises(OptionError, match=f"no other {next(iter(change))} .*johnson"):
            build(replace(SMALL, **change))
    with pytest.raises(OptionError, match="no network 'huge' - there are: tiny"):
        networks.preset("huge")


@pytest.mark.parametrize("kind", ["instance", "batch"])
def test_a_norm_of_mixed_styles_is_the_mix_of_their_norms(kind):
    norm = filled(Norm(4, 3, kind))
    x = torch.randn(2, 4, 5, 6)
    shares = torch.tensor([0.2, 0.5, 0.3])
    parts = [share * norm(x, torch.eye(3)[i]) for i, share in enumerate(shares)]
    assert torch.allclose(norm(x, shares), sum(parts), atol=1e-5)


@pytest.mark.parametrize("options", [SMALL, JOHNSON, replace(SMALL, norm="batch")])
def test_one_style_of_several_as_a_network_of_its_own(options):
    network = filled(build(options, styles=3, strength=True))
    x, mix = torch.rand(1, 3, 32, 40), [0.5, 0.0, 0.2]
    assert torch.allclose(network.only(mix)(x), network(x, torch.tensor(mix)), atol=1e-5)


def test_with_strength_what_lacks_to_one_is_the_photographs_own():
    network = filled(build(SMALL, styles=2, strength=True))
    rows = network.rows(torch.tensor([0.5, 0.2]))
    assert torch.allclose(rows, torch.tensor([0.5, 0.2, 0.3]))
    assert torch.equal(build(SMALL, styles=2).rows(None), torch.tensor([1.0, 0.0]))


def test_a_resize_convolution_folds_exactly_up_to_the_border():
    conv = filled(ResizeConv(5, 3))
    x = torch.randn(2, 5, 6, 9)
    edges = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    folded = folding.folded(conv)(edges).reshape(2, 2, 2, 3, 6, 9)
    enlarged = conv(x)
    for a in range(2):
        for b in range(2):
            assert torch.allclose(folded[:, a, b], enlarged[:, :, a::2, b::2], atol=1e-5)


@pytest.mark.parametrize("options", [SMALL, JOHNSON])
def test_the_exported_network_paints_what_the_network_paints(options):
    network = filled(build(options, styles=2, strength=True))
    photo, mix = torch.randint(0, 256, (1, 40, 64, 3), dtype=torch.uint8), torch.tensor([0.3, 0.4])
    painted = folding.graph(network)(photo, mix)
    assert painted.dtype == torch.uint8
    exact = network(photo.permute(0, 3, 1, 2) / 255, mix).clamp(0, 1) * 255
    assert (painted - exact.permute(0, 2, 3, 1)).abs().max() < 0.51


def test_a_flat_picture_gives_no_lattice():
    """The four sub-pixels of a resize-convolution agree wherever its input is flat."""
    conv = filled(ResizeConv(4, 3))
    flat = torch.randn(1, 4, 1, 1).expand(1, 4, 8, 8)
    y = conv(flat)
    assert (y.amax((2, 3)) - y.amin((2, 3))).max() < 1e-5


@pytest.mark.parametrize("options", [SMALL, JOHNSON])
def test_every_weight_learns(options):
    network = build(options, styles=2, strength=True)
    painted = network(torch.rand(1, 3, 32, 32), torch.tensor([0.3, 0.5]))
    painted.square().mean().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    assert np.isfinite([float(weight.grad.abs().sum()) for weight in network.parameters()]).all()

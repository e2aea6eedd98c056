"""The script that smooths what a hypernetwork makes."""

import importlib
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from impasto.catalog import hypernetwork as at_hand  # noqa: E402
from impasto.options import HypernetworkOptions, NetworkOptions  # noqa: E402
from impasto.studio.hypernetwork import Hypernetwork  # noqa: E402
from impasto.studio.networks.blocks import doubled  # noqa: E402

GALLERY = Path(__file__).parents[1] / "gallery"


@pytest.fixture(scope="module")
def smooth_any():
    sys.path.append(str(GALLERY))
    return importlib.import_module("smooth_any")


@pytest.fixture(scope="module")
def features():
    """Two photographs' worth of features, as smooth as those of a network."""
    noise = torch.randn(2, 8, 12, 16, generator=torch.Generator().manual_seed(0))
    return doubled(noise).relu()


def kernels(seed):
    return torch.randn(3, 8, 3, 3, generator=torch.Generator().manual_seed(seed))


def painted(features, weight):
    return F.conv2d(F.pad(doubled(features), (1, 1, 1, 1), mode="replicate"), weight)


def test_other_kernels_paint_about_as_after_a_gaussian(smooth_any, features):
    fit = smooth_any.Fit(1.0)
    for seed in range(4):
        fit.see(features[:1], kernels(seed))
    taps = fit.solved()
    assert torch.allclose(taps.sum(0), torch.ones(9), atol=1e-4)  # flat places stay
    weight = kernels(9)
    wanted = smooth_any.smoothed(painted(features[1:], weight), 1.0)
    changed = painted(features[1:], (weight.flatten(2) @ taps.T).view_as(weight))
    before, after = (
        (each - wanted).square().mean() for each in (painted(features[1:], weight), changed)
    )
    assert after < before / 4


def test_nothing_is_to_be_smoothed_with_a_gaussian_of_no_width(smooth_any, features):
    fit = smooth_any.Fit(0.05)
    for seed in range(4):
        fit.see(features[:1], kernels(seed))
    weight = kernels(9)
    changed = (weight.flatten(2) @ fit.solved().T).view_as(weight)
    assert torch.allclose(painted(features, changed), painted(features, weight), atol=0.05)


def test_only_the_last_convolution_is_changed(smooth_any):
    made = Hypernetwork(HypernetworkOptions(), NetworkOptions()).eval()
    embedding = torch.randn(1, made.options.embedding, generator=torch.Generator().manual_seed(0))
    taps = smooth_any.symmetric(torch.rand(9, 9, generator=torch.Generator().manual_seed(1)))
    with torch.no_grad():
        before = made.decoder(embedding)
        smooth_any.change(made, taps)
        after = made.decoder(embedding)
    last = smooth_any.LAST
    assert torch.allclose(after[last].flatten(3), before[last].flatten(3) @ taps.T, atol=1e-5)
    assert all(torch.equal(after[name], before[name]) for name in before if name != last)


def test_the_map_is_the_same_for_all_turns(smooth_any):
    taps = smooth_any.symmetric(torch.rand(9, 9, generator=torch.Generator().manual_seed(1)))
    kernel = torch.rand(3, 3, generator=torch.Generator().manual_seed(2))
    for turned in (lambda k: torch.rot90(k, 1), lambda k: k.flip(0), lambda k: k.T):
        after = turned((taps @ kernel.flatten()).view(3, 3))
        assert torch.allclose((taps @ turned(kernel).flatten()).view(3, 3), after, atol=1e-6)


def test_it_needs_what_the_package_ships():
    assert at_hand.bundled().card.network.options == NetworkOptions()

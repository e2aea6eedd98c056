"""Convolutions by Winograd's algorithm beside torch's own."""

import platform

import pytest
import torch
from torch import nn

from impasto.studio.perceptual import loading, winograd

LARGE = 40
X86 = platform.machine() in ("x86_64", "AMD64")


def convolution(channels=128, results=128, margin=1):
    torch.manual_seed(0)
    made = nn.Conv2d(channels, results, 3, padding=margin).requires_grad_(False)
    return made.to(memory_format=torch.channels_last)


def picture(count, channels, height, width):
    made = torch.rand(count, channels, height, width)
    return made.contiguous(memory_format=torch.channels_last).requires_grad_()


@pytest.mark.parametrize("margin", [0, 1])
@pytest.mark.parametrize("size", [(1, 8, 8), (3, 13, 6), (2, 5, 30)])
def test_results_and_gradients_are_those_of_a_direct_convolution(margin, size, monkeypatch):
    monkeypatch.setattr(winograd, "_AT_ONCE", 4)  # several parts, of pictures and of rows
    count, height, width = size
    direct, x = convolution(16, 24, margin), picture(count, 16, height, width)
    ours, theirs = winograd.convolve(x, direct), direct(x)
    assert ours.shape == theirs.shape
    assert torch.allclose(ours, theirs, atol=1e-4)
    weights = torch.randn_like(theirs)
    mine, wanted = (torch.autograd.grad((each * weights).sum(), x)[0] for each in (ours, theirs))
    assert torch.allclose(mine, wanted, atol=1e-4)


def test_all_parts_of_many_pictures_are_there():
    divided = list(winograd._parts(7, 5, 12))
    assert divided == [(slice(n, min(n + 2, 7)), slice(0, 5)) for n in (0, 2, 4, 6)]
    assert list(winograd._parts(2, 5, 3)) == [
        (slice(n, n + 1), slice(*rows)) for n in (0, 1) for rows in ((0, 3), (3, 5))
    ]


def test_what_is_held_on_the_way_is_known():
    assert winograd.scratch(64) == 0
    assert winograd.scratch(512) > 36 * 512 * 512


@pytest.mark.skipif(not X86, reason="direct convolutions are used on this processor")
def test_it_serves_where_it_is_exact_and_faster():
    x = picture(1, 128, LARGE, LARGE)
    assert winograd.serves(x, convolution())
    assert not winograd.serves(picture(1, 128, 16, 16), convolution())
    assert not winograd.serves(picture(1, 64, LARGE, LARGE), convolution(64))
    assert not winograd.serves(x, convolution().requires_grad_())
    assert not winograd.serves(x.double(), convolution().double())
    assert not winograd.serves(x.to("meta"), convolution().to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not winograd.serves(x, convolution())


@pytest.mark.skipif(not X86, reason="direct convolutions are used on this processor")
def test_a_loss_network_uses_it_and_sees_the_same(monkeypatch, photo):
    from impasto.studio.tensors import to_tensor

    network, x = loading.load("vgg19"), to_tensor(photo.resized(256).pixels)[None]
    layers, used = ["conv2_2", "conv4_1", "conv5_1"], []
    convolve = winograd.convolve
    monkeypatch.setattr(winograd, "convolve", lambda *of: used.append(of) or convolve(*of))
    ours = network(x, layers)
    assert 4 < len(used) < 13
    monkeypatch.setattr(winograd, "serves", lambda *_: False)
    for layer, theirs in network(x, layers).items():
        assert torch.allclose(ours[layer], theirs, atol=1e-3 * float(theirs.max())), layer

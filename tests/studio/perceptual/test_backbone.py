"""What all loss networks share, on the one whose weights are always there."""

import pytest
import torch

from impasto.errors import OptionError, PictureError
from impasto.studio.perceptual import backbone, loading


@pytest.fixture(scope="module")
def vgg():
    return loading.load()


def test_the_default_is_vgg19_with_sensible_layers(vgg):
    assert isinstance(vgg, backbone.LossNetwork)
    assert vgg.name == "vgg19"
    assert {*vgg.content_layers, *vgg.style_layers} <= set(vgg.layers)


def test_maps_come_shallow_to_deep_and_once(vgg):
    found = vgg(torch.rand(2, 3, 32, 48), ["conv3_1", "conv1_1", "conv3_1"])
    assert {layer: tuple(maps.shape) for layer, maps in found.items()} == {
        "conv1_1": (2, 64, 32, 48),
        "conv3_1": (2, 256, 8, 12),
    }
    assert vgg(torch.rand(1, 3, 8, 8), []) == {}


def test_it_is_frozen_but_lets_gradients_through(vgg):
    pictures = torch.rand(1, 3, 32, 32, requires_grad=True)
    vgg(pictures, ["conv2_1"])["conv2_1"].sum().backward()
    assert pictures.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in vgg.parameters())
    assert not vgg.train().training


def test_shapes_are_those_of_the_maps_and_cost_nothing(vgg):
    shapes = backbone.shapes(vgg, (48, 70))
    assert list(shapes) == list(vgg.layers)
    found = vgg(torch.rand(1, 3, 48, 70), vgg.layers)
    assert shapes == {layer: tuple(maps.shape[1:]) for layer, maps in found.items()}
    assert backbone.shapes(vgg, 100_000)["conv5_1"] == (512, 6250, 6250)


def test_an_unknown_layer_names_the_nearest(vgg):
    with pytest.raises(OptionError, match="vgg19 has no layer conv6_1 - did you mean .*conv5_1"):
        vgg(torch.rand(1, 3, 32, 32), ["conv6_1", "conv1_1"])
    with pytest.raises(OptionError, match=r"its layers are conv1_1.pre ... pool5"):
        vgg(torch.rand(1, 3, 32, 32), ["?"])


def test_a_picture_that_shrinks_to_nothing_is_a_sentence(vgg):
    with pytest.raises(PictureError, match="a picture of 8x9 is too small for these layers"):
        vgg(torch.rand(1, 3, 9, 8), ["conv5_1"])
    with pytest.raises(PictureError, match="8x8"):
        backbone.shapes(vgg, 8)
    valid = loading.load(padding="valid")
    with pytest.raises(PictureError, match="too small"):
        valid(torch.rand(1, 3, 6, 6), ["conv2_1"])


def test_other_faults_are_not_hidden(vgg):
    with pytest.raises(RuntimeError, match="size of tensor"):
        vgg(torch.rand(1, 4, 32, 32), ["conv1_1"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pooling": "mean"}, "pooling is 'mean' - it must be max or average"),
        ({"padding": "zero"}, "padding is 'zero' - it must be same or valid or replicate"),
        ({"weights": "absent.pth"}, "absent.pth cannot be read: No such file"),
    ],
)
def test_what_it_does_not_take_is_a_sentence(options, sentence):
    with pytest.raises(OptionError, match=sentence):
        loading.load(**options)


def test_an_unknown_network_names_the_nearest(torchvision):
    with pytest.raises(OptionError, match="no loss network resnet5 - did you mean resnet50"):
        loading.load("resnet5")
    with pytest.raises(OptionError, match="no loss network vgg18 - did you mean vgg1"):
        loading.load("vgg18")
    with pytest.raises(OptionError, match="no loss network ,, - the default is vgg19"):
        loading.load(",,")

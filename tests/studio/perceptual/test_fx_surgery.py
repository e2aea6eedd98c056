"""What is taken out of a network of torchvision, and changed in it."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from backbones import require_equal
from impasto.studio.perceptual import backbone, loading

pytestmark = pytest.mark.usefixtures("torchvision")


def test_folding_changes_nothing(resnet, picture, tmp_path):
    model, path = resnet
    folded = {}
    for name, module in model.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        norm = model.get_submodule(
            name.replace("downsample.0", "downsample.1").replace("conv", "bn")
        )
        both = nn.utils.fuse_conv_bn_eval(module, norm)
        folded |= {f"{name}.weight": both.weight.data, f"{name}.bias": both.bias.data}
    save_file({key: value.contiguous() for key, value in folded.items()}, tmp_path / "folded")
    names = ["relu", "layer2.0.relu_1", "layer4.1.relu_1"]
    whole = loading.load("resnet18", weights=path)(picture, names)
    ours = loading.load("resnet18", weights=tmp_path / "folded")(picture, names)
    require_equal(ours, whole, {name: name for name in names})


def test_a_layer_is_the_same_alone_and_beside_what_follows_it(resnet, picture):
    network = loading.load("resnet18", weights=resnet[1])
    together = network(picture, network.layers)
    assert list(together) == list(network.layers)
    for layer in ("bn1", "layer1.0.bn2", "layer1.0.add", "layer2.0.downsample.1"):
        assert torch.equal(network(picture, [layer])[layer], together[layer])
        assert together[layer].min() < 0


def test_it_runs_no_further_than_asked_and_traces_once(resnet, picture):
    network = loading.load("resnet18", weights=resnet[1])
    network(picture, ["layer1.0.relu_1"])
    (first,) = network._extractors.values()
    network(picture, ["layer1.0.relu_1"])
    assert list(network._extractors.values()) == [first]
    assert not any(name.startswith("layer1.1") for name, _ in first.named_modules())


def test_what_no_layer_needs_takes_no_memory(resnet):
    network = loading.load("resnet18", weights=resnet[1])
    assert not any(key.startswith("model.fc") for key in network.state_dict())
    assert not any(weight.is_meta for weight in network.state_dict().values())


def test_poolings_become_averages_modules_and_functions(resnet, inception_random, picture):
    by_max, average = (
        loading.load("resnet18", weights=resnet[1], pooling=p) for p in ("max", "average")
    )
    layers = ["relu", "maxpool"]
    before, pooled = (average(picture, layers)[layer] for layer in layers)
    assert torch.allclose(pooled, F.avg_pool2d(before, 3, 2, 1, count_include_pad=False), atol=1e-5)
    assert (pooled <= by_max(picture, layers)["maxpool"] + 1e-5).all()
    network = loading.load("inception_v3", weights=inception_random, pooling="average")
    found = network(picture, ["Mixed_5d.cat", "Mixed_6a.cat"])
    pooled = F.avg_pool2d(found["Mixed_5d.cat"], 3, 2)
    assert torch.allclose(found["Mixed_6a.cat"][:, -288:], pooled, rtol=1e-4, atol=1e-4)
    assert backbone.shapes(network, 299)["Mixed_6a.cat"] == (768, 17, 17)


def test_with_the_edge_repeated_a_flat_picture_has_no_border(resnet):
    flat = torch.full((1, 3, 64, 64), 0.9)

    def border(padding):
        network = loading.load("resnet18", weights=resnet[1], padding=padding)
        maps = network(flat, ["conv1"])["conv1"]
        return float((maps - maps[..., 16:17, 16:17]).abs().max() / maps.abs().max())

    assert border("replicate") < 1e-5
    assert border("same") > 0.1


def test_a_network_without_padding_sees_the_picture_to_its_edge(inception_random):
    """The gradient of the outermost pixels, beside that of those in the middle."""
    picture = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))

    def edge(padding):
        network = loading.load("inception_v3", weights=inception_random, padding=padding)
        point = picture.clone().requires_grad_(True)
        maps = network(point, ["Conv2d_2b_3x3.relu"])["Conv2d_2b_3x3.relu"]
        (gradient,) = torch.autograd.grad(maps.square().sum(), point)
        size = gradient.abs().mean((0, 1))
        return float(size[0].mean() / size[40:56].mean())

    assert edge("replicate") > 2 * edge("same")

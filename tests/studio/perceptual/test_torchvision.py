"""torchvision's networks: against real weights where they are, against torchvision itself."""

import importlib.util
import re
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from backbones import randomised, require_equal
from impasto.errors import MissingExtraError, OptionError, PictureError
from impasto.studio.perceptual import backbone, fx_surgery, loading, weights
from impasto.studio.perceptual import torchvision as zoo

pytestmark = pytest.mark.usefixtures("torchvision")


@pytest.fixture(scope="module")
def real(shared):
    """A folder of real weights, and plain forward passes of them."""
    folder = shared / "weights"
    if not (folder / "reference_forward.py").is_file():
        pytest.skip(f"needs real weights in {folder}")
    spec = importlib.util.spec_from_file_location("reference", folder / "reference_forward.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    return folder, reference


def test_squeezenet_equals_a_plain_forward(real, picture):
    folder, reference = real
    path = folder / "squeezenet1-1.safetensors"
    network = loading.load("squeezenet1_1", weights=path)
    names = {"features.1": "conv1"} | {f"features.{n}.cat": f"fire{n}" for n in (3, 4, 6, 7, 9, 12)}
    require_equal(
        network(picture, names), reference.squeezenet1_1(reference.load(path), picture), names
    )
    assert network.layers[-1] == "classifier.2"
    assert network.style_layers == (
        "features.1",
        "features.4.cat",
        "features.6.cat",
        "features.7.cat",
    )


def test_resnet18_with_folded_norms_and_no_tail_equals_a_plain_forward(real, picture):
    folder, reference = real
    path = folder / "resnet18.safetensors"
    network = loading.load("resnet18", weights=path)
    names = {"relu": "conv1"} | {
        f"layer{n}.{b}.relu_1": f"layer{n}.{b}" for n in (1, 2, 3) for b in (0, 1)
    }
    require_equal(
        network(picture, names), reference.resnet18_bnfolded(reference.load(path), picture), names
    )
    assert network.layers[-1] == "layer3.1.relu_1"
    assert network.style_layers[-1] == "layer2.1.relu_1"
    with pytest.raises(OptionError, match=r"no layer layer4.1.relu_1 - did you mean layer"):
        network(picture, ["layer4.1.relu_1"])


INCEPTION_CONVS = {
    "conv": "Conv2d_1a_3x3",
    "conv_1": "Conv2d_2a_3x3",
    "conv_2": "Conv2d_2b_3x3",
    "conv_3": "Conv2d_3b_1x1",
    "conv_4": "Conv2d_4a_3x3",
}
INCEPTION_BLOCKS = dict(
    zip(
        ("mixed", *(f"mixed_{n}" for n in range(1, 9))),
        (f"Mixed_{n}" for n in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a")),
        strict=True,
    )
)


def inception_name(name):
    """torchvision's name of a convolution in TensorFlow's graph of 2015; None past its tail."""
    if name in INCEPTION_CONVS:
        return INCEPTION_CONVS[name]
    block, _, part = name.partition("_conv") if "_tower" not in name else name.partition("_tower")
    kind = INCEPTION_BLOCKS.get(block, "")
    if not kind:
        return None
    if "_tower" not in name:
        return f"{kind}.{'branch3x3' if kind == 'Mixed_6a' else 'branch1x1'}"
    tower, _, number = part.rpartition("conv")
    step = int(number.strip("_") or 0) + 1
    tower = tower.strip("_")
    if tower == "2":
        return f"{kind}.branch_pool"
    long = {"5": "branch3x3dbl", "6": "branch7x7dbl", "7": "branch7x7x3"}[kind[6]]
    short = {"5": "branch5x5", "6": "branch7x7", "7": "branch3x3"}[kind[6]]
    if kind == "Mixed_6a":
        return f"{kind}.branch3x3dbl_{step}"
    return f"{kind}.{long if tower else short}_{step}"


@pytest.fixture(scope="module")
def inception(real, tmp_path_factory):
    """The real weights under torchvision's names, and what a plain forward makes of them."""
    folder, reference = real
    stored = load_file(folder / "inception-v3.safetensors")
    renamed = {}
    for key, value in stored.items():
        name, _, part = key.rpartition(".")
        if theirs := inception_name(name):
            renamed[f"{theirs}.conv.{part}"] = value
    path = tmp_path_factory.mktemp("weights") / "inception.safetensors"
    save_file(renamed, path)
    state = {key: value.float() for key, value in stored.items()}
    return path, lambda pictures: reference.inception_v3(state, pictures)


def test_inception_equals_a_plain_forward(inception, picture):
    path, forward = inception
    network = loading.load("inception_v3", weights=path)
    names = {f"{theirs}.relu": ours for ours, theirs in INCEPTION_CONVS.items()}
    found = network(picture, [*names, "Mixed_5b.cat"])
    expected = forward(picture)
    require_equal(found, expected, names)
    # Mean pooling at the border: torchvision counts the zeros around the map, the network
    # of 2015 does not. So the pool's channels, the last 32, agree inside only.
    block, theirs = found["Mixed_5b.cat"], expected["mixed"]
    require_equal({"a": block[:, :224]}, {"a": theirs[:, :224]}, {"a": "a"})
    inside = (..., slice(1, -1), slice(1, -1))
    require_equal({"a": block[inside]}, {"a": theirs[inside]}, {"a": "a"})
    assert not torch.allclose(block, theirs, rtol=1e-2)


def test_inception_equals_it_to_the_end_where_pools_count_alike(inception, picture, monkeypatch):
    from torchvision.models import inception as theirs

    path, forward = inception
    functions = {name: getattr(F, name) for name in ("relu", "max_pool2d", "adaptive_avg_pool2d")}

    def avg_pool2d(x, **options):
        return F.avg_pool2d(x, **options, count_include_pad=False)

    monkeypatch.setattr(theirs, "F", SimpleNamespace(**functions, avg_pool2d=avg_pool2d))
    network = loading.load("inception_v3", weights=path)
    names = {f"{theirs}.cat": ours for ours, theirs in INCEPTION_BLOCKS.items()}
    require_equal(network(picture, names), forward(picture), names)
    assert network.layers[-1] == "Mixed_7a.cat"
    assert network.style_layers[-1] == "Mixed_5d.cat"


def test_features_equal_torchvisions_own(resnet, picture):
    model, path = resnet
    expected = {}
    for name in ("conv1", "layer1", "layer4"):
        model.get_submodule(name).register_forward_hook(
            lambda _, __, out, name=name: expected.update({name: out})
        )
    mean, std = (
        torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.no_grad():
        model((picture - mean) / std)
    names = {"conv1": "conv1", "layer1.1.relu_1": "layer1", "layer4.1.relu_1": "layer4"}
    require_equal(loading.load("resnet18", weights=path)(picture, names), expected, names)


def test_it_follows_when_it_is_moved(resnet, picture):
    network = loading.load("resnet18", weights=resnet[1])
    before = network(picture, ["layer1.0.relu_1"])["layer1.0.relu_1"]
    after = network.double()(picture.double(), ["layer1.0.relu_1"])["layer1.0.relu_1"]
    assert after.dtype == torch.float64
    assert torch.allclose(before.double(), after, rtol=1e-4, atol=1e-4)


def test_gradients_reach_the_picture_and_no_weight(resnet, picture):
    network = loading.load("resnet18", weights=resnet[1]).train()
    pictures = picture.clone().requires_grad_()
    network(pictures, ["layer1.0.relu_1"])["layer1.0.relu_1"].square().mean().backward()
    assert pictures.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in network.parameters())
    assert not any(module.training for module in network.modules())


def test_shapes_are_those_of_the_maps(resnet, picture):
    network = loading.load("resnet18", weights=resnet[1])
    found = network(picture, network.layers)
    shapes = backbone.shapes(network, tuple(picture.shape[2:]))
    assert shapes == {layer: tuple(maps.shape[1:]) for layer, maps in found.items()}


def test_valid_padding_is_refused(resnet):
    with pytest.raises(OptionError, match="resnet18 cannot do without padding"):
        loading.load("resnet18", weights=resnet[1], padding="valid")


def test_a_picture_that_shrinks_to_nothing_is_a_sentence(inception_random):
    network = loading.load("inception_v3", weights=inception_random)
    with pytest.raises(PictureError, match="a picture of 40x40 is too small"):
        network(torch.rand(1, 3, 40, 40), ["Mixed_7a.cat"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda s: s | {"layer1.2.conv1.weight": s["conv1.weight"]},
            "has no layer1.2.conv1.weight",
        ),
        (
            lambda s: s | {"conv1.weight": torch.rand(64, 3, 3, 3)},
            r"conv1.weight is \(64, 3, 3, 3\)",
        ),
        (lambda s: {k: v for k, v in s.items() if k != "conv1.weight"}, "its first layer has none"),
        (lambda _: {}, "its first layer has none"),
    ],
)
def test_weights_of_another_network_are_refused(resnet, tmp_path, change, sentence):
    torch.save(change(dict(resnet[0].state_dict())), tmp_path / "other.pth")
    with pytest.raises(OptionError, match=f"not the weights of resnet18: .*{sentence}"):
        loading.load("resnet18", weights=tmp_path / "other.pth")


def test_default_layers_of_a_cut_network_are_those_that_it_has(resnet, tmp_path):
    state = {k: v for k, v in resnet[0].state_dict().items() if not k.startswith("layer2.1")}
    torch.save(state, tmp_path / "cut.pth")
    network = loading.load("resnet18", weights=tmp_path / "cut.pth")
    assert network.layers[-1] == "layer2.0.relu_1"
    assert network.content_layers == ("layer2.0.relu_1",)
    assert network.style_layers == ("relu", "layer1.1.relu_1", "layer2.0.relu_1")


def test_default_layers_of_any_network_fall_in_resolution(torchvision):
    for name in ("mobilenet_v2", "vgg11_bn", "regnet_y_400mf"):
        graph, maps = fx_surgery.survey(fx_surgery.blank(torchvision.models, name))
        content, style = zoo.default_layers(name, maps, fx_surgery.bottlenecks(graph))
        heights = [maps[layer][1] for layer in style]
        assert len(heights) == 4
        assert all(big == 2 * small for big, small in pairwise(heights))
        assert content[0] == style[2]


@pytest.mark.parametrize("name", zoo._OWN_LAYERS)
def test_layers_picked_by_hand_exist_and_do_not_grow(name, torchvision):
    options = zoo._PLAIN if name in zoo._OWN_RANGES else {}
    graph, maps = fx_surgery.survey(fx_surgery.blank(torchvision.models, name, **options))
    assert {*zoo._OWN_LAYERS[name][0], *zoo._OWN_LAYERS[name][1]} <= fx_surgery.bottlenecks(graph)
    content, style = zoo.default_layers(name, maps, set())
    assert (content, style) == zoo._OWN_LAYERS[name]
    heights = [maps[layer][1] for layer in style]
    assert heights == sorted(heights, reverse=True)


def test_old_names_of_densenet_are_known(torchvision, tmp_path, picture):
    model = randomised(torchvision.models.densenet121(weights=None))
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value
        for key, value in model.state_dict().items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    torch.save(model.state_dict(), tmp_path / "new.pth")
    layer = "features.transition1.conv"
    old, new = (
        loading.load("densenet121", weights=tmp_path / f"{age}.pth")(picture, [layer])[layer]
        for age in ("old", "new")
    )
    assert torch.equal(old, new)


def test_published_weights_are_fetched(resnet, monkeypatch, picture):
    asked = []
    monkeypatch.setattr(weights, "fetch", lambda url: asked.append(url) or resnet[1])
    loading.load("resnet18")
    assert asked == ["https://download.pytorch.org/models/resnet18-f37072fd.pth"]


def test_networks_of_patches_are_refused():
    with pytest.raises(OptionError, match="vit_b_16 cannot be a loss network: it does not take"):
        loading.load("vit_b_16")
    with pytest.raises(OptionError, match="swin_t cannot be a loss network: its layers are not"):
        loading.load("swin_t")


def test_without_torchvision_the_extra_is_named(monkeypatch):
    def absent(name, package=None, real=importlib.import_module):
        if name.startswith("torchvision"):
            raise ModuleNotFoundError(name=name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"which has resnet50, .*impasto\[backbones\]"):
        loading.load("resnet50")
    with pytest.raises(OptionError, match="no loss network vgg18 - did you mean vgg19"):
        loading.load("vgg18")
    assert loading.load("vgg19").name == "vgg19"


def test_a_torchvision_of_another_torch_is_a_sentence(monkeypatch):
    def broken(name, package=None, real=importlib.import_module):
        if name.startswith("torchvision"):
            raise RuntimeError("operator torchvision::nms does not exist")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(
        MissingExtraError, match="a torchvision for torch .* is not installed - install"
    ):
        loading.load("resnet50")

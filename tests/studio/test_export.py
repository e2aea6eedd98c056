import json
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from impasto import catalog, codecs, files, store
from impasto.engine import OnnxEngine
from impasto.errors import TrainingError
from impasto.options import NetworkOptions
from impasto.studio import export, networks


def filled(options, styles=1, *, strength=False):
    torch.manual_seed(0)
    network = networks.build(options, styles, strength=strength)
    for weight in network.parameters():
        weight.data += torch.randn_like(weight) * 0.1
    return network.eval()


@pytest.fixture(scope="module")
def network():
    return filled(NetworkOptions(width=8, blocks=2))


@pytest.fixture(scope="module")
def model(network):
    return export.to_onnx(network)


def test_the_graph_equals_the_network_at_sizes_it_was_not_exported_at(network, model, rng):
    engine = OnnxEngine(model, device="cpu")
    for height, width in ((64, 64), (101, 77), (200, 65)):
        photo = rng.integers(0, 256, (height, width, 3), np.uint8)
        exact = export.reference(network, photo) * 255
        assert (np.abs(engine.paint(photo) - exact) - 0.5).max() / 255 < export.PARITY


def test_a_graph_that_differs_is_not_accepted(network, model):
    """A hundredth of the range on one weight is enough to be noticed."""
    changed = onnx.load_from_string(model)
    bias = next(t for t in changed.graph.initializer if t.name.endswith("out.bias"))
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] += 2.55
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    with pytest.raises(TrainingError, match="off the trained one"):
        export._require_parity(network, changed.SerializeToString())


def test_the_file_is_small_self_contained_and_tells_nothing_of_this_machine(model):
    store.check(model, "style.onnx")
    parsed = onnx.load_from_string(model)
    assert not any(t.external_data for t in parsed.graph.initializer)
    assert parsed.opset_import[0].version == export.OPSET
    for tensor in parsed.graph.initializer:
        tensor.ClearField("raw_data")  # which may hold any bytes
    told = parsed.SerializeToString()
    assert b".py" not in told
    assert b"/home" not in told


def test_what_the_graph_holds_is_what_the_store_lets_through(model):
    used = {node.op_type for node in onnx.load_from_string(model).graph.node}
    assert used <= store.OPERATORS


@pytest.mark.parametrize(
    "options",
    [
        NetworkOptions(width=8, blocks=2),
        NetworkOptions(width=8, blocks=1, norm="batch", activation="selu", separable=True),
        NetworkOptions(design="johnson", width=4, blocks=1, upsampling="transposed", pad="reflect",
                       output="tanh"),
        NetworkOptions(design="johnson", width=4, blocks=1, pad="zeros", shrink=2,
                       upsampling="nearest", output="sigmoid"),
    ],
)  # fmt: skip
def test_several_styles_and_their_strength_are_inputs_of_one_graph(options, rng):
    network = filled(options, 3, strength=True)
    model = export.to_onnx(network)
    store.check(model, "style.onnx")
    used = {node.op_type for node in onnx.load_from_string(model).graph.node}
    assert used <= store.OPERATORS
    engine = OnnxEngine(model, device="cpu")
    photo = rng.integers(0, 256, (70, 93, 3), np.uint8)
    for weights in ([0.2, 0.5, 0.3], [0, 0, 1], [0.1, 0.2, 0.3]):
        exact = export.reference(network, photo, weights) * 255
        assert (np.abs(engine.paint(photo, weights) - exact) - 0.5).max() / 255 < export.PARITY
    assert np.array_equal(engine.paint(photo), engine.paint(photo, [1, 0, 0]))
    assert not np.array_equal(engine.paint(photo), engine.paint(photo, [0.5, 0, 0]))


def test_one_of_several_styles_can_be_a_file_of_its_own(rng):
    network = filled(NetworkOptions(width=8, blocks=2), 2)
    single = OnnxEngine(export.to_onnx(network.only([0.0, 1.0])), device="cpu")
    photo = rng.integers(0, 256, (64, 80, 3), np.uint8)
    exact = export.reference(network, photo, [0, 1]) * 255
    assert (np.abs(single.paint(photo) - exact) - 0.5).max() / 255 < export.PARITY


class Killed(BaseException):
    """Nobody catches it, as nobody catches the end of a process."""


@contextmanager
def killed_after(count):
    """The process ends before it writes or removes more files."""
    left = iter(range(count))

    def counted(real):
        def run(*args, **more):
            if next(left, None) is None:
                raise Killed
            return real(*args, **more)

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "write", counted(files.write))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        with suppress(Killed):
            yield


def made(name, like):
    """A network of a bundled style, and its card under another name."""
    style = catalog.bundled()[like]
    card = json.loads((style.folder / catalog.CARD).read_bytes())
    card["model"]["file"] = "style.onnx"
    return style.model(), card | {"name": name, "preview": f"{name}.jpg"}


@pytest.fixture(scope="module")
def old():
    return made("wave", "udnie-tiny")


@pytest.fixture(scope="module")
def new():
    return made("wave", "jack-pine-tiny")


def whole(folder, *expected):
    """Which of these styles the folder holds; its network, and its preview, are there."""
    style = catalog.find(folder)
    assert codecs.read(style.preview).width == 384
    return [model for model, _ in expected].index(style.model())


def named(folder):
    """All that is there is what the card names."""
    card = catalog.find(folder).card
    return {path.name for path in folder.iterdir()} == {catalog.CARD, card.file, card.preview}


def test_a_style_that_is_replaced_is_whole_whenever_that_is_broken_off(tmp_path, old, new):
    """Three files are written, two are removed; the card is the third."""
    for count in range(6):
        folder = tmp_path / str(count) / "wave"
        export.write_folder(folder, *old)
        before = catalog.find(folder).preview.read_bytes()
        with killed_after(count):
            export.write_folder(folder, *new)
        assert whole(folder, old, new) == (count >= 3)
        assert (catalog.find(folder).preview.read_bytes() == before) == (count < 3)
        assert named(folder) == (count in (0, 5))
        with killed_after(2):  # by another, which is broken off as well
            export.write_folder(folder, *made("wave", "seine-tiny"))
        export.write_folder(folder, *new)
        assert whole(folder, new) == 0
        assert named(folder)


def test_what_was_broken_off_goes_even_if_its_removal_is_broken_off(tmp_path, old, new):
    for count in range(3, 8):
        folder = tmp_path / str(count) / "wave"
        export.write_folder(folder, *old)
        with killed_after(2):
            export.write_folder(folder, *made("wave", "seine-tiny"))
        for more in (count, 100):
            with killed_after(more):
                export.write_folder(folder, *new)
            assert whole(folder, new) == 0
        assert named(folder)


def test_a_style_may_be_replaced_again_and_again(tmp_path, old, new):
    for wanted in (old, new, new, old):
        export.write_folder(tmp_path / "wave", *wanted)
        assert whole(tmp_path / "wave", wanted) == 0
        assert named(tmp_path / "wave")


def test_what_impasto_has_not_written_stays(tmp_path, old, new):
    export.write_folder(tmp_path / "wave", *old)
    own = [tmp_path / "wave" / name for name in ("other.jpg", "other-20240101.jpg", "other.onnx")]
    for path in own:
        path.write_bytes(b"mine")
    model, card = new
    for more in ({"name": "other", "preview": "other.jpg"}, {}):
        export.write_folder(tmp_path / "wave", model, card | more)
    assert [path.read_bytes() for path in own] == [b"mine"] * 3


def test_what_stands_in_the_way_of_tidying_is_no_error(tmp_path, old, new, monkeypatch):
    export.write_folder(tmp_path / "wave", *old)

    def busy(*_):
        raise PermissionError("in use")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", busy)
        export.write_folder(tmp_path / "wave", *new)
    assert whole(tmp_path / "wave", old, new) == 1

"""8-bit networks: quantised by the real quantiser, run by the real engine, compared."""

import dataclasses
import hashlib
import json
import re
import shutil

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from impasto import assets, catalog, images
from impasto.errors import OptionError, OutputError, TrainingError
from impasto.inference.engine import OnnxEngine
from impasto.inference.operators import OPERATORS
from impasto.options import NetworkOptions, QuantizeOptions
from impasto.studio import networks
from impasto.studio.export import int8, publish, quantize
from impasto.studio.export import onnx as onnx_graph
from impasto.studio.export.fp16 import widened
from running import run

QUICK = QuantizeOptions(count=4, held_out=2, size=128)


@pytest.fixture(autouse=True, scope="module")
def timed_on_a_small_picture():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantize, "_SPEED_SIDE", 64)
        yield


@pytest.fixture
def generous(monkeypatch):
    """What the first attempt makes is taken."""
    monkeypatch.setattr(quantize, "LARGEST_DIFFERENCE", 100.0)
    monkeypatch.setattr(quantize, "SMALLEST_PSNR", 10.0)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A network of two styles with strength, not trained."""
    torch.manual_seed(0)
    network = networks.build(NetworkOptions(width=8, blocks=1), 2, strength=True)
    for weight in network.parameters():
        weight.data += torch.randn_like(weight) * 0.3
    artwork = catalog.Artwork(*["unknown"] * 4)
    styles = [catalog.Entry(name, name, artwork) for name in ("one", "two")]
    folder = tmp_path_factory.mktemp("styles") / "several"
    return publish.write_style(folder, network.eval(), styles, catalog.TrainingRecord(steps=7))


@pytest.fixture(scope="module")
def quantised(photos, tmp_path_factory):
    """The bundled style in 8 bits, all of it or half, and what was told on the way."""
    folder, told = tmp_path_factory.mktemp("made") / "wave-int8", []
    made = quantize.quantize("great-wave", photos, folder, options=QUICK, on_progress=told.append)
    return made, told


def operators(model):
    nodes = onnx.load_from_string(model).graph.node
    return {node.output[0]: node for node in nodes}, [node.op_type for node in nodes]


def test_a_bundled_style_becomes_one_of_8_bits_that_paints_alike(quantised, style):
    made, _ = quantised
    found = catalog.find(made.folder)
    model = found.model()
    assert len(model) < 0.7 * style.card.model.bytes
    pixels = images.read(assets.demo_photo()).resized(600).pixels
    painted = OnnxEngine(model, device="cpu").paint(pixels)
    wanted = OnnxEngine(style.model(), device="cpu").paint(pixels)
    off = np.float64(painted) - wanted
    assert 0 < np.abs(off).mean() < 2 * quantize.LARGEST_DIFFERENCE
    assert made.difference.accepted
    assert made.speed > 0
    assert made.size == found.card.model.bytes / style.card.model.bytes


def test_large_convolutions_are_in_8_bits_and_nothing_else_is(quantised, style):
    made, _ = quantised
    model = catalog.find(made.folder).model()
    parsed = onnx.load_from_string(model)
    assert [opset.domain for opset in parsed.opset_import] == [""]
    by_output, used = operators(model)
    assert set(used) <= OPERATORS.keys()
    fed = {
        node.name: by_output[node.input[0]].op_type == "DequantizeLinear"
        for node in parsed.graph.node
        if node.op_type == "Conv"
    }
    large = int8.large(style.model())
    assert len(large) == 8
    assert [name for name, eight in fed.items() if eight] == [
        name for name in large if name not in made.kept
    ]
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in parsed.graph.initializer}
    eight = [each for each in weights.values() if each.dtype == np.int8 and each.ndim == 4]
    assert len(eight) == sum(fed.values()) > 0
    assert all(-64 <= each.min() < 0 < each.max() <= 64 for each in eight)
    around = {node.output[0] for node in parsed.graph.node if node.op_type == "Conv"}
    into = {name for node in parsed.graph.node if node.op_type == "Conv" for name in node.input}
    for node in parsed.graph.node:  # each stands before or behind a convolution, or its padding
        if node.op_type == "QuantizeLinear":
            after = read_by(parsed, node)
            if after.op_type == "Pad":
                after = read_by(parsed, after)
            assert after.op_type == "DequantizeLinear"
            assert node.input[0] in around or after.output[0] in into


def read_by(parsed, node):
    (reader,) = (each for each in parsed.graph.node if node.output[0] in each.input)
    return reader


def test_8_bits_are_padded_and_not_floats(quantised, style):
    made, _ = quantised
    narrow, _ = operators(catalog.find(made.folder).model())
    wide, _ = operators(style.model())
    pads = [node for node in narrow.values() if node.op_type == "Pad"]
    rounded = [node for node in pads if narrow[node.input[0]].op_type == "QuantizeLinear"]
    assert len(pads) == sum(node.op_type == "Pad" for node in wide.values())
    eight = [name for name in int8.large(style.model()) if name not in made.kept]
    assert len(rounded) == sum(
        wide[node.input[0]].op_type == "Pad" for node in wide.values() if node.name in eight
    )


def test_zeros_are_padded_as_floats():
    """In 8 bits a zero is the zero point, which the padding does not know."""
    torch.manual_seed(0)
    options = NetworkOptions(design="johnson", width=8, blocks=1, pad="zeros")
    model = onnx_graph.to_onnx(networks.build(options).eval())
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    made, _ = operators(int8.to_int8(model, iter([(photo, [1.0])]), int8.large(model)))
    pads = [node for node in made.values() if node.op_type == "Pad"]
    assert pads
    assert all(
        made[node.input[0]].op_type != "QuantizeLinear" for node in pads if node.input[0] in made
    )


def test_a_network_that_is_too_small_is_refused():
    network = networks.build(NetworkOptions(width=4, blocks=1)).eval()
    with pytest.raises(TrainingError, match="too small"):
        int8.large(onnx_graph.to_onnx(network))


def test_the_card_says_what_was_done_and_keeps_the_rest(quantised, style):
    made, _ = quantised
    card = json.loads((made.folder / catalog.CARD).read_text("utf-8"))
    model = (made.folder / card["model"]["file"]).read_bytes()
    assert card["model"]["sha256"] == hashlib.sha256(model).hexdigest()
    assert card["model"]["bytes"] == len(model)
    told = card["model"]["quantized"]
    assert told["bound"] == {"levels": quantize.LARGEST_DIFFERENCE, "psnr": quantize.SMALLEST_PSNR}
    assert told["measured"]["levels"] == round(made.difference.levels, 3)
    assert told["kept_in_floats"] == made.kept
    assert len(told["photographs"]) == 4
    assert told["held_out"] == 2
    assert all(name.endswith(".jpg") and "/" not in name for name in told["photographs"])
    assert card["name"] == "wave-int8"
    original = json.loads((style.folder / catalog.CARD).read_text("utf-8"))
    for key in ("title", "artwork", "training", "network", "licence"):
        assert card[key] == original[key]
    assert images.read(made.folder / card["preview"]).width == 384


def test_progress_counts_photographs_measured_and_compared(quantised):
    told = quantised[1]
    assert [each.step for each in told] == list(range(1, len(told) + 1))
    assert told[-1].step == told[-1].total
    assert len(told) >= 4 + 2


def test_several_styles_with_strength_stay_several(several, photos, tmp_path, photo):
    made = quantize.quantize(several / "one", photos, tmp_path / "small", options=QUICK)
    found = catalog.read(made.folder)
    assert [style.name for style in found] == ["small-one", "small-two"]
    assert all(style.preview.is_file() and style.card.network.strength for style in found)
    engine = OnnxEngine(found[0].model(), device="cpu")
    floats = OnnxEngine(catalog.read(several)[0].model(), device="cpu")
    one, two = (engine.paint(photo.pixels, style.weights) for style in found)
    assert np.abs(np.float64(one) - floats.paint(photo.pixels, [1, 0])).mean() < 6
    assert np.abs(np.float64(one) - two).mean() > 10


def test_the_worst_photograph_in_the_worst_style_counts(several, photos, generous):
    model = catalog.read(several)[0].model()
    pictures = [images.read(path).resized(96) for path in sorted(photos.iterdir())[:4]]
    run = quantize._Quantizer(model, pictures, 2, 2, lambda _: None)
    quantised, difference, _ = run()
    off = [np.float32(one) - other for one, other in run._both(quantised, range(4))]
    assert difference.levels == pytest.approx(max(np.abs(each).mean() for each in off))
    assert difference.worst == int(np.argmax([np.square(each).mean() for each in off]))
    square = np.square(off[difference.worst]).mean()
    assert difference.psnr == pytest.approx(10 * np.log10(255**2 / square))
    same = quantize.difference_of(run._both(model, range(4)))
    assert (same.levels, same.psnr) == (0, np.inf)
    assert same.accepted


def test_what_loses_most_stays_in_floats_if_all_in_8_bits_is_too_much(
    several, photos, tmp_path, monkeypatch, generous
):
    every = quantize.quantize(several / "one", photos, tmp_path / "all", options=QUICK)
    monkeypatch.setattr(quantize, "LARGEST_DIFFERENCE", every.difference.levels - 0.01)
    made = quantize.quantize(several / "one", photos, tmp_path / "most", options=QUICK)
    assert every.kept == []
    assert made.kept
    assert made.difference.levels < every.difference.levels


def test_the_ranking_finds_the_convolution_that_is_spoilt(style, photos):
    """One channel's weight 500 times as large hides all others of an activation's range."""
    parsed = widened(style.model())
    names = int8.large(style.model())
    spoilt = next(node for node in parsed.graph.node if node.name == names[5])
    weight = next(t for t in parsed.graph.initializer if t.name == spoilt.input[1])
    values = onnx.numpy_helper.to_array(weight).copy()
    values[0] *= 500
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    pictures = [images.read(path).resized(96) for path in sorted(photos.iterdir())[:3]]
    run = quantize._Quantizer(parsed.SerializeToString(), pictures, 1, 1, lambda _: None)
    assert run._by_loss(names, 0)[0] == spoilt.name


def test_a_network_that_no_8_bits_fit_is_refused_with_the_figure(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(quantize, "SMALLEST_PSNR", 90.0)
    monkeypatch.setattr(quantize, "KEPT", (0,))
    with pytest.raises(TrainingError, match=r"levels off, with a PSNR of \d+\.\d dB") as error:
        quantize.quantize("great-wave", photos, tmp_path / "wave", options=QUICK)
    assert "more photographs" in error.value.hint
    assert not (tmp_path / "wave").exists()


def test_the_same_photographs_make_the_same_file(several, photo):
    model = catalog.read(several)[0].model()
    inputs = [(photo.pixels, [1.0, 0.0]), (photo.pixels[::2], [0.0, 1.0])]
    first, again, other = (
        int8.to_int8(model, iter(given), int8.large(model))
        for given in (inputs, inputs, inputs[:1])
    )
    assert first == again != other


def test_a_place_that_is_taken_is_refused_and_the_style_itself_is_safe(
    style, photos, quantised, tmp_path
):
    copy = shutil.copytree(style.folder, tmp_path / "wave")
    with pytest.raises(OutputError, match="is there already"):
        quantize.quantize("the-scream", photos, copy)
    with pytest.raises(OptionError, match="replace the style itself"):
        quantize.quantize(copy, photos, copy, overwrite=True)
    with pytest.raises(OptionError, match="8 bits already"):
        quantize.quantize(quantised[0].folder, photos, tmp_path / "again")
    with pytest.raises(OptionError, match="cannot be the name"):
        quantize.quantize("great-wave", photos, tmp_path / "No Name")


def test_two_photographs_are_enough_and_one_is_not(photos, tmp_path, generous):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.open(photos / "00.jpg").save(folder / "0.png")
    with pytest.raises(TrainingError, match="one photograph"):
        quantize.quantize("great-wave", folder, tmp_path / "wave", options=QUICK)
    Image.open(photos / "01.jpg").save(folder / "1.png")
    options = dataclasses.replace(QUICK, held_out=8)
    made = quantize.quantize("great-wave", folder, tmp_path / "wave", options=options)
    card = json.loads((made.folder / catalog.CARD).read_text("utf-8"))
    assert len(card["model"]["quantized"]["photographs"]) == 1


def test_the_command_says_difference_size_and_speed(photos, tmp_path):
    quick = "--count", "4", "--held-out", "2", "--size", "128"
    done = run("quantize", "the-scream", photos, "-o", tmp_path / "eight", *quick, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"levels off \(PSNR \d+\.\d dB\), \d+% of the bytes, \d", done.stderr)
    assert catalog.find(tmp_path / "eight").card.model.quantized.bits == 8


def test_every_bundled_styles_large_convolutions_are_found():
    for style in catalog.bundled().values():
        found = int8.large(style.model())
        assert len(found) == len(set(found)) > 0, style.name
        assert all(found), style.name

"""Quality numbers: of a bundled style, with the real loss network, on small photographs."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import onnx
import pytest
from safetensors.torch import save_file

from impasto import catalog, images
from impasto.catalog import learnt_with, verify
from impasto.catalog.painted import seen
from impasto.errors import OptionError, TrainingError
from impasto.images.metrics import border, specks
from impasto.inference.engine import OnnxEngine
from impasto.options import PLAIN_LOSS, EvaluateOptions, LossOptions, TrainOptions
from impasto.studio.evaluation import evaluate
from impasto.studio.evaluation.contest import lbfgs
from impasto.studio.perceptual import loading
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_tensor
from impasto.stylization.stylizer import Stylizer
from running import run

QUICK = EvaluateOptions(count=2, size=64, iterations=6, init="content", grain=0, device="cpu")
LOSS = LossOptions(content_layers=("conv2_1",), style_layers=("conv1_1", "conv2_1"))


@pytest.fixture(scope="module")
def network():
    return loading.load("vgg19", padding=LOSS.padding)


@pytest.fixture(scope="module")
def painted_style(tmp_path_factory, style):
    """The bundled style with the card of a training with a small loss."""
    folder = tmp_path_factory.mktemp("styles") / "wave"
    folder.mkdir()
    card = json.loads((style.folder / catalog.CARD).read_text("utf-8"))
    loss = {**dataclasses.asdict(LOSS), "style_weight": 3.0}
    card |= {"name": "wave", "training": {"style_size": 96, "style_smoothing": 1.0, "loss": loss}}
    (folder / catalog.CARD).write_text(json.dumps(card), "utf-8")
    shutil.copy(style.folder / style.card.model.file, folder / "style.onnx")
    return folder


@pytest.fixture(scope="module")
def evaluated(painted_style, painting, photos, network):
    told = []
    options = dataclasses.replace(QUICK, second="vgg19")
    found = evaluate.evaluate(
        painted_style, painting, photos, options=options, network=network, on_progress=told.append
    )
    return found, told


@pytest.fixture
def objective(network, painting):
    pixels = seen(painting, 96, "whole", 1.0).pixels
    loss = dataclasses.replace(LOSS, style_weight=3.0)
    return Objective(loss, [StylePicture(to_tensor(pixels)[None])], network)


def test_the_loss_is_the_one_that_the_style_was_learnt_with(evaluated):
    found, _ = evaluated
    assert found.loss == dataclasses.replace(LOSS, style_weight=3.0)
    assert found.style_size == 96
    bundled = learnt_with(catalog.find("udnie"))
    layers = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
    loss = dataclasses.replace(
        PLAIN_LOSS, style_weight=12, content_layers=("conv4_2",), style_layers=layers
    )
    assert bundled == (loss, 400, "0.01,0.01,0.98,0.98", 0)
    assert learnt_with(catalog.find("harvesters")).smoothing == 1.0


def test_a_style_of_several_has_its_own_weight_and_size(painted_style):
    style = catalog.find(painted_style)
    card = dataclasses.replace(style.card, style_size=80, style_crop="left", style_weight=2.5)
    own = dataclasses.replace(style, card=card)
    loss, size, crop, _ = learnt_with(own)
    assert (loss.style_weight, size, crop) == (2.5, 80, "left")
    none = dataclasses.replace(style, card=dataclasses.replace(style.card, training=None))
    assert learnt_with(none) == (PLAIN_LOSS, TrainOptions().style_size, "whole", 0)


def test_the_shipped_file_is_what_is_measured(evaluated, painted_style, painting, photos, network):
    """By hand, for one photograph."""
    found, _ = evaluated
    one = found.photos[0]
    photo = images.read(photos / one.photo).resized(64).pixels
    engine = OnnxEngine(
        verify.load(painted_style / "style.onnx", _sha(painted_style)), device="cpu"
    )
    wanted = seen(painting, 96, "whole", 1.0)
    objective = Objective(found.loss, [StylePicture(to_tensor(wanted.pixels)[None])], network)
    content = objective.content(to_tensor(photo)[None])
    expected = {
        "network": engine.paint(photo),
        "photograph": photo,
        "style pasted": images.resize_to(wanted, photo.shape[:2]).pixels,
    }
    for kind, picture in expected.items():
        losses = objective(to_tensor(picture)[None], content).numbers()
        for name, value in losses.items():
            assert one.scores[kind][name] == pytest.approx(value, rel=1e-4, abs=1e-7)
    totals = {kind: scores["total"] for kind, scores in one.scores.items()}
    for kind, scores in one.scores.items():
        assert scores["relative"] == pytest.approx(totals[kind] / totals["photograph"])


def _sha(folder):
    return json.loads((folder / catalog.CARD).read_text("utf-8"))["model"]["sha256"]


def test_what_has_to_be_so_of_the_baselines(evaluated):
    for each in evaluated[0].photos:
        photograph, pasted = each.scores["photograph"], each.scores["style pasted"]
        assert photograph["relative"] == 1
        assert photograph["content"] == photograph["second"] == 0
        assert pasted["style"] < 0.5 * photograph["style"]
        assert pasted["content"] > each.scores["L-BFGS 6"]["content"]
        assert each.scores["network"]["second"] > 0
        assert {"style conv1_1", "style conv2_1"} < set(photograph)
        assert 0 < each.flicker < 20


def test_marks_on_the_grid_are_those_of_the_paintings_together(evaluated, painted_style, photos):
    found, _ = evaluated
    engine = OnnxEngine(
        verify.load(painted_style / "style.onnx", _sha(painted_style)), device="cpu"
    )
    ground = [images.read(photos / each.photo).resized(64).pixels for each in found.photos]
    assert found.specks["network"] == specks([engine.paint(each) for each in ground], ground)
    assert found.record()["specks"]["photograph"] == dataclasses.asdict(specks(ground, ground))


def test_a_border_is_that_of_parts_within_the_paintings(evaluated, painted_style, photos):
    found, _ = evaluated
    engine = OnnxEngine(
        verify.load(painted_style / "style.onnx", _sha(painted_style)), device="cpu"
    )
    ground = [images.read(photos / each.photo).resized(64).pixels for each in found.photos]
    expected = border(engine.paint, ground, [engine.paint(each) for each in ground])
    assert found.border == found.record()["border"] == pytest.approx(expected)
    assert found.border > 0


def test_equivalent_iterations_are_the_first_that_are_as_good(evaluated, objective, photos):
    for each in evaluated[0].photos:
        photo = to_tensor(images.read(photos / each.photo).resized(64).pixels)[None]
        course, _ = lbfgs(objective, photo, photo, 6)
        reached = each.scores["network"]["total"]
        as_good = [number for number, total in enumerate(course) if total <= reached]
        assert each.iterations == (as_good[0] if as_good else None)


def test_from_noise_a_network_is_worth_more_iterations_than_from_the_content(
    evaluated, painted_style, painting, photos, network
):
    options = dataclasses.replace(QUICK, count=1, iterations=30, init="noise")
    found = evaluate.evaluate(painted_style, painting, photos, options=options, network=network)
    (noise,), content = found.photos, evaluated[0].photos[0]
    assert noise.scores["network"]["total"] == content.scores["network"]["total"]
    assert noise.scores["L-BFGS 30"]["total"] < noise.scores["photograph"]["total"]
    assert noise.iterations is not None
    assert content.iterations is not None
    assert noise.iterations > content.iterations


def dull(folder, style, share):
    """A style that paints ``share`` of the photograph's light, and nothing else."""
    node, half = onnx.helper.make_node, onnx.TensorProto.UINT8
    weight = (np.eye(3, dtype=np.float32) * share)[..., None, None]
    shape = [1, None, None, 3]
    graph = onnx.helper.make_graph(
        [
            node("Cast", ["photo"], ["floats"], to=onnx.TensorProto.FLOAT),
            node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
            node("Conv", ["planes", "weight"], ["painted"]),
            node("Transpose", ["painted"], ["pixels"], perm=[0, 2, 3, 1]),
            node("Round", ["pixels"], ["rounded"]),
            node("Cast", ["rounded"], ["painting"], to=half),
        ],
        "dull",
        [onnx.helper.make_tensor_value_info("photo", half, shape)],
        [onnx.helper.make_tensor_value_info("painting", half, shape)],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    made = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()
    card = json.loads((style / catalog.CARD).read_text("utf-8"))
    card["model"] |= {"sha256": hashlib.sha256(made).hexdigest(), "bytes": len(made)}
    folder.mkdir()
    (folder / "style.onnx").write_bytes(made)
    (folder / catalog.CARD).write_text(json.dumps(card), "utf-8")
    return folder


def test_a_style_that_paints_nothing_is_worth_no_iteration(
    painted_style, painting, photos, tmp_path, network
):
    identity = dull(tmp_path / "identity", painted_style, 1.0)
    found = evaluate.evaluate(identity, painting, photos, options=QUICK, network=network)
    for each in found.photos:
        assert each.scores["network"] == each.scores["photograph"]
        assert each.iterations == 0
        assert each.flicker == 1
    assert found.iterations() == [0, 0, 0]
    assert found.specks["network"] == found.specks["photograph"]


def test_what_is_measured_has_the_grain_of_stylize(
    painted_style, painting, photos, network, objective
):
    options = dataclasses.replace(QUICK, count=1, iterations=1)
    smooth, grained = (
        evaluate.evaluate(painted_style, painting, photos, options=each, network=network).photos[0]
        for each in (options, dataclasses.replace(options, grain=EvaluateOptions().grain))
    )
    photo = images.read(photos / grained.photo).resized(64)
    stylizer = Stylizer(painted_style, device="cpu")
    painted = stylizer(photo, stroke="pixels", crisp=0)  # what the network paints, and no more
    content = objective.content(to_tensor(photo.pixels)[None])
    style = objective(to_tensor(painted.pixels)[None], content).numbers()["style"]
    assert grained.scores["network"]["style"] == pytest.approx(style, rel=1e-4)
    assert smooth.scores["network"]["style"] != pytest.approx(style, rel=1e-4)


def test_flicker_is_the_part_of_the_noise_that_is_painted(
    painted_style, painting, photos, tmp_path, network
):
    half = dull(tmp_path / "half", painted_style, 0.5)
    options = dataclasses.replace(QUICK, count=1, iterations=1, flicker_noise=20.0)
    found = evaluate.evaluate(half, painting, photos, options=options, network=network)
    assert found.flicker == pytest.approx(0.5, abs=0.02)


def test_quartiles_are_of_photographs_and_say_when_they_are_beyond():
    def of(*iterations):
        photos = [evaluate.Evaluated("", {"network": {"total": 1.0}}, n, 2.0) for n in iterations]
        options = EvaluateOptions(iterations=500)
        return evaluate.Evaluation("wave", LOSS, 96, options, photos, {}, None)

    assert of(10, 20, 30, 40, 50).iterations() == [20, 30, 40]
    assert of(30, None, 10, 500, None).iterations() == [30, 500, None]
    assert of(None).iterations() == [None, None, None]
    assert of(10, 20).iterations() == [10, 10, 10]
    assert of(10, 20).flicker == 2.0


def test_the_record_is_json_and_the_same_again(evaluated, painted_style, painting, photos, network):
    found, told = evaluated
    record = json.loads(json.dumps(found.record()))
    assert record["style"] == "wave"
    assert set(record["means"]) == {"network", "photograph", "style pasted", "L-BFGS 6"}
    mean = np.mean([each.scores["network"]["relative"] for each in found.photos])
    assert record["means"]["network"]["relative"] == pytest.approx(mean)
    assert record["options"]["iterations"] == 6
    assert [each.step for each in told] == list(range(1, 13))
    assert {each.total for each in told} == {12}
    assert told[0].losses["objective"] > 0
    again = evaluate.evaluate(painted_style, painting, photos, options=QUICK, network=network)
    for one, other in zip(found.photos, again.photos, strict=True):
        assert one.flicker == other.flicker
        assert one.scores["network"]["total"] == other.scores["network"]["total"]
    assert "second" not in again.photos[0].scores["network"]


def test_an_older_card_is_understood(painted_style, tmp_path, style):
    now = evaluate.learnt_with(catalog.find(painted_style))
    folder = shutil.copytree(painted_style, tmp_path / "wave")
    card = json.loads((folder / catalog.CARD).read_text("utf-8"))
    loss = card["training"]["loss"]
    del loss["loss_network"]
    loss["scale"] = loss.pop("loss_scale")
    card["training"]["strength"] = False
    for name in ("vgg19", "vgg16"):
        loss["network"] = name
        (folder / catalog.CARD).write_text(json.dumps(card), "utf-8")
        found = evaluate.learnt_with(catalog.find(folder))
        assert (found == now, found[0].loss_network) == (name == "vgg19", name)
    loss["scale"] = "gatys"
    (folder / catalog.CARD).write_text(json.dumps(card), "utf-8")
    assert evaluate.learnt_with(catalog.find(folder))[0].loss_scale == "gatys"
    assert evaluate.learnt_with(style)[0].loss_network == "vgg19"
    card["training"]["loss"] |= {"wit": 1}
    (folder / catalog.CARD).write_text(json.dumps(card), "utf-8")
    with pytest.raises(OptionError, match="a loss that is not known here - update with pip"):
        evaluate.learnt_with(catalog.find(folder))


def test_what_cannot_be_measured_is_said(painted_style, painting, photos, tmp_path, network):
    with pytest.raises(OptionError, match="there is no style"):
        evaluate.evaluate("nothing", painting, photos)
    with pytest.raises(OptionError, match="no loss network vgg18"):
        options = dataclasses.replace(QUICK, second="vgg18")
        evaluate.evaluate(painted_style, painting, photos, options=options, network=network)
    (tmp_path / "junk.jpg").write_bytes(b"junk")
    with pytest.raises(TrainingError, match="no photograph in"):
        evaluate.evaluate(painted_style, painting, tmp_path, options=QUICK, network=network)


def test_the_command_prints_a_table_or_json(painted_style, painting, photos):
    quick = "--count", "1", "--size", "64", "--iterations", "2", "--device", "cpu"
    table, record = (
        run("evaluate", painted_style, painting, photos, *quick, *more, text=True)
        for more in ((), ("--json",))
    )
    assert table.returncode == record.returncode == 0, table.stderr + record.stderr
    assert "style conv2_1" in table.stdout
    assert "iterations of L-BFGS from noise, median" in table.stdout
    found = json.loads(record.stdout)
    assert found["options"]["iterations"] == 2
    assert set(found["means"]["L-BFGS 2"]) == set(found["photos"][0]["scores"]["network"])


def test_content_is_measured_in_another_network(
    painted_style, painting, photos, network, torchvision, tmp_path
):
    weights = tmp_path / "resnet18.safetensors"
    save_file(torchvision.models.resnet18(weights=None).state_dict(), weights)
    options = dataclasses.replace(
        QUICK, count=1, iterations=1, second="resnet18", second_weights=str(weights)
    )
    found = evaluate.evaluate(painted_style, painting, photos, options=options, network=network)
    second = {kind: scores["second"] for kind, scores in found.photos[0].scores.items()}
    assert second["photograph"] == 0
    assert 0 < second["L-BFGS 1"] < second["style pasted"]

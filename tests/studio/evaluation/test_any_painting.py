"""Paintings as styles in numbers: the real hypernetwork and loss network, small pictures."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import learning_any
from impasto import catalog, images
from impasto.catalog.painted import seen
from impasto.errors import OptionError
from impasto.options import EvaluateOptions, StyleOptions, TrainOptions
from impasto.studio.evaluation.any_painting import AT_ONCE, PHOTOGRAPH, Judge, evaluate_any, painted
from impasto.studio.perceptual import loading
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_tensor
from running import run

QUICK = EvaluateOptions(count=2, size=64, grain=0, device="cpu", polish=("7", "10s"))


SMALL = StyleOptions(style_size=64)


@pytest.fixture(scope="module")
def network():
    return loading.load("vgg19", padding="replicate")


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    return learning_any.paintings(tmp_path_factory.mktemp("paintings"), 2)


def polish(painting, work, amount):
    """Stands for a polish, which takes seconds a step: another style, which is known."""
    return catalog.find({"7": "starry-night", "10s": "udnie"}[amount])


@pytest.fixture(scope="module")
def evaluated(paintings, photos, network):
    told = []
    found = evaluate_any(
        paintings, photos, polish, options=QUICK, style=SMALL, network=network,
        on_progress=told.append,
    )  # fmt: skip
    return found, told


def test_each_painting_is_measured_at_once_and_after_each_polish(evaluated):
    found, told = evaluated
    assert list(found.paintings) == ["00", "01"]
    for scores in found.paintings.values():
        assert set(scores) == {PHOTOGRAPH, AT_ONCE, "after 7", "after 10s"}
    assert [(each.step, each.total) for each in told] == [(1, 2), (2, 2)]
    assert told[0].losses["after 7"] == found.paintings["00"]["after 7"]["style"]


def test_the_photograph_shows_what_the_numbers_of_no_painting_are(evaluated):
    for scores in evaluated[0].paintings.values():
        own = scores[PHOTOGRAPH]
        assert own["content"] == 0
        assert own["tone"] == pytest.approx(1, abs=0.02)
        assert own["style"] > scores[AT_ONCE]["style"]


def test_scores_are_those_of_the_loss_that_networks_are_trained_with(
    evaluated, paintings, photos, network
):
    """By hand, for one painting."""
    found, path = evaluated[0], paintings / "00.png"
    options = TrainOptions()
    target = seen(path, options.style_size, "whole", options.style_smoothing).pixels
    objective = Objective(options.loss, [StylePicture(to_tensor(target)[None])], network)
    ground = [images.read(photos / name).resized(64).pixels for name in found.photographs]
    for when, style in (
        (AT_ONCE, catalog.find(path, SMALL)),
        ("after 7", catalog.find("starry-night")),
    ):
        losses = []
        for photo, picture in zip(ground, painted(style, ground, 0), strict=True):
            content = objective.content(to_tensor(photo)[None])
            losses.append(objective(to_tensor(picture)[None], content).numbers())
        for name in ("total", "style", "content"):
            expected = np.mean([each[name] for each in losses])
            assert found.paintings["00"][when][name] == pytest.approx(expected, rel=1e-4)


def test_means_and_the_worst(evaluated):
    found = evaluated[0]
    ones, twos = (each[AT_ONCE]["style"] for each in found.paintings.values())
    assert found.means()[AT_ONCE]["style"] == pytest.approx((ones + twos) / 2)
    assert found.worst(AT_ONCE) == max((("00", ones), ("01", twos)), key=lambda each: each[1])
    record = json.loads(json.dumps(found.record()))
    assert record["means"]["after 10s"] == found.means()["after 10s"]
    assert record["options"]["polish"] == ["7", "10s"]


@pytest.fixture
def one(paintings, tmp_path):
    """A folder of a single painting."""
    shutil.copy(paintings / "00.png", tmp_path)
    return tmp_path


def test_boldness_and_a_second_network(one, photos, network):
    options = EvaluateOptions(count=1, size=64, grain=0, second="vgg19")
    mild, bold = (
        evaluate_any(
            one, photos, polish, options=options, style=replace(SMALL, boldness=boldness),
            network=network,
        ).means()[AT_ONCE]
        for boldness in (0.3, 3.0)
    )  # fmt: skip
    assert bold["style"] != pytest.approx(mild["style"], rel=1e-3)
    assert bold["second"] > 0


def test_a_judge_sees_light_and_shade_turned_round(photos, network):
    photo = images.read(next(photos.glob("*.jpg"))).resized(64).pixels
    judge = Judge([photo], EvaluateOptions(), network)
    objective = judge.towards(photo)
    assert judge(objective, [255 - photo])["tone"] == pytest.approx(-1, abs=0.02)


@pytest.mark.parametrize("amount", ["soon", "", "0", "1.5"])
def test_a_polish_of_no_time_is_refused(amount):
    with pytest.raises(OptionError, match="is no time, and no number of steps"):
        EvaluateOptions(polish=("10s", amount))


def test_the_command_prints_tables_or_json(one, photos, monkeypatch):
    def short(painting, work, options, style):
        return type("Polished", (), {"style": polish(painting, work, options.polish)})

    monkeypatch.setattr("impasto.polishing.polish", short)
    command = "evaluate", "--any", one, photos, "--count", 1, "--size", 64, "--polish", "7"
    command += "--style-size", 64
    table, record = run(*command, text=True), run(*command, "--json", text=True)
    assert (table.returncode, record.returncode) == (0, 0), table.stderr + record.stderr
    for word in ("style loss", "at once", "after 7", "mean of 1", "tone"):
        assert word in table.stdout
    means = json.loads(record.stdout)["means"]
    assert f"{means['after 7']['content']:.3f}" in table.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--any", "a"), "evaluate --any PAINTINGS PHOTOS"),
        (("--any", "a", "b", "c"), "evaluate --any PAINTINGS PHOTOS"),
        (("a", "b"), "evaluate STYLE PAINTING PHOTOS"),
        (("--any", "a", "b", "--polish", "soon"), "'soon' is no time"),
    ],
)
def test_the_command_says_what_it_needs(arguments, said):
    done = run("evaluate", *arguments, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in done.stderr

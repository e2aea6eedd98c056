"""A bundled style's network beside L-BFGS, with the real loss network, on small photographs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from impasto import catalog, images
from impasto.catalog import TrainingRecord
from impasto.catalog.painted import seen
from impasto.errors import TrainingError
from impasto.options import EvaluateOptions, LossOptions
from impasto.studio.evaluation import contest
from impasto.studio.evaluation.contest import Contest, as_good, lbfgs
from impasto.studio.evaluation.evaluate import evaluate
from impasto.studio.perceptual import loading
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_tensor

LOSS = LossOptions(content_layers=("conv2_1",), style_layers=("conv1_1", "conv2_1"))
OPTIONS = EvaluateOptions(count=1, size=64, iterations=40, device="cpu")


@pytest.fixture(scope="module")
def network():
    return loading.load("vgg19", padding=LOSS.padding)


@pytest.fixture
def objective(network, painting):
    pixels = images.read(painting).resized(96).pixels
    return Objective(LOSS, [StylePicture(to_tensor(pixels)[None])], network)


@pytest.fixture
def learnt(style):
    """The bundled style, as if it was learnt with a small loss."""
    return replace(
        style, card=replace(style.card, training=TrainingRecord(style_size=96, loss=LOSS))
    )


@pytest.fixture
def photo(photos):
    return images.read(photos / "03.jpg").resized(64)


def test_lbfgs_is_kept_at_marks_and_its_lowest_objective_never_rises(objective, photo):
    x = to_tensor(photo.pixels)[None]
    course, pictures = lbfgs(objective, x, x, 52)
    assert len(course) == 53
    assert course == sorted(course, reverse=True)
    assert course[-1] < 0.5 * course[0]
    assert list(pictures) == [50, 52]
    content = objective.content(x)
    assert float(objective(x, content).total) == pytest.approx(course[0])
    for number, picture in pictures.items():
        assert float(objective(picture, content).total) == pytest.approx(course[number], rel=1e-4)


def test_lbfgs_ends_as_soon_as_its_objective_is_low_enough(objective, photo):
    x = to_tensor(photo.pixels)[None]
    whole, _ = lbfgs(objective, x, x, 12)
    for until, last in ((whole[4], 4), (whole[0] + 1, 0), (whole[12] / 2, 12)):
        told = []
        course, pictures = lbfgs(objective, x, x, 12, told.append, until=until)
        assert course == whole[: last + 1]
        assert list(pictures) == [last]
        assert [each.step for each in told] == list(range(1, last + 1))


def test_a_loss_that_is_no_number_ends_it(objective):
    nothing = torch.full((1, 3, 64, 64), float("nan"))
    with pytest.raises(TrainingError, match="at iteration 0"):
        lbfgs(objective, nothing, nothing, 3)


def test_as_good_is_the_first_that_is_as_low():
    assert as_good([5.0, 3.0, 3.0, 1.0], 3.0) == 1
    assert as_good([5.0, 3.0], 9.0) == 0
    assert as_good([5.0, 3.0], 2.0) is None


@pytest.mark.parametrize("init", ["noise", "content"])
def test_a_network_is_worth_as_many_iterations_as_the_evaluation_says(
    init, learnt, painting, photos, network, monkeypatch
):
    options = replace(OPTIONS, init=init)
    expected = evaluate(learnt, painting, photos, options=options, network=network).photos[0]
    courses = []

    def followed(*arguments, **bound):
        result = lbfgs(*arguments, **bound)
        courses.append(result[0])
        return result

    monkeypatch.setattr(contest, "lbfgs", followed)
    measure = Contest(learnt, seen(painting, 96, "whole"), options, network)
    picture = images.read(photos / expected.photo).resized(64)
    assert measure.iterations(picture) == expected.iterations is not None
    assert measure.iterations(picture) == expected.iterations  # with the same noise again
    assert [len(course) for course in courses] == [expected.iterations + 1] * 2


def test_too_few_iterations_are_said(learnt, painting, photo, network):
    few = Contest(learnt, seen(painting, 96, "whole"), replace(OPTIONS, iterations=1), network)
    assert few.iterations(photo) is None


def test_a_contest_has_the_loss_of_the_card(style, painting, photo, network):
    loss = catalog.learnt_with(style).loss
    measure = Contest(style, seen(painting, 96, "whole"), OPTIONS, network)
    x = measure.tensor(photo.pixels)
    objective, start = measure.begun(x, np.random.default_rng(0))
    assert objective.options == loss
    assert start.shape == x.shape
    assert float(start.std()) == pytest.approx(1 / 255, rel=0.05)

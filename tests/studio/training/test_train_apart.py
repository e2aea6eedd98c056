"""Networks that learn at once, each in a style of its own, learn what each would alone."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

import impasto
from impasto import catalog
from impasto.errors import Cancelled, OptionError, OutputError, TrainingError
from impasto.options import LossOptions, NetworkOptions, TrainOptions
from impasto.progress import CancelToken
from impasto.studio.training import init_from
from impasto.studio.training.paintings import Painting
from impasto.studio.training.train import train
from learning import TINY, same, steps, weights

APART = replace(TINY, apart=True)


@pytest.fixture(scope="module")
def paintings(painting, dots):
    return [Painting(painting, name="strokes", style_weight=5.0), Painting(dots, name="dots")]


@pytest.fixture(scope="module")
def both(tmp_path_factory, paintings, photos):
    folder = tmp_path_factory.mktemp("out") / "two"
    return train(paintings, photos, folder, options=APART, start="none")


def test_each_painting_gets_a_style_of_its_own(both, photo):
    one, two = (catalog.find(both / name) for name in ("strokes", "dots"))
    assert [len(catalog.read(each.folder)) for each in (one, two)] == [1, 1]
    training = one.card.training
    assert (training.apart, training.steps, training.photographs) == (True, 6, 11)
    assert training.losses is None
    assert training.validation != two.card.training.validation > 0
    paintings = [impasto.stylize(photo, each).pixels for each in (one, two)]
    assert (paintings[0] != paintings[1]).any()


@pytest.mark.parametrize("balance", ["none", "initial"])
def test_they_learn_what_each_learns_alone(tmp_path, paintings, photos, balance):
    """Weights differ from those of trainings alone by rounding, if nothing is clipped."""
    loss = replace(TINY.loss, balance=balance, style_weight=0.02, content_weight=0.02)
    options = replace(TINY, steps=3, loss=loss, learning_rate=1e-3)
    wanted = [replace(each, style_weight=None) for each in paintings]
    wanted[1] = replace(wanted[1], style_weight=0.05)
    train(wanted, photos, tmp_path / "two", options=replace(options, apart=True), start="none")
    for each in wanted:
        alone = train(each, photos, tmp_path / each.name, options=options, start="none")
        found, expected = (
            load_file(folder / "network.safetensors")
            for folder in (tmp_path / "two" / each.name, alone)
        )
        assert found.keys() == expected.keys()
        for name in expected:
            difference = (found[name].float() - expected[name].float()).abs().max()
            assert difference < 2e-4, (each.name, name)


def test_one_that_was_stopped_goes_on_as_if_it_never_was(both, tmp_path, paintings, photos):
    cancel = CancelToken()

    def stop(progress):
        if progress.step == 3:
            cancel.cancel()

    folder = tmp_path / "two"
    with pytest.raises(Cancelled):
        train(
            paintings, photos, folder, options=APART, start="none", on_progress=stop, cancel=cancel
        )
    assert not (folder / "dots").exists()
    train(paintings, photos, folder, options=APART, start="none")
    assert same(weights(folder), weights(both))
    for name in ("strokes", "dots"):
        one, other = (load_file(each / name / "network.safetensors") for each in (folder, both))
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert [line["step"] for line in steps(folder)] == [1, 2, 3, 4, 5, 6]


def test_what_was_learnt_is_not_replaced_unasked(both, tmp_path, paintings, photos):
    with pytest.raises(TrainingError, match="paintings dots was"):
        train(paintings[:1], photos, both, options=APART, start="none")
    (tmp_path / "two").mkdir()
    (both / "dots").rename(tmp_path / "two" / "dots")
    try:
        with pytest.raises(OutputError, match="dots is a style already"):
            train(paintings, photos, tmp_path / "two", options=APART, start="none")
    finally:
        (tmp_path / "two" / "dots").rename(both / "dots")


def test_a_style_may_be_learnt_on_from(both, tmp_path, paintings, photos):
    folder = train(paintings, photos, tmp_path / "on", options=APART, start=both / "dots")
    assert catalog.find(folder / "strokes").card.training.start == "dots"
    with pytest.raises(TrainingError, match=r"start was dots \(\w+\), is none"):
        train(paintings, photos, folder, options=APART, start="none")


@pytest.mark.usefixtures("unpublished")
def test_each_begins_with_what_paints_it_best(tmp_path, paintings, photos):
    options = TrainOptions(steps=1, crop=64, style_size=64, apart=True)
    folder = train(paintings, photos, tmp_path / "best", options=options)
    (line,) = steps(folder)
    nothing = train(paintings, photos, tmp_path / "none", options=options, start="none")
    started = [catalog.find(folder / name).card.training.start for name in ("strokes", "dots")]
    assert set(started) <= set(init_from.GOOD)
    assert line["total"] < steps(nothing)[0]["total"]


def test_content_features_are_kept_once_for_all(tmp_path, paintings, photos, monkeypatch):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    options = replace(APART, precompute=2, steps=4)
    folder = train(paintings, photos, tmp_path / "kept", options=options, start="none")
    assert [line["from_disk"] for line in steps(folder)] == [False, False, True, True]


@pytest.mark.parametrize(
    "other",
    [{"learn_strength": True}, {"tune": "norms"}, {"network": NetworkOptions(norm="batch")}],
)
def test_what_networks_at_once_cannot_do(other):
    with pytest.raises(OptionError, match="learn all their weights"):
        TrainOptions(apart=True, **other)


def test_a_style_cannot_lie_where_the_training_does(tmp_path, painting, photos):
    with pytest.raises(OptionError, match="cannot be called training"):
        train(Painting(painting, name="training"), photos, tmp_path / "x", options=APART)


def test_plain_losses_are_known_as_well(tmp_path, paintings, photos):
    loss = LossOptions(style_statistic="wasserstein", tv="squared", loss_scale="mean")
    options = replace(APART, steps=1, loss=loss)
    wanted = [replace(each, style_weight=None) for each in paintings]
    folder = train(wanted, photos, tmp_path / "other", options=options, start="none")
    assert catalog.find(folder / "dots").card.training.loss.style_statistic == "wasserstein"

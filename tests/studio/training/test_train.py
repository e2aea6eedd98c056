import dataclasses
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto import catalog, images
from impasto.assets import demo_photo
from impasto.catalog import hypernetwork
from impasto.errors import OptionError, OutputError, PictureError, TrainingError
from impasto.files import kept_steps
from impasto.options import NetworkOptions, TrainOptions
from impasto.studio.training import checkpoint_file, init_from
from impasto.studio.training.paintings import Painting
from impasto.studio.training.train import train
from learning import TINY, same, steps, weights


@pytest.fixture(scope="module")
def trained(tmp_path_factory, painting, photos):
    folder = tmp_path_factory.mktemp("out") / "strokes"
    return train(Painting(painting, title="Strokes", artist="A test"), photos, folder, options=TINY)


def test_a_training_gives_a_style_that_paints(trained, photo):
    style = catalog.find(trained)
    assert (style.name, style.card.title, style.card.artwork.artist) == (
        "strokes",
        "Strokes",
        "A test",
    )
    training = style.card.training
    assert training.steps == 6
    assert training.photographs == 11  # and one to validate with
    assert training.validation > 0
    assert set(training.losses) == {"total", "content", "style", "tv"}
    painted = impasto.stylize(photo, trained)
    assert (painted.width, painted.height) == (photo.width, photo.height)
    assert images.read(style.preview).width == 384


def test_losses_and_samples_can_be_looked_at_meanwhile(trained):
    lines = steps(trained)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all(np.isfinite(line["total"]) for line in lines)
    sample = images.read(trained / "training" / "sample-0000006.png")
    assert (sample.width, sample.height) == (64, 128)
    assert images.read(trained / "training" / "losses.png").width > 500
    assert [line["step"] for line in lines if "validation" in line] == [2, 4, 6]
    assert len(list((trained / "training").glob("step-*"))) == 2


@pytest.mark.usefixtures("unpublished")
def test_it_learns(tmp_path, painting, photos):
    """Sixty steps bring the style nearer; not a lucky batch, the mean of ten."""
    options = TrainOptions(
        steps=60, batch=1, crop=64, style_size=64, learning_rate=0.01, save_every=100,
        network=NetworkOptions(width=8, blocks=2),
    )  # fmt: skip
    losses = []
    train(
        painting,
        photos,
        tmp_path / "s",
        options=options,
        on_progress=lambda p: losses.append(p.losses),
    )
    first, last = (np.mean([x["style"] for x in part]) for part in (losses[:10], losses[-10:]))
    assert last < 0.8 * first


@pytest.mark.usefixtures("unpublished")
def test_photographs_have_grain_in_a_training(trained, tmp_path, painting, photos):
    options = dataclasses.replace(TINY, steps=1, grain=0)
    smooth = steps(train(painting, photos, tmp_path / "smooth", options=options))[0]
    grained = steps(trained)[0]
    assert grained["content"] != smooth["content"]
    assert grained["content"] == pytest.approx(smooth["content"], rel=0.2)  # else the same step


@pytest.mark.usefixtures("unpublished")
def test_samples_do_not_move_the_statistics_of_batches(tmp_path, painting, photos):
    network = dataclasses.replace(TINY.network, norm="batch")
    options = dataclasses.replace(TINY, network=network)
    often = train(
        painting, photos, tmp_path / "a", options=dataclasses.replace(options, save_every=1)
    )
    seldom = train(
        painting, photos, tmp_path / "b", options=dataclasses.replace(options, save_every=6)
    )
    assert same(weights(often), weights(seldom))


def test_learning_can_start_from_another_style(trained, tmp_path, painting, photos):
    start = sorted((trained / "training").glob("step-*"))[-1]
    folder = train(painting, photos, tmp_path / "s", options=TINY, start=start)
    assert not same(weights(folder), weights(trained))
    assert catalog.find(folder).card.training.start == "strokes"
    other = TrainOptions(**{**vars(TINY), "network": NetworkOptions(width=8, blocks=2)})
    with pytest.raises(OptionError, match="network of --start has width 4, not 8 - give the same"):
        train(painting, photos, tmp_path / "t", options=other, start=start)
    with pytest.raises(OptionError, match="blocks 2, not 4.* - add --tier tiny"):
        train(painting, photos, tmp_path / "t", start="starry-night-tiny")
    assert not (tmp_path / "t").exists()
    with pytest.raises(TrainingError, match="is not a whole checkpoint"):
        train(painting, photos, tmp_path / "u", options=TINY, start=painting)


def test_learning_can_start_from_what_is_made_of_the_painting_at_once(
    tmp_path, painting, photos, unpublished
):
    options = TrainOptions(steps=1, crop=64, style_size=64, held_out=0, learning_rate=1e-6)
    train(painting, photos, tmp_path / "s", options=options, start="any")
    made = catalog.find(painting)
    wanted = hypernetwork.bundled().weights(made.card.prediction.embedding)
    learnt = checkpoint_file.read(kept_steps.paths(tmp_path / "s" / "training")[-1])
    for name, each in learnt.built().state_dict().items():
        assert torch.allclose(each, torch.from_numpy(np.array(wanted[name])), atol=1e-4)
    assert learnt.training.sources["start"].startswith("any (")
    with pytest.raises(OptionError, match="network of --start has width 16, not 4"):
        train(painting, photos, tmp_path / "t", options=TINY, start="any")


def begun(folder):
    """What the training in this folder began with."""
    learnt = checkpoint_file.read(kept_steps.paths(folder / "training")[-1])
    return learnt.training.sources["start"].split(" (")[0]


@pytest.mark.parametrize("good", init_from.GOOD)
def test_learning_begins_with_the_better_of_two_networks(good, tmp_path, unpublished, monkeypatch):
    """The other one has not learnt anything."""
    (tmp_path / "photos").mkdir()
    shutil.copy(demo_photo(), tmp_path / "photos")
    painting = catalog.find("starry-night").preview
    trunk = init_from.trunk
    monkeypatch.setattr(
        init_from, "trunk", lambda start, *more: trunk(start, *more) if start == good else None
    )
    options = TrainOptions(steps=1, crop=64, style_size=256, held_out=0)
    train(painting, tmp_path / "photos", tmp_path / "s", options=options)
    assert begun(tmp_path / "s") == good


@pytest.mark.parametrize(
    ("start", "changes"),
    [("none", {}), ("best", {"network": TINY.network}), ("best", {"learn_strength": True})],
    ids=["none", "another network", "strength"],
)
def test_learning_begins_with_nothing_if_asked_to_or_where_it_must(
    start, changes, tmp_path, painting, photos, unpublished
):
    options = TrainOptions(steps=1, crop=64, style_size=64, held_out=0, **changes)
    train(painting, photos, tmp_path / "s", options=options, start=start)
    assert begun(tmp_path / "s") == "none"


def test_what_cannot_work_is_said_before_any_work(tmp_path, painting, photos):
    with pytest.raises(OptionError, match="cannot be the name"):
        train(painting, photos, tmp_path / "My Style", options=TINY)
    with pytest.raises(PictureError, match="No such file"):
        train(tmp_path / "none.jpg", photos, tmp_path / "s", options=TINY)
    with pytest.raises(TrainingError, match="one step needs"):
        train(painting, photos, tmp_path / "s", options=TrainOptions(batch=100))
    with pytest.raises(OptionError, match="use a multiple of 8, such as --crop 104"):
        train(painting, photos, tmp_path / "s", options=dataclasses.replace(TINY, crop=100))
    dot = tmp_path / "dot.png"
    Image.new("RGB", (1, 1)).save(dot)
    with pytest.raises(PictureError, match="too small"):
        train(dot, photos, tmp_path / "s", options=TINY)
    assert not (tmp_path / "s").exists()


def test_a_style_is_not_replaced_unasked(trained, tmp_path, painting, photos):
    folder = shutil.copytree(trained, tmp_path / "strokes")
    shutil.rmtree(folder / "training")
    before = catalog.find(folder).model()
    one_step = dataclasses.replace(TINY, steps=1)
    with pytest.raises(OutputError, match="strokes is a style already - --restart replaces it"):
        train(painting, photos, folder, options=one_step)
    assert catalog.find(folder).model() == before
    train(painting, photos, folder, options=one_step, restart=True)
    assert catalog.find(folder).model() != before


def test_a_plain_name_is_a_style_of_the_users(user_styles, painting, photos):
    options = TrainOptions(**{**vars(TINY), "steps": 1})
    assert train(painting, photos, "mine", options=options) == user_styles / "mine"
    assert "mine" in impasto.styles()

"""Small networks that learn from bundled styles: real paintings, real steps, real files."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import impasto
from impasto import catalog, images
from impasto.catalog import learnt_with
from impasto.catalog.card import Teacher
from impasto.errors import Cancelled, DeviceError, OptionError, OutputError, TrainingError
from impasto.files import kept_steps
from impasto.options import DistillOptions, NetworkOptions
from impasto.progress import CancelToken
from impasto.studio.training.distill import START, _grounds, distance, distill
from impasto.studio.training.paintings import Painting
from impasto.studio.training.train import train
from learning import TINY

QUICK = DistillOptions(steps=80, batch=1, crop=64, held_out=2)


@pytest.fixture(scope="module")
def distilled(photos, tmp_path_factory):
    """A tiny network that has begun to paint as another style, and what was told on the way."""
    folder, told = tmp_path_factory.mktemp("made") / "little-wave", []
    made = distill("great-wave", photos, folder, options=QUICK, on_progress=told.append)
    return made, told


def off(one, other, photo):
    """By how many levels two styles differ in the mean."""
    painted = [np.float32(impasto.stylize(photo, style).pixels) for style in (one, other)]
    return float(np.abs(painted[0] - painted[1]).mean())


def test_it_comes_nearer_to_the_style_that_it_learns_from(distilled, photo):
    made, told = distilled
    assert off(made.folder, "great-wave", photo) < 0.7 * off(START, "great-wave", photo)
    assert off(made.folder, START, photo) > 5
    losses = [each.losses["total"] for each in told]
    assert [each.step for each in told] == list(range(1, 81))
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_the_difference_that_is_told_is_that_of_photographs_it_has_not_seen(distilled, photos):
    made, _ = distilled
    style = catalog.find(made.folder)
    training = style.card.training
    assert training.start == START
    assert training.photographs + 1 == len(list(photos.glob("*.jpg")))
    assert training.losses["levels"] == round(made.levels, 2)
    apart = images.read(sorted(photos.glob("*.jpg"))[-1])
    assert 0.3 * made.levels < off(made.folder, "great-wave", apart) < 3 * made.levels


def test_it_is_a_style_like_any_other(distilled, photo):
    made, _ = distilled
    style, wave = catalog.find(made.folder), catalog.find("great-wave")
    assert made.parameters == style.card.network.parameters < wave.card.network.parameters / 5
    assert style.card.name == "little-wave"
    assert style.card.artwork == wave.card.artwork
    assert style.card.distilled == Teacher("great-wave", wave.card.model.sha256)
    assert learnt_with(style) == learnt_with(wave)
    assert style.preview.is_file()
    blend = impasto.stylize(photo, f"{made.folder}:0.5,{START}:0.5").pixels
    assert blend.shape == photo.pixels.shape


def test_it_can_be_learnt_on_from(distilled, photos, tmp_path):
    made, told = distilled
    more, options = [], dataclasses.replace(QUICK, steps=4)
    on = distill(
        "great-wave", photos, tmp_path / "more", options=options, start=made.folder,
        on_progress=more.append,
    )  # fmt: skip
    assert more[0].losses["total"] < 0.8 * told[0].losses["total"]
    assert catalog.find(on.folder).card.training.start == "little-wave"


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(("learns", "stays"), [("painting", True), ("dots", False)])
def test_a_twin_that_learns_on_from_its_painting_stays_a_twin(
    learns, stays, apart, photos, painting, dots, tmp_path
):
    picture = Painting({"painting": painting, "dots": dots}[learns], name="own-tiny")
    place = tmp_path if apart else tmp_path / "own-tiny"
    own = catalog.find(train(painting, photos, tmp_path / "own", options=TINY, start="none"))
    options = DistillOptions(steps=2, batch=1, crop=64, network=TINY.network)
    made = distill(own, photos, tmp_path / "soft", options=options)
    train(picture, photos, place, options=dataclasses.replace(TINY, apart=apart), start=made.folder)
    twin = tmp_path / "own-tiny"
    teacher = Teacher("own", own.card.model.sha256) if stays else None
    assert catalog.find(twin).card.distilled == teacher
    assert catalog.twin(own) == (catalog.find(twin) if stays else None)


def test_a_twin_whose_card_is_damaged_can_be_learnt_on_from(painting, photos, tmp_path):
    options = DistillOptions(steps=2, batch=1, crop=64, network=TINY.network)
    made = distill("udnie", photos, tmp_path / "soft", options=options)
    (made.folder / "card.json").write_text("{")
    file = made.folder / "network.safetensors"
    twin = train(painting, photos, tmp_path / "more", options=TINY, start=file)
    assert catalog.find(twin).card.distilled is None


def test_the_same_seed_makes_the_same_network(photos, tmp_path):
    options = DistillOptions(steps=4, batch=1, crop=64, held_out=0)
    one, other = (distill("udnie", photos, tmp_path / n, options=options) for n in ("one", "two"))
    assert one.levels == other.levels > 0
    sums = [catalog.find(made.folder).card.model.sha256 for made in (one, other)]
    assert sums[0] == sums[1]


def test_a_blend_is_learnt_by_any_network(photos, tmp_path):
    options = DistillOptions(
        steps=2, batch=1, crop=64, network=NetworkOptions(design="johnson", width=4, blocks=1)
    )
    blend = "great-wave:0.5,udnie:0.5"
    made = distill(blend, photos, tmp_path / "both", options=options, title="Both")
    card = json.loads((made.folder / "card.json").read_text())
    assert (card["title"], card["network"]["design"]) == ("Both", "johnson")
    assert "Hokusai" in card["artwork"]["artist"]
    assert "Picabia" in card["artwork"]["artist"]


def stopped(photos, folder, steps, **more):
    """A training that was cancelled in its step ``steps``."""
    cancel = CancelToken()

    def stop(progress):
        if progress.step == steps:
            cancel.cancel()

    with pytest.raises(Cancelled):
        distill("udnie", photos, folder, on_progress=stop, cancel=cancel, **more)


@pytest.mark.usefixtures("unpublished")
def test_a_stopped_one_goes_on_and_learns_the_same(photos, tmp_path):
    options = dataclasses.replace(QUICK, steps=6, save_every=100)
    stopped(photos, tmp_path / "one", 3, options=options)
    steps = []
    broken = distill("udnie", photos, tmp_path / "one", options=options, on_progress=steps.append)
    assert [each.step for each in steps] == [5, 6]
    whole = distill("udnie", photos, tmp_path / "two", options=options)
    assert broken.levels == whole.levels
    one, two = (kept_steps.paths(each.folder / "training")[-1] for each in (broken, whole))
    assert one.name == two.name == "step-0000006.safetensors"
    tensors = load_file(two)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in load_file(one).items())


@pytest.mark.usefixtures("unpublished")
def test_more_steps_go_on_from_the_end(photos, tmp_path):
    options, told = dataclasses.replace(QUICK, steps=2), []
    distill("udnie", photos, tmp_path / "one", options=options)
    (tmp_path / "one" / "card.json").write_text("{}")  # as a finished style has one
    more = dataclasses.replace(options, steps=4)
    distill("udnie", photos, tmp_path / "one", options=more, on_progress=told.append)
    assert [each.step for each in told] == [3, 4]
    with pytest.raises(OutputError, match="there already"):
        distill("udnie", photos, tmp_path / "one", options=more)


def test_a_stopped_one_of_another_style_is_not_gone_on_with(photos, tmp_path):
    options = dataclasses.replace(QUICK, steps=3)
    stopped(photos, tmp_path / "one", 1, options=options)
    with pytest.raises(TrainingError, match=r"style was \w+, is \w+ - .*--restart"):
        distill("mondrian", photos, tmp_path / "one", options=options)
    made = distill("mondrian", photos, tmp_path / "one", options=options, restart=True)
    assert catalog.find(made.folder).card.distilled.style == "mondrian"


def test_what_replaces_a_style_begins_anew_and_goes_on_when_it_was_stopped(photos, tmp_path):
    options, folder, told = dataclasses.replace(QUICK, steps=3), tmp_path / "one", []
    distill("mondrian", photos, folder, options=options)
    stopped(photos, folder, 1, options=options, overwrite=True, restart=True)
    assert catalog.find(folder).card.distilled.style == "mondrian"
    distill("udnie", photos, folder, options=options, overwrite=True, on_progress=told.append)
    assert [each.step for each in told] == [3]
    assert catalog.find(folder).card.distilled.style == "udnie"


def test_a_loss_that_is_no_number_stops_it(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "impasto.studio.training.distill.distance", lambda one, _: one.sum() * float("nan")
    )
    with pytest.raises(TrainingError, match="total loss stopped being a number at step 1"):
        distill("udnie", photos, tmp_path / "none", options=QUICK)
    assert not (tmp_path / "none" / "card.json").exists()


def test_a_device_that_is_not_there_is_said(photos, tmp_path):
    options = dataclasses.replace(QUICK, device="mps")
    with pytest.raises(DeviceError, match="no mps device"):
        distill("udnie", photos, tmp_path / "none", options=options)


def test_what_cannot_be_done_is_said_before_the_work(distilled, photos, tmp_path):
    made, _ = distilled
    with pytest.raises(OutputError, match="there already"):
        distill("udnie", photos, made.folder, options=QUICK)
    with pytest.raises(OptionError, match="replace the style itself"):
        distill(made.folder, photos, made.folder, options=QUICK, overwrite=True)
    with pytest.raises(OptionError, match="replace the style itself"):
        distill(made.folder, photos, made.folder, options=QUICK, restart=True)
    with pytest.raises(OptionError, match="network of --start") as raised:
        distill("udnie", photos, tmp_path / "x", options=QUICK, start="starry-night")
    assert "--tier light" in raised.value.hint
    with pytest.raises(OptionError, match="name of a style"):
        distill("udnie", photos, "No Name", options=QUICK)
    with pytest.raises(TrainingError, match="not a folder"):
        distill("udnie", tmp_path / "nowhere", tmp_path / "x", options=QUICK)
    with pytest.raises(OptionError, match="multiple of 8"):
        distill("udnie", photos, tmp_path / "x", options=DistillOptions(crop=100))


def test_marks_in_another_place_count_less_than_marks_that_fade():
    noise = torch.randn(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    wanted, moved = (0.5 + noise / 10).unbind()
    assert distance(wanted, wanted) == 0
    assert F.l1_loss(moved, wanted) > F.l1_loss(torch.full_like(wanted, 0.5), wanted)
    assert distance(moved, wanted) < distance(torch.full_like(wanted, 0.5), wanted)


def test_every_other_photograph_has_grain_and_for_a_calm_network_that_alone_gets_it():
    photographs = torch.full((3, 3, 64, 64), 0.5)
    ground, taught = _grounds(photographs, DistillOptions(grain=6), first=3)
    assert torch.equal(ground, taught)
    first, second, third = ground
    for plain in (first, third):
        assert plain.unique().tolist() == pytest.approx([128 / 255])
    assert second.std().item() * 255 == pytest.approx(6, rel=0.1)
    calm, clean = _grounds(photographs, DistillOptions(grain=6, calm=True), first=3)
    assert torch.equal(calm, ground)
    assert clean.unique().tolist() == pytest.approx([128 / 255])


def test_noise_changes_the_paintings_of_a_calm_network_less(photos, photo, tmp_path):
    def restless(calm):
        options = dataclasses.replace(QUICK, steps=160, grain=40, calm=calm)
        made = distill("great-wave", photos, tmp_path / f"calm-{calm}".lower(), options=options)
        plain, noisy = (impasto.stylize(photo, made.folder, grain=grain) for grain in (0, 40))
        return np.abs(np.float32(plain.pixels) - noisy.pixels).mean()

    assert restless(calm=True) < 0.95 * restless(calm=False)

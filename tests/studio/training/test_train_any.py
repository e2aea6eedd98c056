"""A hypernetwork learns from folders of pictures: real steps, real files, tiny networks."""

import shutil
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import learning_any
from impasto import images
from impasto.catalog.hypernetwork import Learnt
from impasto.errors import Cancelled, OptionError, OutputError, TrainingError
from impasto.options import HypernetworkOptions
from impasto.progress import CancelToken
from impasto.studio import hypernetwork as hypernetworks
from impasto.studio import loss_curves
from impasto.studio.perceptual import loading
from impasto.studio.training import train_any as module
from impasto.studio.training.train_any import train_any
from learning import same, steps, weights
from learning_any import NETWORK, SHAPE, TINY


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    return learning_any.paintings(tmp_path_factory.mktemp("paintings"))


load = cache(loading.load)
"""The loss network, once for all trainings."""


@pytest.fixture(autouse=True)
def unwritten(monkeypatch):
    """An export takes longer than a small training, and so does a drawing; what is to be written
    is kept."""
    return _quick(monkeypatch)


def _quick(patch):
    kept = []
    patch.setattr(loading, "load", load)
    patch.setattr(module, "write_hypernetwork", lambda *given: kept.append(given))
    patch.setattr(loss_curves, "png", lambda *_, **__: b"")
    return kept


@pytest.fixture(scope="module")
def learnt(paintings, photos, tmp_path_factory):
    """A whole training, what was told on the way, and what was to be written."""
    folder, told = tmp_path_factory.mktemp("learnt") / "mine", []
    with pytest.MonkeyPatch.context() as patch:
        given = _quick(patch)
        taught = train_any(paintings, photos, folder, options=TINY, on_progress=told.append)
    return taught, told, given


@pytest.fixture
def again(learnt, tmp_path):
    """The folder of that training, to go on in."""
    return shutil.copytree(learnt[0].folder, tmp_path / "again")


def test_it_learns_and_keeps_what_it_learnt(learnt):
    taught, told, given = learnt
    assert (taught.steps, [each.step for each in told if not each.note]) == (4, [1, 2, 3, 4])
    assert [each["step"] for each in steps(taught.folder)] == [1, 2, 3, 4]
    ((folder, made, about),) = given
    assert (folder, about.steps, about.pairs) == (taught.folder, 4, 8)
    assert (about.paintings, about.photographs) == (10, 11)
    file = hypernetworks.read(taught.folder / "any.safetensors")
    for name, each in made.state_dict().items():
        assert torch.allclose(each, file.state_dict()[name], rtol=1e-3, atol=1e-3), name
    assert (file.options, file.network) == (SHAPE, NETWORK)


def test_held_out_pairs_are_measured_and_told(learnt):
    taught, told, _ = learnt
    notes = [each.note for each in told if each.note.startswith("held-out")]
    assert len(notes) == 2  # with each checkpoint
    assert notes[-1] == f"held-out paintings: {taught.held}"
    assert taught.held.style > 0
    assert taught.held.content > 0
    assert -1 <= taught.held.tone <= 1
    validated = [each["validation"] for each in steps(taught.folder) if "validation" in each]
    expected = taught.held.content + 20 * taught.held.style + 2 * (1 - taught.held.tone)
    assert validated[-1] == pytest.approx(expected, rel=1e-5)


def test_a_sample_shows_unseen_paintings_beside_what_is_painted(learnt):
    sample = images.read(learnt[0].folder / "training" / "sample-0000004.png").pixels
    assert sample.shape == (2 * 64, 2 * 64, 3)
    corner, photograph, painting, made = (
        sample[y : y + 64, x : x + 64] for y in (0, 64) for x in (0, 64)
    )
    assert corner.min() == 255
    assert len(np.unique(painting[16:-16, 16:-16].reshape(-1, 3), axis=0)) > 1
    assert not np.array_equal(photograph, made)


def test_all_parts_are_learnt(learnt):
    folder = learnt[0].folder / "training"
    first, last = (load_file(folder / f"step-000000{step}.safetensors") for step in (2, 4))
    fixed = "mean", "deviation", "scales"
    for name, each in last.items():
        if name.startswith("network.learning."):
            stays = name.split(".")[-1] in fixed or "components" in name
            assert torch.equal(each, first[name]) == stays, name
    momentum = last["optimiser.learning.decoder.directions.shapes/0/first/weight.momentum"]
    assert momentum.shape == (2, 16, 16, 3, 3)


def test_a_stopped_training_ends_as_one_that_was_not(learnt, paintings, photos, tmp_path):
    cancel = CancelToken()

    def stop(progress):
        if progress.step == 2 and not progress.note:  # seen after the next one
            cancel.cancel()

    folder = tmp_path / "mine"
    with pytest.raises(Cancelled):
        train_any(paintings, photos, folder, options=TINY, on_progress=stop, cancel=cancel)
    told = []
    train_any(paintings, photos, folder, options=TINY, on_progress=told.append)
    assert [each.step for each in told if not each.note] == [4]
    assert not [each.note for each in told if "reading" in each.note]
    assert same(weights(folder), weights(learnt[0].folder))
    mine, theirs = (path / "any.safetensors" for path in (folder, learnt[0].folder))
    assert mine.read_bytes() == theirs.read_bytes()


def test_a_damaged_checkpoint_is_skipped(learnt, again, paintings, photos):
    path = again / "training" / "step-0000004.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    told = []
    train_any(paintings, photos, again, options=TINY, on_progress=told.append)
    assert any("learning goes on from step 2" in each.note for each in told)
    assert same(weights(again), weights(learnt[0].folder))


def test_more_steps_go_on_and_other_options_do_not(again, paintings, photos, tmp_path):
    told = []
    more = replace(TINY, steps=5)
    train_any(paintings, photos, again, options=more, on_progress=told.append)
    assert [each.step for each in told if not each.note] == [5]
    with pytest.raises(TrainingError, match="tone weight was 2.0, is 1.0"):
        train_any(paintings, photos, again, options=replace(more, tone_weight=1.0))
    other = learning_any.paintings(tmp_path, 12)
    with pytest.raises(TrainingError, match="pictures was .*, is"):
        train_any(other, photos, again, options=more)
    train_any(other, photos, again, options=replace(TINY, steps=1), restart=True)
    assert [each["step"] for each in steps(again)] == [1]


def test_what_is_there_is_not_replaced_unasked(paintings, photos, tmp_path):
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(OutputError, match="--restart replaces it"):
        train_any(paintings, photos, tmp_path, options=replace(TINY, steps=1))


def test_pictures_in_the_folder_itself_are_not_learnt_from(photos, tmp_path, unwritten):
    folder = learning_any.paintings(tmp_path)
    (folder / "mine").mkdir()
    shutil.copy(folder / "00.png", folder / "mine" / "sample.png")
    train_any(folder, photos, folder / "mine", options=replace(TINY, steps=1))
    assert unwritten[-1][2].paintings == 10


def test_a_folder_without_pictures_is_said(photos, tmp_path):
    with pytest.raises(OptionError, match="there are no pictures"):
        train_any(tmp_path, photos, tmp_path / "mine", options=TINY)


def test_few_pictures_leave_nothing_to_measure(photos, tmp_path, unwritten):
    few = learning_any.paintings(tmp_path, 2)
    taught = train_any(few, photos, tmp_path / "mine", options=replace(TINY, steps=1))
    assert taught.held is None
    assert "validation" not in steps(taught.folder)[0]
    assert unwritten[0][2].paintings == 2


def test_it_learns_on_from_a_start(learnt, paintings, photos, tmp_path, unwritten, monkeypatch):
    """The file holds the average, which is not what the training began with."""
    start, once = learnt[0].folder / "any.safetensors", replace(TINY, steps=1)
    monkeypatch.setattr(module.start_any, "learnt", lambda _: Learnt(steps=4, pairs=8))
    train_any(paintings, photos, tmp_path, options=once, start=start)
    ours, first = steps(tmp_path)[0]["total"], steps(learnt[0].folder)[0]["total"]
    assert ours != pytest.approx(first, rel=1e-4)
    began = hypernetworks.read(start)
    expected = began.encoder.mean
    assert torch.equal(weights(tmp_path)[1]["network.learning.encoder.mean"], expected)
    assert (unwritten[0][2].steps, unwritten[0][2].pairs) == (5, 10)


def test_a_start_in_its_own_folder_is_kept_when_it_begins_anew(again, paintings, photos):
    folder, once = again, replace(TINY, steps=1)
    start = folder / "training" / "step-0000004.safetensors"
    train_any(paintings, photos, folder, options=once, start=start, restart=True)
    first = steps(folder)[0]["total"]
    told = []
    train_any(
        paintings, photos, folder, options=replace(once, steps=2), start=start,
        on_progress=told.append,
    )  # fmt: skip
    assert steps(folder)[0]["total"] == first
    assert [each.step for each in told if not each.note] == [2]


def test_options_of_another_shape_than_the_start_are_refused(learnt, paintings, photos, tmp_path):
    options = replace(TINY, hypernetwork=HypernetworkOptions(components=2))
    start = learnt[0].folder / "any.safetensors"
    with pytest.raises(OptionError, match="the hypernetwork of --start has another shape"):
        train_any(paintings, photos, tmp_path / "a", options=options, start=start)


def test_a_gradient_that_is_no_number_ends_it_and_keeps_what_was_learnt(
    paintings, photos, tmp_path
):
    options = replace(TINY, learning_rate=1.0, style_weight=1e38, steps=3)
    with pytest.raises(TrainingError, match="stopped being a number"):
        train_any(paintings, photos, tmp_path / "a", options=options)

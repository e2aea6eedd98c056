"""Where checkpoints lie: which is gone on from, which are dropped, what is skipped and said."""

import os

import pytest

import spoiled
from impasto.errors import TrainingError
from impasto.files import kept_steps
from impasto.studio.training import checkpoint_file, checkpoints
from impasto.studio.training.checkpoint import Training
from spoiled import TRAINING, learnt

HOSTILE = spoiled.checkpoints()


@pytest.fixture(scope="module")
def whole():
    return checkpoint_file.encode(learnt(step=4))


def test_the_last_two_are_kept(tmp_path):
    for step in (2, 4, 6):
        checkpoints.save(tmp_path, learnt(step=step))
    assert [path.name for path in kept_steps.paths(tmp_path)] == [
        "step-0000004.safetensors",
        "step-0000006.safetensors",
    ]
    latest = checkpoints.latest(tmp_path, TRAINING)
    assert (latest.checkpoint.step, latest.skipped) == (6, ())
    assert kept_steps.steps(tmp_path) == 6


@pytest.mark.parametrize("what", HOSTILE)
def test_the_newest_that_is_damaged_is_skipped_and_said(what, whole, tmp_path):
    (tmp_path / "step-0000004.safetensors").write_bytes(whole)
    newest = tmp_path / "step-0000006.safetensors"
    newest.write_bytes(HOSTILE[what])
    latest = checkpoints.latest(tmp_path, TRAINING)
    assert latest.checkpoint.step == 4
    assert len(latest.skipped) == 1
    assert latest.skipped[0].startswith(f"{newest} is not a whole checkpoint: ")


def test_pipes_links_and_folders_are_skipped_and_said(whole, tmp_path):
    (tmp_path / "step-0000004.safetensors").write_bytes(whole)
    os.mkfifo(tmp_path / "step-0000005.safetensors")
    (tmp_path / "step-0000006.safetensors").symlink_to("step-0000006.safetensors")
    (tmp_path / "step-0000007.safetensors").symlink_to("step-0000004.safetensors")
    (tmp_path / "step-0000008.safetensors").mkdir()
    latest = checkpoints.latest(tmp_path, TRAINING)
    assert (latest.checkpoint.step, len(latest.skipped)) == (4, 4)


def test_names_that_no_training_writes_are_none_of_it(whole, tmp_path):
    for name in ("step-x", "step-٠٠٠٠٠٠٩", "step-9", f"step-{'9' * 40}", "step--000004"):
        (tmp_path / f"{name}.safetensors").write_bytes(whole)
    assert kept_steps.paths(tmp_path) == []
    assert kept_steps.steps(tmp_path) == 0


def test_what_is_written_is_not_dropped_for_what_is_damaged(tmp_path):
    """Two of later steps that a crash has damaged make room, not the one that is whole."""
    for step in (6, 8):
        (tmp_path / f"step-{step:07}.safetensors").write_bytes(b"damaged")
    assert checkpoints.latest(tmp_path, TRAINING).checkpoint is None
    path = checkpoints.save(tmp_path, learnt(step=2))
    assert kept_steps.paths(tmp_path) == [path]
    assert checkpoints.latest(tmp_path, TRAINING).checkpoint.step == 2


def test_a_newer_format_is_refused_even_where_an_older_checkpoint_is_there(whole, tmp_path):
    (tmp_path / "step-0000004.safetensors").write_bytes(whole)
    (tmp_path / "step-0000006.safetensors").write_bytes(spoiled.resealed(whole, format="3"))
    with pytest.raises(TrainingError, match="newer impasto"):
        checkpoints.latest(tmp_path, Training({}, []))


def test_a_checkpoint_that_a_person_names_may_be_a_link(whole, tmp_path):
    (tmp_path / "real.safetensors").write_bytes(whole)
    link = tmp_path / "link.safetensors"
    link.symlink_to("real.safetensors")
    assert checkpoint_file.read(checkpoints.find(link)).step == 4

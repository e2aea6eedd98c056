"""Trainings that were stopped, killed or damaged, and go on; nothing is exported."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys

import pytest

import spoiled
from impasto.errors import Cancelled, TrainingError
from impasto.files import kept_steps
from impasto.progress import CancelToken
from impasto.studio.perceptual.losses import TOTAL_VARIATIONS
from impasto.studio.training import checkpoint_file, checkpoints
from impasto.studio.training.train import train
from learning import TINY, same, steps, weights

pytestmark = pytest.mark.usefixtures("unpublished")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, painting, photos):
    """A training that nobody has stopped."""
    folder = tmp_path_factory.mktemp("out") / "strokes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("impasto.studio.training.train.publish", lambda *_: None)
        return train(painting, photos, folder, options=TINY)


def test_stopped_and_gone_on_equals_unbroken(trained, tmp_path, painting, photos):
    cancel = CancelToken()

    def stop(progress):
        if progress.step == 3:
            cancel.cancel()
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        train(painting, photos, tmp_path / "strokes", options=TINY, on_progress=stop)
    folder = train(painting, photos, tmp_path / "strokes", options=TINY)
    assert same(weights(folder), weights(trained))
    assert [line["step"] for line in steps(folder)] == [1, 2, 3, 4, 5, 6]


def test_divisors_of_a_balance_are_the_same_when_it_goes_on(tmp_path, painting, photos):
    loss = dataclasses.replace(TINY.loss, balance="initial")
    options = dataclasses.replace(TINY, loss=loss, save_every=1)
    unbroken = train(painting, photos, tmp_path / "whole" / "s", options=options)
    broken = interrupted(unbroken, tmp_path / "broken" / "s")
    train(painting, photos, broken, options=options)
    assert same(weights(broken), weights(unbroken))
    assert steps(broken)[-1]["total"] == steps(unbroken)[-1]["total"]


@pytest.mark.parametrize("restart", [False, True])
def test_two_do_not_learn_in_one_folder(restart, trained, tmp_path, painting, photos):
    folder = shutil.copytree(trained, tmp_path / "strokes")
    before = {path: path.read_bytes() for path in (folder / "training").iterdir()}
    longer = dataclasses.replace(TINY, steps=8)
    with (
        kept_steps.alone(folder / "training"),
        pytest.raises(TrainingError, match="another process is learning in") as raised,
    ):
        train(painting, photos, folder, options=longer, restart=restart)
    assert raised.value.hint == "wait for that one, or name another style with -o"
    assert {path: path.read_bytes() for path in (folder / "training").iterdir()} == before
    train(painting, photos, folder, options=longer, restart=restart)
    assert steps(folder)[-1]["step"] == 8


KILLED = """
import sys, torch
torch.set_num_threads(1)
from impasto.options import NetworkOptions, TrainOptions
from impasto.studio.training.train import train
options = TrainOptions(steps=6, batch=1, crop=64, style_size=64, save_every=2,
                       network=NetworkOptions(width=4, blocks=2))
train(sys.argv[1], sys.argv[2], sys.argv[3], options=options,
      on_progress=lambda p: print(p.step, flush=True))
"""


def test_killed_and_gone_on_equals_unbroken(trained, tmp_path, painting, photos):
    command = [sys.executable, "-c", KILLED, painting, photos, tmp_path / "strokes"]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.strip() == "3":
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "strokes" / "card.json").exists()
    folder = train(painting, photos, tmp_path / "strokes", options=TINY)
    assert same(weights(folder), weights(trained))


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(
    trained, tmp_path, painting, photos
):
    folder = tmp_path / "strokes"
    work = folder / "training"
    work.mkdir(parents=True)
    for path in (trained / "training").iterdir():
        (work / path.name).write_bytes(path.read_bytes())
    before, newest = sorted(work.glob("step-*"))
    newest.write_bytes(newest.read_bytes()[:-100])
    training, notes = checkpoint_file.read(before).training, []
    assert checkpoints.latest(work, training).checkpoint.step == 4
    train(painting, photos, folder, options=TINY, on_progress=lambda p: notes.append(p.note))
    assert notes[0].startswith(f"{newest} is not a whole checkpoint")
    assert notes[0].endswith("learning goes on from step 4")
    assert same(weights(folder), weights(trained))


def test_other_options_do_not_go_on_unasked(trained, tmp_path, painting, photos):
    folder = tmp_path / "strokes"
    (folder / "training").mkdir(parents=True)
    name, _ = weights(trained)
    (folder / "training" / name).write_bytes((trained / "training" / name).read_bytes())
    loss = dataclasses.replace(TINY.loss, style_weight=7.0)
    other = dataclasses.replace(TINY, loss=loss)
    with pytest.raises(TrainingError, match=r"style weight was 20\.0, is 7\.0 - .*--restart"):
        train(painting, photos, folder, options=other)
    train(painting, photos, folder, options=other, restart=True)


def interrupted(trained, folder):
    """A copy of a training as it was after step 4."""
    work = shutil.copytree(trained / "training", folder / "training")
    sorted(work.glob("step-*"))[-1].unlink()
    return folder


def test_another_start_or_other_photographs_do_not_go_on_unasked(
    trained, tmp_path, painting, photos
):
    folder, start = (
        interrupted(trained, tmp_path / "strokes"),
        trained / "training" / "step-0000004.safetensors",
    )
    with pytest.raises(TrainingError, match=r"start was none, is strokes \(\w+\) - .*--restart"):
        train(painting, photos, folder, options=TINY, start=start)
    others = shutil.copytree(photos, tmp_path / "others")
    shutil.copy(photos / "01.jpg", others / "00.jpg")
    with pytest.raises(TrainingError, match=r"photographs was \w+, is \w+ - .*--restart"):
        train(painting, others, folder, options=TINY)
    moved = shutil.copytree(photos, tmp_path / "moved")
    train(painting, moved, folder, options=dataclasses.replace(TINY, tensorboard=True))
    assert same(weights(folder), weights(trained))


def test_a_checkpoint_that_knows_no_sources_goes_on(trained, tmp_path, painting, photos):
    folder = interrupted(trained, tmp_path / "strokes")
    (path,) = (folder / "training").glob("step-*")
    path.write_bytes(spoiled.unsealed(path.read_bytes(), sources=None))
    train(painting, photos, folder, options=TINY)
    assert same(weights(folder), weights(trained))


def test_a_checkpoint_that_calls_options_as_they_were_called_goes_on(
    trained, tmp_path, painting, photos
):
    folder = interrupted(trained, tmp_path / "strokes")
    (path,) = (folder / "training").glob("step-*")
    now = checkpoint_file.read(path).training
    options = json.loads(json.dumps(now.options))
    options["strength"] = options.pop("learn_strength")
    for old in ("network", "scale"):
        options["loss"][old] = options["loss"].pop(f"loss_{old}")
    path.write_bytes(spoiled.unsealed(path.read_bytes(), options=json.dumps(options)))
    assert checkpoint_file.read(path).training == now
    train(painting, photos, folder, options=TINY)
    assert same(weights(folder), weights(trained))


def test_what_is_said_after_such_a_loss_can_be_done(tmp_path, painting, photos, monkeypatch):
    folder = tmp_path / "s"
    with monkeypatch.context() as broken:
        real, calls = TOTAL_VARIATIONS["anisotropic"], iter([1.0, 1.0, 1.0, float("nan")])
        broken.setitem(TOTAL_VARIATIONS, "anisotropic", lambda x: real(x) * next(calls))
        with pytest.raises(TrainingError) as stopped:
            train(painting, photos, folder, options=TINY)
    start = folder / "training" / "step-0000002.safetensors"
    assert f"--start {start} --restart and a lower --learning-rate" in stopped.value.hint
    began = start.read_bytes()
    slower = dataclasses.replace(TINY, learning_rate=TINY.learning_rate / 2)
    cancel = CancelToken()
    on_progress = {3: cancel.cancel}
    with pytest.raises(Cancelled):
        train(
            painting, photos, folder, options=slower, start=start, restart=True, cancel=cancel,
            on_progress=lambda p: on_progress.get(p.step, int)(),
        )  # fmt: skip
    assert (folder / "training" / "start.safetensors").read_bytes() == began
    train(painting, photos, folder, options=slower, start=start)  # goes on
    assert [line["step"] for line in steps(folder)] == [1, 2, 3, 4, 5, 6]


def test_more_steps_go_on_from_the_end_and_fewer_are_refused(trained, tmp_path, painting, photos):
    folder, told = tmp_path / "strokes", []
    shutil.copytree(trained / "training", folder / "training")
    more = dataclasses.replace(TINY, steps=8)
    train(painting, photos, folder, options=more, on_progress=lambda p: told.append(p.step))
    assert told == [7, 8]
    assert weights(folder)[0] == "step-0000008.safetensors"
    assert [line["step"] for line in steps(folder)] == list(range(1, 9))
    assert checkpoint_file.read(kept_steps.paths(folder / "training")[-1]).step == 8
    with pytest.raises(TrainingError, match="taken 8 steps already, more than 6 - .*--restart"):
        train(painting, photos, folder, options=TINY)


def test_a_training_without_a_whole_checkpoint_begins_anew_and_says_so(
    trained, tmp_path, painting, photos
):
    folder, notes = tmp_path / "strokes", []
    work = shutil.copytree(trained / "training", folder / "training")
    for path in kept_steps.paths(work):
        path.write_bytes(path.read_bytes()[:1000])
    train(painting, photos, folder, options=TINY, on_progress=lambda p: notes.append(p.note))
    assert [note.endswith("learning begins anew") for note in notes[:3]] == [True, True, False]
    assert same(weights(folder), weights(trained))

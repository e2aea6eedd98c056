"""The loop that trainings share: batches come in their order, made one ahead."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from impasto.errors import Cancelled, MissingExtraError, TrainingError
from impasto.files import kept_steps
from impasto.progress import CancelToken
from impasto.studio.perceptual.losses import TOTAL_VARIATIONS
from impasto.studio.training import train as training
from impasto.studio.training.loop import prefetched
from impasto.studio.training.train import train
from learning import TINY, weights
from running import run


def test_the_next_batch_is_made_while_this_one_is_used():
    made, second = [], threading.Event()

    def fetch(number):
        made.append(number)
        if number == 1:
            second.set()
        return number * 10

    batches = prefetched(fetch, range(4))
    assert next(batches) == 0
    assert second.wait(5), "nobody has asked for the second batch yet"
    assert made == [0, 1]
    assert list(batches) == [10, 20, 30]


def test_none_is_made_once_nobody_takes_any_more():
    made = []
    batches = prefetched(lambda number: made.append(number) or number, range(9))
    next(batches)
    batches.close()
    assert made == [0, 1]


def test_what_goes_wrong_is_told_with_its_own_batch():
    def fetch(number):
        if number == 1:
            raise ValueError("no photograph")
        return number

    batches = prefetched(fetch, range(3))
    assert next(batches) == 0
    with pytest.raises(ValueError, match="no photograph"):
        next(batches)


def test_a_cancelled_training_saves_at_once(tmp_path, painting, photos):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        train(painting, photos, tmp_path / "s", options=TINY, cancel=cancel)
    assert weights(tmp_path / "s")[0] == "step-0000001.safetensors"


def test_ctrl_c_at_the_command_line_saves_and_ends_with_130(tmp_path, painting, photos):
    command = [
        sys.executable, "-m", "impasto", "train", painting, photos, "-o", tmp_path / "s",
        "--steps", "100000", "--crop", "64", "--style-size", "64", "--width", "4",
    ]  # fmt: skip
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, env=os.environ)
    log = tmp_path / "s" / "training" / "losses.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert b"the same command goes on from here" in said
    assert list((tmp_path / "s" / "training").glob("step-*.safetensors"))


def test_a_loss_that_is_no_number_stops_the_training(tmp_path, painting, photos, monkeypatch):
    real = TOTAL_VARIATIONS["anisotropic"]
    calls = iter([1.0, 1.0, 1.0, 1.0, float("nan")])  # the third validates
    monkeypatch.setitem(TOTAL_VARIATIONS, "anisotropic", lambda x: real(x) * next(calls))
    with pytest.raises(TrainingError, match=r"total and tv loss stopped being a number at step 4"):
        train(painting, photos, tmp_path / "s", options=TINY)
    assert weights(tmp_path / "s")[0] == "step-0000002.safetensors"


@pytest.mark.parametrize("weight", ["style_weight", "tv_weight", "content_weight"])
def test_weights_that_numbers_do_not_hold_are_said_and_nothing_is_learnt_of_them(
    weight, tmp_path, painting, photos
):
    """Whether the loss is infinite, or only its gradient."""
    loss = dataclasses.replace(TINY.loss, **{weight: 1e38})
    options = dataclasses.replace(TINY, loss=loss, save_every=1, held_out=0)
    with pytest.raises(TrainingError, match="stopped being a number at step 1 - use smaller"):
        train(painting, photos, tmp_path / "s", options=options)
    assert kept_steps.paths(tmp_path / "s" / "training") == []


def test_ctrl_c_while_the_style_is_written_ends_with_130(tmp_path, painting, photos, monkeypatch):
    """All is written, and progress was told by lines."""

    def interrupted(*arguments, real=training.publish):
        os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(training, "publish", interrupted)
    small = "--steps", "2", "--crop", "64", "--style-size", "64", "--width", "4", "--held-out", "0"
    done = run("train", painting, photos, "-o", tmp_path / "s", *small, text=True)
    assert done.returncode == 130, done.stderr
    assert (tmp_path / "s" / "card.json").is_file()
    assert "learning 1 of 2  total " in done.stderr
    assert "learning 2 of 2  total " in done.stderr
    assert "the same command goes on from here" in done.stderr


def test_without_tensorboard_the_extra_is_named(tmp_path, painting, photos, monkeypatch):
    for name in ("tensorboard", "tensorboardX"):
        monkeypatch.setitem(sys.modules, name, None)
    options = dataclasses.replace(TINY, tensorboard=True)
    with pytest.raises(MissingExtraError, match=r"impasto\[tensorboard\]"):
        train(painting, photos, tmp_path / "s", options=options)
    assert not (tmp_path / "s").exists()

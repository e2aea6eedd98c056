import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import impasto
import spoiled
from impasto import catalog, images
from impasto.errors import Cancelled, OptionError, OutputError, PictureError, TrainingError
from impasto.options import NetworkOptions, TrainOptions
from impasto.progress import CancelToken
from impasto.studio import loss_curves
from impasto.studio.perceptual.losses import TOTAL_VARIATIONS
from impasto.studio.perceptual.objective import KINDS
from impasto.studio.training import checkpoint_file, checkpoints
from impasto.studio.training.log import Log
from impasto.studio.training.paintings import Painting
from impasto.studio.training.schedule import schedule
from impasto.studio.training.train import train

TINY = TrainOptions(
    steps=6,
    batch=1,
    crop=64,
    style_size=64,
    save_every=2,
    network=NetworkOptions(width=4, blocks=2),
)


@pytest.fixture(autouse=True)
def one_thread():
    """The same sums in the same order: runs can be compared bit by bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights(folder):
    newest = sorted((folder / "training").glob("step-*.safetensors"))[-1]
    return newest.name, load_file(newest)


def steps(folder):
    text = (folder / "training" / "losses.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def same(one, other):
    return one[0] == other[0] and all(torch.equal(one[1][k], other[1][k]) for k in one[1])


@pytest.fixture(scope="module")
def trained(tmp_path_factory, painting, photos):
    torch.set_num_threads(1)
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


def test_losses_and_samples_can_be_looked_at_meanwhile(trained, tmp_path):
    lines = steps(trained)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all(np.isfinite(line["total"]) for line in lines)
    sample = images.read(trained / "training" / "sample-0000006.png")
    assert (sample.width, sample.height) == (64, 128)
    assert images.read(trained / "training" / "losses.png").width > 500
    log = Log(tmp_path / "losses.jsonl", 0, here=False)
    for step in range(1, 301):
        log.append(step, dict.fromkeys(KINDS, step))
    means = log.curves()
    assert (list(means)[::99], means[3]["total"]) == ([3, 300], 2)
    axes = loss_curves.plot(list(means.values()), "s", list(means)).axes[0]
    assert (axes.get_xlabel(), axes.lines[0].get_xdata()[-1]) == ("steps", 300)
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


@pytest.mark.usefixtures("unpublished")
def test_divisors_of_a_balance_are_the_same_when_it_goes_on(tmp_path, painting, photos):
    loss = dataclasses.replace(TINY.loss, balance="initial")
    options = dataclasses.replace(TINY, loss=loss, save_every=1)
    unbroken = train(painting, photos, tmp_path / "whole" / "s", options=options)
    broken = interrupted(unbroken, tmp_path / "broken" / "s")
    train(painting, photos, broken, options=options)
    assert same(weights(broken), weights(unbroken))
    assert steps(broken)[-1]["total"] == steps(unbroken)[-1]["total"]


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


def test_a_cancelled_training_saves_at_once(tmp_path, painting, photos):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        train(painting, photos, tmp_path / "s", options=TINY, cancel=cancel)
    assert weights(tmp_path / "s")[0] == "step-0000001.safetensors"


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


@pytest.mark.usefixtures("unpublished")
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


@pytest.mark.usefixtures("unpublished")
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


@pytest.mark.usefixtures("unpublished")
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


@pytest.mark.usefixtures("unpublished")
def test_another_start_or_other_photographs_do_not_go_on_unasked(
    trained, tmp_path, painting, photos
):
    folder, start = interrupted(trained, tmp_path / "strokes"), trained / "network.safetensors"
    with pytest.raises(TrainingError, match=r"start was none, is network \(\w+\) - .*--restart"):
        train(painting, photos, folder, options=TINY, start=start)
    others = shutil.copytree(photos, tmp_path / "others")
    shutil.copy(photos / "01.jpg", others / "00.jpg")
    with pytest.raises(TrainingError, match=r"photographs was \w+, is \w+ - .*--restart"):
        train(painting, others, folder, options=TINY)
    moved = shutil.copytree(photos, tmp_path / "moved")
    train(painting, moved, folder, options=dataclasses.replace(TINY, tensorboard=True))
    assert same(weights(folder), weights(trained))


@pytest.mark.usefixtures("unpublished")
def test_a_checkpoint_that_knows_no_sources_goes_on(trained, tmp_path, painting, photos):
    folder = interrupted(trained, tmp_path / "strokes")
    (path,) = (folder / "training").glob("step-*")
    path.write_bytes(spoiled.unsealed(path.read_bytes(), sources=None))
    train(painting, photos, folder, options=TINY)
    assert same(weights(folder), weights(trained))


@pytest.mark.usefixtures("unpublished")
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


def test_a_loss_that_is_no_number_stops_the_training(tmp_path, painting, photos, monkeypatch):
    real = TOTAL_VARIATIONS["anisotropic"]
    calls = iter([1.0, 1.0, 1.0, 1.0, float("nan")])  # the third validates
    monkeypatch.setitem(TOTAL_VARIATIONS, "anisotropic", lambda x: real(x) * next(calls))
    with pytest.raises(TrainingError, match=r"total and tv loss stopped being a number at step 4"):
        train(painting, photos, tmp_path / "s", options=TINY)
    assert weights(tmp_path / "s")[0] == "step-0000002.safetensors"


@pytest.mark.usefixtures("unpublished")
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


def test_a_damaged_log_is_read_as_far_as_it_goes(trained, tmp_path):
    path = tmp_path / "losses.jsonl"
    lines = (trained / "training" / "losses.jsonl").read_text().splitlines()
    path.write_bytes("\n".join([*lines[:3], lines[3][:40], *lines[4:]]).encode() + b"\xff")
    Log(path, 6, here=True).append(7, dict.fromkeys(KINDS, 1.0))
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3, 7]


def test_a_disk_that_refuses_the_log_is_said(tmp_path):
    log = Log(tmp_path / "losses.jsonl", 0, here=True)
    (tmp_path / "losses.jsonl").unlink()
    (tmp_path / "losses.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"losses\.jsonl cannot be written"):
        log.append(1, {})


def test_a_plain_name_is_a_style_of_the_users(user_styles, painting, photos):
    options = TrainOptions(**{**vars(TINY), "steps": 1})
    assert train(painting, photos, "mine", options=options) == user_styles / "mine"
    assert "mine" in impasto.styles()


def test_the_learning_rate_rises_and_falls():
    factors = [schedule(step, 100) for step in range(100)]
    assert factors[0] < factors[3] < 1
    assert max(factors) == pytest.approx(1, abs=0.01)
    assert factors[-1] == pytest.approx(0, abs=1e-6)
    assert all(a >= b for a, b in pairwise(factors[6:]))

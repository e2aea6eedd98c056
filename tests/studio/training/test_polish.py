"""Learning on from what the hypernetwork makes of a painting."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import impasto
from impasto import assets, catalog, images
from impasto.errors import OptionError, OutputError
from impasto.files import paths
from impasto.options import PolishOptions, StyleOptions
from impasto.progress import CancelToken
from impasto.studio.perceptual.objective import Losses
from impasto.studio.training import checkpoint_file, checkpoints, polish
from running import run

LOSS = torch.ones((), requires_grad=True)
SMALL = StyleOptions(style_size=64)
STEPS = 8


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Crops and paintings of few pixels: a step takes a hundredth of the time."""
    options = replace(polish._OPTIONS, crop=64, style_size=96)
    monkeypatch.setattr(polish, "_OPTIONS", options)
    torch.set_num_threads(1)


def polished(painting, folder, steps=STEPS, **more):
    return polish.polish(painting, folder, PolishOptions(polish=str(steps)), style=SMALL, **more)


@pytest.fixture(scope="module")
def once(painting, tmp_path_factory):
    """A style that was learnt on, whole, and how far it had come at each step."""
    steps = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polish, "_OPTIONS", replace(polish._OPTIONS, crop=64, style_size=96))
        folder = tmp_path_factory.mktemp("polished")
        done = polished(painting, folder, 12, on_progress=steps.append)
    return done, steps


def test_the_photographs_come_with_impasto():
    files = paths.pictures(assets.PHOTOGRAPHS)
    assert len(files) == 15
    assert all(min(images.read(path).pixels.shape[:2]) >= 448 for path in files)
    assert sum(path.stat().st_size for path in files) < 1_000_000


def test_it_comes_nearer_to_the_painting(once):
    done, steps = once
    assert done.after < done.before
    assert (done.checkpoint.step, done.stopped) == (12, False)
    assert [each.step for each in steps] == list(range(1, 13))
    assert {"total", "content", "style", "tv", "tone"} <= {*steps[-1].losses}


def test_what_comes_out_is_a_style_that_paints(once, painting, photo):
    style = once[0].style
    at_once = catalog.find(painting, SMALL)
    assert style.model() != at_once.model()
    own, before = (impasto.stylize(photo, each).pixels for each in (style, at_once))
    assert own.std() > 10
    assert np.abs(own.astype(int) - before).mean() > 1
    training = style.card.training
    assert (training.start, training.steps, training.photographs) == ("any", 12, 14)
    assert (training.loss.style_statistic, training.loss.tone_weight) == ("gram-covariance", 2.0)
    assert style.card.prediction == at_once.card.prediction


def test_the_network_that_is_written_is_the_one_that_was_learnt(once, photo):
    """Through the template, as through an export."""
    from impasto.inference.engine import OnnxEngine
    from impasto.studio.export.onnx import reference

    done, _ = once
    exact = reference(done.checkpoint.built(), photo.pixels) * 255
    painted = OnnxEngine(done.style.model(), device="cpu").paint(photo.pixels)
    assert np.abs(painted - exact).max() < 1.5


def test_boldness_is_a_weight_of_the_style(painting):
    bold = catalog.find(painting, StyleOptions(style_size=64, boldness=2))
    dataset = polish._photographs(PolishOptions(), [])
    lesson = polish._lesson(painting, bold, dataset, torch.device("cpu"))
    assert lesson.options.loss.style_weight == 2 * polish._LOSS.style_weight == 40


def test_stopped_it_keeps_the_best_so_far_and_goes_on(once, painting, tmp_path):
    cancel = CancelToken()

    def stop(progress):
        if progress.step == 4:
            cancel.cancel()

    stopped = polished(painting, tmp_path, 12, cancel=cancel, on_progress=stop)
    assert stopped.stopped
    assert stopped.after <= stopped.before
    rest = []
    done = polished(painting, tmp_path, 12, on_progress=rest.append)
    assert (rest[0].step, done.stopped) == (6, False)
    assert done.style.model() == once[0].style.model()


def test_what_got_worse_is_not_kept(painting, tmp_path, monkeypatch):
    losses = iter((1.0, 2.0))
    monkeypatch.setattr(polish.PaintingLesson, "validation", lambda *_: next(losses, 2.0))
    cancel = CancelToken()
    cancel.cancel()
    done = polished(painting, tmp_path, cancel=cancel)
    assert (done.before, done.after, done.checkpoint.step) == (1.0, 1.0, 0)
    assert done.style == catalog.find(painting, SMALL)


def test_saved_it_can_be_learnt_on_from(once, tmp_path):
    folder = polish.save(once[0], tmp_path / "strokes")
    assert catalog.find(folder).model() == once[0].style.model()
    learnt = checkpoint_file.read(checkpoints.find(folder))
    assert learnt.step == 12
    with pytest.raises(OutputError, match="is a style already"):
        polish.save(once[0], folder)
    polish.save(once[0], folder, overwrite=True)


def test_photographs_of_ones_own_are_learnt_with(photos):
    own = PolishOptions(polish="1", photos=str(photos))
    assert len(polish._photographs(own, [assets.demo_photo()])) == 15 + 12 + 1 - 1  # held out


def test_a_time_is_a_number_of_steps(painting, tmp_path, monkeypatch):
    clock = iter(np.arange(0, 100, 0.5))  # each look at the clock is half a second later
    monkeypatch.setattr(polish.time, "monotonic", lambda: next(clock))
    lesson = SimpleNamespace(fetch=lambda number: number, losses=lambda *_: Losses(LOSS, {}))
    network = torch.nn.Linear(1, 1)
    options = PolishOptions(polish="20s")
    assert polish._steps(options, network, lesson, tmp_path) == (20 - 2.5) / 0.5
    assert polish._steps(PolishOptions(polish="1s"), network, lesson, tmp_path) == 8
    assert network.weight.grad is None


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("200", (200, 0)), ("60s", (0, 60)), ("1.5m", (0, 90)), ("2 min", (0, 120)),
        ("1h", (0, 3600)),
    ],
)  # fmt: skip
def test_an_amount_is_a_time_or_steps(text, amount):
    assert PolishOptions(polish=text).amount() == amount


@pytest.mark.parametrize("text", ["a minute", "0", "0s", "-5", "1.5", "60 d", "nan", "1e9s"])
def test_what_is_no_amount_is_said(text):
    with pytest.raises(OptionError, match="no time, and no number of steps - use --polish 60s"):
        PolishOptions(polish=text)


@pytest.mark.parametrize("style", ["udnie", "udnie:0.5,starry-night:0.5"])
def test_what_is_no_painting_is_said(style, tmp_path):
    with pytest.raises(OptionError, match="is not one painting - polish a painting's file"):
        polished(style, tmp_path)


def test_at_the_command_line(painting, photo, tmp_path):
    photo.save(tmp_path / "a.jpg")
    args = ("style", painting, "-o", "./mine", "--style-size", 64, "--polish", 2)
    done = run(*args, cwd=tmp_path, text=True)
    assert done.returncode == 0, done.stderr
    assert "loss" in done.stderr
    assert "after 2 steps" in done.stderr
    assert catalog.find(tmp_path / "mine").card.training.steps == 2
    again = run(*args, cwd=tmp_path, text=True)
    assert again.returncode == 1
    assert "mine is a style already - --overwrite replaces it" in again.stderr
    done = run("stylize", "a.jpg", "-s", painting, "--polish", 1, "--style-size", 64, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.strokes.jpg").exists()

"""Learning on from what the hypernetwork makes of a painting."""

from types import SimpleNamespace

import numpy as np
import pytest

import impasto
from impasto import assets, catalog, images
from impasto.errors import OptionError, OutputError
from impasto.files import lookup
from impasto.options import PolishOptions, StyleOptions
from impasto.polishing import polish, polisher, save
from impasto.polishing.learning import Look
from impasto.progress import CancelToken
from impasto.studio.training import checkpoint_file, checkpoints
from running import run

SMALL = StyleOptions(style_size=64)
STEPS = 6


def polished(painting, folder, steps=STEPS, **more):
    return polish(painting, folder, PolishOptions(polish=str(steps)), style=SMALL, **more)


@pytest.fixture(scope="module")
def once(painting, tmp_path_factory):
    """A style that was learnt on, whole, and how far it had come at each step."""
    steps = []
    done = polished(painting, tmp_path_factory.mktemp("polished"), on_progress=steps.append)
    return done, steps


def test_the_photographs_come_with_impasto():
    files = lookup.pictures(assets.PHOTOGRAPHS).paths
    assert len(files) == 15
    assert all(min(images.read(path).pixels.shape[:2]) >= 448 for path in files)
    assert sum(path.stat().st_size for path in files) < 1_000_000


def test_it_comes_nearer_to_the_painting(once):
    done, steps = once
    assert done.after < done.before
    assert (done.steps, done.stopped) == (STEPS, False)
    assert [each.step for each in steps] == list(range(1, STEPS + 1))
    assert {"total", "content", "style", "tv", "tone"} <= {*steps[-1].losses}


def test_what_comes_out_is_a_style_that_paints(once, painting, photo):
    style = once[0].style
    at_once = catalog.find(painting, SMALL)
    assert style.model() != at_once.model()
    own, before = (impasto.stylize(photo, each).pixels for each in (style, at_once))
    assert own.std() > 10
    assert np.abs(own.astype(int) - before).mean() > 1
    training = style.card.training
    assert (training.start, training.steps, training.photographs) == ("any", STEPS, 14)
    assert (training.loss.style_statistic, training.loss.tone_weight) == ("gram-covariance", 2.0)
    assert style.card.prediction == at_once.card.prediction


def test_the_network_that_is_written_is_the_one_that_was_learnt(once, photo, tmp_path):
    """Through the template, as through an export; and what is kept, a training reads."""
    from impasto.inference.engine import OnnxEngine
    from impasto.studio.export.onnx import reference

    done, _ = once
    (tmp_path / "network.safetensors").write_bytes(done.learnable)
    learnt = checkpoint_file.read(tmp_path / "network.safetensors")
    exact = reference(learnt.built(), photo.pixels) * 255
    painted = OnnxEngine(done.style.model(), device="cpu").paint(photo.pixels)
    assert np.abs(painted - exact).max() < 1.5


def test_boldness_is_a_weight_of_the_style(painting):
    bold = catalog.find(painting, StyleOptions(style_size=64, boldness=2))
    lesson = polisher._lesson(painting, bold, polisher._photographs(PolishOptions(), []))
    assert lesson.options.loss.style_weight == 2 * polisher.LOSS.style_weight == 40


def test_stopped_it_keeps_the_best_so_far_and_goes_on(once, painting, tmp_path):
    cancel = CancelToken()

    def stop(progress):
        if progress.step == 2:
            cancel.cancel()

    stopped = polished(painting, tmp_path, cancel=cancel, on_progress=stop)
    assert (stopped.stopped, stopped.style.card.training.steps) == (True, 3)
    assert stopped.after <= stopped.before
    rest = []
    done = polished(painting, tmp_path, on_progress=rest.append)
    assert (rest[0].step, done.stopped) == (4, False)
    assert done.style.model() == once[0].style.model()


def test_what_got_worse_is_not_kept(painting, tmp_path, monkeypatch):
    losses = iter((1.0, 2.0))
    grey = np.full((512, 256, 3), 128, np.uint8)
    monkeypatch.setattr(polisher.Lesson, "look", lambda *_: Look(grey, next(losses)))
    cancel = CancelToken()
    cancel.cancel()
    done = polished(painting, tmp_path, cancel=cancel)
    assert (done.before, done.after, done.steps) == (1.0, 1.0, 0)
    assert done.style == catalog.find(painting, SMALL)


def test_saved_it_can_be_learnt_on_from(once, tmp_path):
    folder = save(once[0], tmp_path / "strokes")
    assert catalog.find(folder).model() == once[0].style.model()
    learnt = checkpoint_file.read(checkpoints.find(folder))
    assert learnt.step == STEPS
    with pytest.raises(OutputError, match="is a style already"):
        save(once[0], folder)
    save(once[0], folder, overwrite=True)


def test_photographs_of_ones_own_are_learnt_with(photos):
    own = PolishOptions(polish="1", photos=str(photos))
    assert len(polisher._photographs(own, [assets.demo_photo()])) == 15 + 12 + 1 - 1  # held out


def test_a_time_is_a_number_of_steps(tmp_path, monkeypatch):
    clock = iter(np.arange(0, 100, 0.5))  # each look at the clock is half a second later
    monkeypatch.setattr(polisher.time, "monotonic", lambda: next(clock))
    lesson = SimpleNamespace(step=lambda weights, number: ({}, {}, None))
    options = PolishOptions(polish="20s")
    # It began 3 seconds before the clock's first look. Three steps take half a second; looks and
    # the end take time, too.
    assert polisher._steps(options, lesson, {}, tmp_path, -3.0) == (20 - 3.5 - 2) / 0.5 * 3 - 3
    assert polisher._steps(PolishOptions(polish="1s"), lesson, {}, tmp_path, 0.0) == 8


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

"""The loop of a polish, with steps that cost nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest
from test_state import COURSE, SHAPES

from impasto import assets, images
from impasto.errors import MissingExtraError, TrainingError
from impasto.files import kept_steps, lookup
from impasto.files.kept_steps import WORK
from impasto.images.photographs import PhotographBytes
from impasto.options import TrainOptions
from impasto.polishing import learning
from impasto.polishing.learning import Lesson, learn
from impasto.progress import CancelToken

OPTIONS = TrainOptions(crop=64, learning_rate=0.01)
BEGUN = {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}


class Falling:
    """Wants weights of 0; at the third step, something may be no number."""

    def __init__(self, **bad):
        self.bad, self.calls, self.versions = bad, 0, {"numbers": "1"}

    def __call__(self, weights, photograph, grain):
        assert grain.shape == photograph.shape[:2]
        self.calls += 1
        total = sum(float(np.square(each).sum()) for each in weights.values())
        losses = dict.fromkeys(("content", "style", "tv", "tone"), total / 4) | {"total": total}
        gradients = {name: 2 * each for name, each in weights.items()}
        if self.calls == 4:  # one was a look after the second step
            losses |= {name: value for name, value in self.bad.items() if name in losses}
            if "gradient" in self.bad:
                gradients["stem.bias"] = gradients["stem.bias"] * np.float32(self.bad["gradient"])
        return losses, gradients, photograph[::-1]


@pytest.fixture(scope="module")
def photographs():
    files = lookup.pictures(assets.PHOTOGRAPHS).paths[:11]
    return PhotographBytes(files, crop=64, seed=0, held_out=1)


def learnt(photographs, folder, stepper=None, cancel=None, steps=4, told=None):
    lesson = Lesson(OPTIONS, photographs, stepper or Falling())
    course = replace(COURSE, options={**COURSE.options, "steps": steps, "save_every": 2})
    told = [] if told is None else told
    return learn(
        lesson, course, BEGUN, folder, lambda *each: told.append(each), cancel or CancelToken()
    )


def test_losses_fall_and_what_is_needed_is_kept(photographs, tmp_path):
    told = []
    now, seen, stopped = vars(learnt(photographs, tmp_path, told=told)).values()
    assert (now.step, stopped) == (4, False)
    assert [progress.step for progress, _ in told] == [1, 2, 3, 4]
    totals = [progress.losses["total"] for progress, _ in told]
    assert totals == sorted(totals, reverse=True)
    assert all(np.array_equal(told[-1][1][name], each) for name, each in now.weights.items())
    names = {path.name for path in (tmp_path / WORK).iterdir()}
    assert names == {
        "lock", "losses.jsonl", "losses.png", "sample-0000002.png", "sample-0000004.png",
        "step-0000002.safetensors", "step-0000004.safetensors",
    }  # fmt: skip
    lines = [
        json.loads(each) for each in (tmp_path / WORK / "losses.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert ["validation" in line for line in lines] == [False, True, False, True]
    assert seen.validation == lines[-1]["validation"]
    sample = images.read(tmp_path / WORK / "sample-0000004.png").pixels
    assert np.array_equal(sample, seen.sample)


def test_stopped_it_goes_on_where_it_was(photographs, tmp_path):
    cancel = CancelToken()
    cancel.cancel()
    half = learnt(photographs, tmp_path / "a", cancel=cancel)
    assert (half.state.step, half.stopped) == (1, True)
    told = []
    ended = learnt(photographs, tmp_path / "a", told=told)
    assert (ended.state.step, ended.stopped, told[0][0].step) == (4, False, 2)
    whole = learnt(photographs, tmp_path / "b").state.weights
    assert all(np.array_equal(whole[name], each) for name, each in ended.state.weights.items())
    again = learnt(photographs, tmp_path / "a")
    assert (again.state.step, again.seen, again.stopped) == (4, None, False)


def test_a_state_that_is_damaged_is_said(photographs, tmp_path):
    learnt(photographs, tmp_path)
    kept_steps.paths(tmp_path / WORK)[-1].write_bytes(b"junk")
    told = []
    learnt(photographs, tmp_path, told=told)
    assert told[0][0].note.endswith("; learning goes on from step 2")
    assert [progress.step for progress, _ in told] == [2, 3, 4]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"style": np.nan, "total": np.nan}, "the total and style loss"),
        ({"gradient": np.nan}, "the gradient"),
        ({"gradient": np.inf}, "the gradient"),
    ],
)
def test_what_is_no_number_is_not_learnt_of(photographs, tmp_path, bad, words):
    with pytest.raises(TrainingError, match=f"{words} stopped being a number at step 3"):
        learnt(photographs, tmp_path, Falling(**bad))


def test_without_matplotlib_there_are_no_curves(photographs, tmp_path, monkeypatch):
    def missing(*_, **__):
        raise MissingExtraError("matplotlib", "train")

    monkeypatch.setattr(learning.loss_curves, "png", missing)
    assert learnt(photographs, tmp_path).state.step == 4
    assert not (tmp_path / WORK / "losses.png").exists()
    assert (tmp_path / WORK / "sample-0000004.png").exists()

"""What a polish keeps to go on: whole or not at all, and only where it was the same polish."""

import os

import numpy as np
import pytest

from impasto.catalog import Artwork, Entry
from impasto.errors import TrainingError
from impasto.files import kept_steps
from impasto.polishing import muon, state
from impasto.polishing.state import Course, State

STYLE = Entry("a", "A", Artwork("A", "B", "1900", "public domain"), painting_sha256="1" * 64)
COURSE = Course(
    {"steps": 8, "save_every": 8, "loss": {"style_weight": 20.0}}, STYLE, {"start": "x"}
)
SHAPES = {"stem.weight": (4, 3, 3, 3), "stem.bias": (4,)}


def learnt(step, chance=None):
    chance = chance or np.random.default_rng(step)
    weights, gradients = (
        {name: chance.normal(0, 1, shape).astype(np.float32) for name, shape in SHAPES.items()}
        for _ in range(2)
    )
    moments = {}
    muon.step(weights, gradients, moments, 0.01)
    return State(step, weights, moments)


def same(one, other):
    assert one.step == other.step
    for name, each in one.weights.items():
        assert np.array_equal(each, other.weights[name])
        for key, moment in one.moments[name].items():
            assert moment.shape == other.moments[name][key].shape
            assert np.array_equal(moment, other.moments[name][key])


def test_the_last_two_are_kept_and_the_newest_is_gone_on_from(tmp_path):
    for step in (2, 4, 6):
        state.save(tmp_path, learnt(step), COURSE)
    assert [path.stem for path in kept_steps.paths(tmp_path)] == ["step-0000004", "step-0000006"]
    found, damaged = state.latest(tmp_path, COURSE, learnt(0).weights)
    same(found, learnt(6))
    assert damaged == []
    assert (kept_steps.steps(tmp_path), state.planned(tmp_path)) == (6, 8)


def test_where_nothing_is_it_begins(tmp_path):
    assert state.latest(tmp_path, COURSE, learnt(0).weights) == (None, [])
    assert (kept_steps.steps(tmp_path), state.planned(tmp_path)) == (0, None)


def _changed(data, place=-9):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _said(**metadata):
    """A file whose header says other things, with a checksum that is right."""

    class Other(Course):
        def metadata(self, step):
            return {**super().metadata(step), **metadata}

    return learnt(6).encoded(Other(COURSE.options, COURSE.style, COURSE.sources))


def _of(weights):
    return State(6, weights, learnt(6).moments).encoded(COURSE)


DAMAGED = {
    "cut": lambda: learnt(6).encoded(COURSE)[:-5],
    "longer": lambda: learnt(6).encoded(COURSE) + b"0",
    "a bit": lambda: _changed(learnt(6).encoded(COURSE)),
    "empty": lambda: b"",
    "no file of tensors": lambda: b"\x80\x02" * 40,
    "newer": lambda: _said(format="3"),
    "a step that is none": lambda: _said(step="six"),
    "a step of many digits": lambda: _said(step="9" * 30),
    "options that are no JSON": lambda: _said(options="{"),
    "options that are a list": lambda: _said(options="[1]"),
    "sources that are none": lambda: _said(sources="null"),
    "another shape": lambda: _of({**learnt(6).weights, "stem.bias": np.zeros(5, np.float32)}),
    "a weight more": lambda: _of({**learnt(6).weights, "wings": np.zeros(5, np.float32)}),
    "no number": lambda: _of({**learnt(6).weights, "stem.bias": np.full(4, np.nan, np.float32)}),
    "no moments": lambda: State(6, learnt(6).weights).encoded(COURSE),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_the_newest_that_is_damaged_is_skipped_and_said(what, tmp_path):
    state.save(tmp_path, learnt(4), COURSE)
    newest = tmp_path / "step-0000006.safetensors"
    newest.write_bytes(DAMAGED[what]())
    found, damaged = state.latest(tmp_path, COURSE, learnt(0).weights)
    same(found, learnt(4))
    assert len(damaged) == 1
    assert damaged[0].startswith(f"{newest} is not a whole checkpoint: ")


def test_pipes_links_and_folders_are_skipped(tmp_path):
    state.save(tmp_path, learnt(4), COURSE)
    os.mkfifo(tmp_path / "step-0000005.safetensors")
    (tmp_path / "step-0000006.safetensors").symlink_to("step-0000006.safetensors")
    (tmp_path / "step-0000007.safetensors").symlink_to("step-0000004.safetensors")
    (tmp_path / "step-0000008.safetensors").mkdir()
    found, damaged = state.latest(tmp_path, COURSE, learnt(0).weights)
    assert (found.step, len(damaged)) == (4, 4)


@pytest.mark.parametrize(
    ("options", "style", "sources", "words"),
    [
        ({"loss": {"style_weight": 40.0}}, STYLE, COURSE.sources, "loss style weight was 20.0"),
        ({}, STYLE, {"start": "y"}, "start was x, is y"),
        ({}, Entry("a", "A", STYLE.artwork, painting_sha256="2" * 64), COURSE.sources, "paintings"),
    ],
    ids=["options", "sources", "painting"],
)
def test_another_polish_does_not_go_on_there(tmp_path, options, style, sources, words):
    state.save(tmp_path, learnt(4), COURSE)
    other = Course({**COURSE.options, **options}, style, sources)
    with pytest.raises(TrainingError, match=f"had other options: .*{words}.* --overwrite"):
        state.latest(tmp_path, other, learnt(0).weights)


def test_more_steps_may_be_taken(tmp_path):
    state.save(tmp_path, learnt(4), COURSE)
    longer = Course({**COURSE.options, "steps": 80}, STYLE, COURSE.sources)
    assert state.latest(tmp_path, longer, learnt(0).weights)[0].step == 4


def test_one_process_at_a_time_learns(tmp_path):
    with (
        kept_steps.alone(tmp_path),
        pytest.raises(TrainingError, match="another process is learning"),
    ):
        state.empty(tmp_path)
    (tmp_path / "sample.png").touch()
    state.empty(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]

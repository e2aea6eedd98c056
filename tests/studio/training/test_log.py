"""The log of a training: means, curves, and what is left of a damaged one."""

import json
import math
import os

import pytest

from impasto.errors import OutputError
from impasto.options.losses import KINDS
from impasto.studio import loss_curves
from impasto.studio.training.log import Log

RECORD = {**dict.fromkeys(KINDS, 1.0), "seconds": 0.5, "from_disk": False}


def written(path, count):
    path.write_text("".join(json.dumps({"step": n + 1, **RECORD}) + "\n" for n in range(count)))
    return path


def kept(path, first):
    """The steps that a log of a training that goes on begins with."""
    Log(path, first, here=True)
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_curves_are_means_of_hundredths(tmp_path):
    log = Log(tmp_path / "losses.jsonl", 0, here=False)
    for step in range(1, 301):
        log.append(step, dict.fromkeys(KINDS, step))
    means = log.curves()
    assert (list(means)[::99], means[3]["total"]) == ([3, 300], 2)
    axes = loss_curves.plot(list(means.values()), "s", list(means)).axes[0]
    assert (axes.get_xlabel(), axes.lines[0].get_xdata()[-1]) == ("steps", 300)


def test_what_lies_beyond_the_checkpoint_is_dropped(tmp_path):
    assert kept(written(tmp_path / "losses.jsonl", 6), 4) == [1, 2, 3, 4]


def test_a_damaged_log_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "losses.jsonl"
    lines = written(path, 6).read_text().splitlines()
    path.write_bytes("\n".join([*lines[:3], lines[3][:40], *lines[4:]]).encode() + b"\xff")
    Log(path, 6, here=True).append(7, dict.fromkeys(KINDS, 1.0))
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3, 7]


def test_a_disk_that_refuses_the_log_is_said(tmp_path):
    log = Log(tmp_path / "losses.jsonl", 0, here=True)
    (tmp_path / "losses.jsonl").unlink()
    (tmp_path / "losses.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"losses\.jsonl cannot be written"):
        log.append(1, {})


@pytest.mark.parametrize(
    "line",
    [
        "[1]", "5", "{}", '{"step": 3}', "[" * 90_000,
        *(json.dumps({"step": 3, **RECORD, "total": value}) for value in ("x", [1], math.nan)),
    ],
)  # fmt: skip
def test_a_line_that_no_training_writes_is_the_end(line, tmp_path):
    path = written(tmp_path / "losses.jsonl", 6)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, *lines[3:]]))
    assert kept(path, 6) == [1, 2]


def test_what_is_no_file_is_no_log(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(written(tmp_path / "log", 3))
    for name in ("pipe", "link"):
        assert kept(tmp_path / name, 3) == []
    assert kept(tmp_path / "log", 3) == [1, 2, 3]


def test_records_of_other_losses_have_means_of_those_that_tell_them(tmp_path):
    """A log that was changed by hand breaks nothing."""
    log = Log(written(tmp_path / "losses.jsonl", 2), 2, here=True)
    log.append(3, {**RECORD, "style conv1_1": 4.0, "validation": 2.0})
    assert log.curves()[3]["total"] == 1
    assert log.summary().validation == 2

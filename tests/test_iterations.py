"""The benchmark of how many iterations styles are worth: which are measured, kept and told."""

import importlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from impasto import catalog, images
from impasto.catalog import TrainingRecord
from impasto.catalog.painted import seen
from impasto.options import LossOptions

pytest.importorskip("torch")

ROOT = Path(__file__).parents[1]
LOSS = LossOptions(content_layers=("conv1_2",), style_layers=("conv1_1",))
CROP = "0,0,0.5,1"


@pytest.fixture
def benchmark(monkeypatch):
    """The module, with small pictures and fewer iterations."""
    if not (ROOT / "benchmarks" / "iterations.py").exists():
        pytest.skip("needs the repository")
    monkeypatch.syspath_prepend(str(ROOT))
    module = importlib.import_module("benchmarks.iterations")
    small = replace(module._OPTIONS, size=64, iterations=60, device="cpu")
    monkeypatch.setattr(module, "_OPTIONS", small)
    return module


@pytest.fixture
def plan(benchmark, painting, photos, tmp_path):
    folder = tmp_path / "paintings"
    folder.mkdir()
    shutil.copy(painting, folder / "nobody knows.png")
    images.read(painting).resized(48).save(folder / "another.png")
    return benchmark.Plan(paintings=str(folder), photos=str(photos), count=2)


def learnt(style, name, painting, **training):
    """``style`` as ``name``, as if it was learnt from ``painting`` with a small loss."""
    smoothing = training.get("style_smoothing") or 0
    card = replace(
        style.card,
        name=name,
        training=TrainingRecord(style_size=80, style_crop=CROP, loss=LOSS, **training),
        painting_sha256=seen(painting, 80, CROP, smoothing).sha256,
    )
    return replace(style, card=card)


@pytest.fixture
def bundled(style, painting, photos, monkeypatch):
    """Two styles of one painting, the twin of one, and a style of another painting."""
    styles = [
        learnt(style, "wave", painting),
        learnt(style, "wave-tiny", painting),
        learnt(style, "smooth", painting, style_smoothing=1.0),
        learnt(style, "lost", photos / "00.jpg"),
    ]
    twin = styles[1]
    styles[1] = replace(twin, card=replace(twin.card, painting_sha256=None))
    monkeypatch.setattr(catalog, "bundled", lambda: {each.name: each for each in styles})
    return styles


@pytest.fixture
def counted(benchmark, monkeypatch):
    """Which style is measured on which photograph; counts are 10, 11, ..."""
    measured = []

    class Counted:
        def __init__(self, style, painting, options, network):
            assert (options, network.mean.shape) == (benchmark._OPTIONS, (1, 3, 1, 1))
            self.name, self.painting = style.name, painting.sha256

        def iterations(self, photo):
            measured.append((self.name, self.painting, photo.sha256))
            return 9 + len(measured)

    monkeypatch.setattr(benchmark, "Contest", Counted)
    return measured


@pytest.mark.usefixtures("bundled")
def test_counts_are_those_of_the_contest(benchmark, plan, painting):
    rows = list(benchmark.iterations(None, replace(plan, count=1)))
    wave = catalog.bundled()["wave"]
    contest = benchmark.Contest(wave, seen(painting, 80, CROP), benchmark._OPTIONS)
    (photo,) = benchmark.sampling.some(Path(plan.photos), 1, 64).values()
    count = contest.iterations(photo)
    assert rows[0].ours == count > 0
    assert (rows[0].bar, rows[0].at_least) == (25, True)


def test_a_style_is_measured_with_its_own_painting_which_its_hash_tells(
    benchmark, plan, bundled, counted, capsys
):
    rows = list(benchmark.iterations(None, plan))
    wave, _, smooth, _ = bundled
    assert wave.card.painting_sha256 != smooth.card.painting_sha256
    first, second = (
        each.sha256 for each in benchmark.sampling.some(Path(plan.photos), 2, 64).values()
    )
    assert counted == [
        (style.name, style.card.painting_sha256, photo)
        for photo in (first, second)
        for style in (wave, smooth)
    ]
    assert "has no painting of lost\n" in capsys.readouterr().err
    assert [(row.name.strip(), row.ours, row.bar) for row in rows] == [
        ("wave, iterations from noise, median of 2 photographs", 10, 25),
        ("wave, lower quartile", 10, None),
        ("smooth, iterations from noise, median of 2 photographs", 11, 25),
        ("smooth, lower quartile", 11, None),
        ("iterations from noise, median of 2 styles", 10.5, 60),
    ]


def test_a_file_that_is_smooth_already_is_found(benchmark, bundled, painting, tmp_path):
    smooth = bundled[2]
    path = seen(painting, 80, CROP, 1.0).save(tmp_path / "smooth.png")
    found = replace(smooth, card=replace(smooth.card, style_crop="whole"))
    part = benchmark.learnt_from.part(images.read(path), found)
    assert part.sha256 == smooth.card.painting_sha256


def test_full_measures_tiny_twins_with_the_paintings_of_their_originals(
    benchmark, plan, bundled, counted
):
    list(benchmark.iterations(None, replace(plan, full=True, count=1)))
    painting = bundled[0].card.painting_sha256
    assert [each[:2] for each in counted[:2]] == [("wave", painting), ("wave-tiny", painting)]


@pytest.mark.usefixtures("bundled")
def test_what_is_kept_is_not_measured_again(benchmark, plan, counted, tmp_path):
    kept = replace(plan, keep=str(tmp_path / "kept"))
    once = list(benchmark.iterations(None, replace(kept, count=1)))
    assert len(counted) == 2
    again = list(benchmark.iterations(None, replace(kept, count=1)))
    assert (again, len(counted)) == (once, 2)
    more = list(benchmark.iterations(None, kept))
    assert len(counted) == 4
    assert more[0].ours == once[0].ours == 10
    files = sorted((tmp_path / "kept").iterdir())
    assert [each.name.partition("-")[0] for each in files] == ["smooth"] * 2 + ["wave"] * 2
    record = json.loads(files[0].read_bytes())
    assert record["loss"]["style_layers"] == ["conv1_1"]
    assert record["iterations"] in (11, 13)


def test_another_network_loss_or_painting_is_measured_again(
    benchmark, plan, bundled, painting, counted, tmp_path
):
    (photo,) = benchmark.sampling.some(Path(plan.photos), 1, 64).values()
    style, picture, keep = bundled[0], seen(painting, 80, CROP), str(tmp_path)
    card = style.card
    others = [
        (replace(style, card=replace(card, model=card.model.holding(b""))), picture, photo),
        (replace(style, card=replace(card, style_weight=3.0)), picture, photo),
        (style, seen(painting, 81, CROP), photo),
        (style, picture, picture),
    ]
    for each in [(style, picture, photo), *others, *others]:
        benchmark._Counts(*each[:2], keep)(each[2])
    assert len(counted) == 5


def test_a_run_that_is_stopped_loses_nothing(benchmark, plan, bundled, counted, tmp_path):
    kept = replace(plan, keep=str(tmp_path / "kept"))
    measure = benchmark.Contest.iterations

    def stopped(contest, photo):
        if len(counted) == 3:
            raise KeyboardInterrupt
        return measure(contest, photo)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmark.Contest, "iterations", stopped)
        with pytest.raises(KeyboardInterrupt):
            list(benchmark.iterations(None, kept))
    list(benchmark.iterations(None, kept))
    assert [each[0] for each in counted] == ["wave", "smooth", "wave", "smooth"]


def test_a_network_that_is_worth_more_counts_as_worth_the_most(benchmark, bundled, photo, tmp_path):
    class Better:
        def __init__(self, *_):
            pass

        def iterations(self, _):
            return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmark, "Contest", Better)
        counts = benchmark._Counts(bundled[0], photo, str(tmp_path))
        assert [counts(photo), counts(photo)] == [60, 60]


def test_between_two_photographs_the_lower_counts(benchmark):
    rows = list(benchmark._rows({"a": [80, 10, 30, 20, 50, 40, 60, 70], "b": [9, 1, 5], "c": [7]}))
    assert [row.ours for row in rows] == [40, 20, 5, 1, 7, 7, 7]
    assert [row.met for row in rows] == [True, None, False, None, False, None, False]


@pytest.mark.usefixtures("bundled")
def test_a_quick_look_is_at_one_photograph(benchmark, plan, counted):
    list(benchmark.iterations(None, replace(plan, quick=True, count=None)))
    assert len(counted) == 2


def test_without_paintings_or_photographs_there_is_nothing_to_measure(benchmark, plan):
    for each in ("paintings", "photos"):
        assert not list(benchmark.iterations(None, replace(plan, **{each: None})))

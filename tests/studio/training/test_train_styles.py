"""Training of several styles at once: shared trunks, strengths, kept features, processes."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import impasto
from impasto import assets, catalog, images
from impasto.errors import OptionError, TrainingError
from impasto.options import NetworkOptions, TrainOptions
from impasto.studio import networks
from impasto.studio.export import onnx as onnx_graph
from impasto.studio.training import checkpoint_file, checkpoints
from impasto.studio.training.paintings import Painting
from impasto.studio.training.train import train

TINY = TrainOptions(
    steps=4, batch=1, crop=64, style_size=64, save_every=2, held_out=0, learning_rate=0.01,
    network=NetworkOptions(width=4, blocks=2),
)  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory, painting, dots, photos):
    folder = tmp_path_factory.mktemp("out") / "both"
    options = replace(TINY, learn_strength=True, held_out=1)
    return train([painting, dots], photos, folder, options=options)


def test_several_paintings_become_styles_of_one_network(both, photo):
    strokes, dots = catalog.read(both)
    assert (strokes.name, dots.name, dots.card.title) == ("strokes", "green-dots", "Green Dots")
    assert strokes.card.model.sha256 == dots.card.model.sha256
    one, other = (impasto.stylize(photo, style).pixels for style in (strokes, dots))
    assert not np.array_equal(one, other)
    assert np.array_equal(impasto.stylize(photo, f"{both}/green-dots").pixels, other)
    assert not np.array_equal(*(each.preview.read_bytes() for each in (strokes, dots)))


def test_they_can_be_blended(both, photo):
    ends = [impasto.stylize(photo, f"{both}/{name}").pixels for name in ("strokes", "green-dots")]
    middle = impasto.stylize(photo, f"{both}/strokes:2,{both}/green-dots:2")
    assert not any(np.array_equal(middle.pixels, end) for end in ends)
    same = impasto.stylize(photo, f"{both}/strokes:1,{both}/green-dots:0")
    assert np.array_equal(same.pixels, ends[0])


def test_a_learnt_strength_is_painted_not_blended(both, photo):
    style = catalog.read(both)[0]
    assert style.card.network.strength
    half, whole = (impasto.stylize(photo, style, strength=s).pixels for s in (0.5, 1.0))
    blend = (photo.pixels.astype(float) + whole) / 2
    assert np.abs(half - blend).max() > 3
    assert np.array_equal(impasto.stylize(photo, style, strength=0).pixels, photo.pixels)


def test_a_new_style_is_tuned_into_a_trunk_that_stays(both, tmp_path, painting, photos):
    paler = Painting(painting, style_weight=1.0)
    options = replace(TINY, tune="norms")
    folder = train(paler, photos, tmp_path / "paler", options=options, start=both)
    before, after = (load_file(each / "network.safetensors") for each in (both, folder))
    own = {f"network.{name}" for name in networks.norms(networks.build(TINY.network))}
    for name, tensor in before.items():
        if name in own:  # two styles, the new one between them and the photograph's own
            assert torch.equal(after[name][:2], tensor[:2])
            assert torch.equal(after[name][-1], tensor[-1])
            assert len(after[name]) == len(tensor) + 1
        else:
            assert torch.equal(after[name], tensor)
    assert any(not torch.equal(after[name][2], before[name][:2].mean(0)) for name in own)
    assert [style.name for style in catalog.read(folder)] == ["strokes", "green-dots", "paler"]
    with pytest.raises(OptionError, match="has a style paler already"):
        train(painting, photos, tmp_path / "x" / "paler", options=options, start=folder)
    with pytest.raises(OptionError, match="add --start"):
        train(painting, photos, tmp_path / "alone", options=options)
    with pytest.raises(OptionError, match="not kept for networks that learn strengths"):
        train(paler, photos, tmp_path / "kept", options=replace(options, precompute=2), start=both)


def test_a_bundled_style_is_there_to_learn_on_from(painting, photos, tmp_path):
    """Its network is the one that all bundled styles began with.

    One step leaves it near. What is learnt from it can be blended with each of them.
    """
    network = networks.build(NetworkOptions())
    checkpoint_file.read(checkpoints.find("starry-night")).begin(network)
    photo = images.read(assets.demo_photo()).resized(160)
    began = onnx_graph.reference(network.eval(), photo.pixels) * 255
    options = TrainOptions(steps=1, crop=64, style_size=64, held_out=0, learning_rate=1e-5)
    folder = train(painting, photos, tmp_path / "s", options=options, start="starry-night")
    near = impasto.stylize(photo, folder, grain=0).pixels
    assert np.abs(near - began).mean() < 1
    for name, style in catalog.bundled().items():
        if style.card.network.parameters != catalog.find("starry-night").card.network.parameters:
            continue  # a tiny one
        impasto.stylize(photo, f"{folder}:0.5,{name}:0.5")


@pytest.mark.usefixtures("unpublished")
def test_the_statistics_of_a_trunk_stay_as_well(tmp_path, painting, dots, photos):
    options = replace(TINY, steps=2, network=replace(TINY.network, norm="batch"))
    train(painting, photos, tmp_path / "trunk", options=options)
    trunk = tmp_path / "trunk" / "training" / "step-0000002.safetensors"
    options = replace(options, tune="norms")
    folder = train(dots, photos, tmp_path / "dots", options=options, start=trunk)
    before, after = (load_file(each) for each in (trunk, folder / "training" / trunk.name))
    running = [name for name in before if "running" in name]
    assert running
    assert all(torch.equal(before[name], after[name]) for name in running)
    with pytest.raises(OptionError, match="has not learnt strengths - leave out --learn-strength"):
        train(
            dots, photos, tmp_path / "s", options=replace(options, learn_strength=True), start=trunk
        )


def test_a_network_of_several_is_found_by_its_name(both, user_styles, tmp_path, dots, photos):
    shutil.copytree(both, user_styles / "prints")
    options = replace(TINY, tune="norms", steps=1)
    more = Painting(dots, name="more")
    folder = train(more, photos, tmp_path / "more", options=options, start="prints")
    assert [style.name for style in catalog.read(folder)] == ["strokes", "green-dots", "more"]
    kept = catalog.read(folder)[0].card
    assert (kept.style_size, kept.style_crop) == (64, "whole")


@pytest.mark.usefixtures("unpublished")
def test_a_bundled_style_would_hide_one_of_several(tmp_path, painting, dots, photos, user_styles):
    pair = [Painting(painting, name="udnie"), dots]
    with pytest.raises(OptionError, match="udnie is the name of a bundled style"):
        train(pair, photos, "prints", options=TINY)
    assert not list(user_styles.iterdir())
    options = replace(TINY, steps=1)
    assert train(pair, photos, tmp_path / "prints", options=options) == tmp_path / "prints"


def test_what_cannot_be_learnt_on_from(tmp_path, painting, photos):
    with pytest.raises(OptionError, match="there is no style"):
        train(painting, photos, tmp_path / "s", options=TINY, start="nothing")
    with pytest.raises(TrainingError, match="it has no network.safetensors"):
        train(painting, photos, tmp_path / "s", options=TINY, start="great-wave")


def test_names_that_are_given_twice(tmp_path, painting, photos):
    with pytest.raises(OptionError, match="strokes, strokes"):
        train([painting, painting], photos, tmp_path / "s", options=TINY)
    with pytest.raises(OptionError, match="nothing"):
        train([], photos, tmp_path / "s", options=TINY)


def test_kept_features_change_nothing_but_the_time(tmp_path, painting, photos, monkeypatch):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    options = replace(TINY, precompute=2)

    def learn(name):
        folder = train(painting, photos, tmp_path / name, options=options)
        text = (folder / "training" / "losses.jsonl").read_text()
        records = [json.loads(line) for line in text.splitlines()]
        return load_file(folder / "network.safetensors"), records, folder

    first, records, folder = learn("first")
    assert [record["from_disk"] for record in records] == [False, False, True, True]
    times = catalog.read(folder)[0].card.training.seconds_per_step
    assert min(times.computed, times.kept) > 0
    again, records, _ = learn("again")
    assert all(record["from_disk"] for record in records)
    assert all(torch.equal(first[name], again[name]) for name in first)
    for path in (tmp_path / "cache").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:100])
    healed, records, _ = learn("healed")
    assert not records[0]["from_disk"]
    assert all(torch.equal(first[name], healed[name]) for name in first)
    shutil.copy(photos / "01.jpg", shutil.copytree(photos, tmp_path / "others") / "00.jpg")
    train(painting, tmp_path / "others", tmp_path / "other", options=replace(options, steps=1))
    assert not json.loads((tmp_path / "other" / "training" / "losses.jsonl").read_text())[
        "from_disk"
    ]
    with pytest.raises(OptionError, match="not kept for networks that learn strengths"):
        train(painting, photos, tmp_path / "s", options=replace(options, learn_strength=True))


@pytest.mark.usefixtures("unpublished")
def test_tensorboard_is_written_when_asked_for(tmp_path, painting, photos):
    options = replace(TINY, steps=2, tensorboard=True)
    folder = train(painting, photos, tmp_path / "s", options=options)
    assert list((folder / "training").rglob("events.out.tfevents*"))


def test_two_processes_equal_one_with_twice_the_batch(tmp_path, painting, photos):
    flags = [
        "--steps", "3", "--crop", "64", "--style-size", "64", "--width", "4", "--blocks", "2",
        "--held-out", "0", "--quiet",
    ]  # fmt: skip
    launch = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "impasto", "train",
    ]  # fmt: skip
    command = [*launch, painting, photos, "-o", tmp_path / "s", *flags]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    two = load_file(tmp_path / "s" / "network.safetensors")
    text = (tmp_path / "s" / "training" / "losses.jsonl").read_text()
    assert [json.loads(line)["step"] for line in text.splitlines()] == [1, 2, 3]
    options = TrainOptions(
        steps=3, batch=2, crop=64, style_size=64, held_out=0, network=TINY.network
    )
    folder = train(painting, photos, tmp_path / "t", options=options)
    alone = load_file(folder / "network.safetensors")
    torch.manual_seed(0)
    began = networks.build(TINY.network).state_dict()
    moved = distance(alone, {f"network.{name}": tensor for name, tensor in began.items()})
    # Adam makes whole steps of gradients that are nothing but rounding.
    assert distance(two, alone) < 0.02 * moved


def distance(one, other):
    return sum(float((one[name] - other[name]).square().sum()) for name in one) ** 0.5

"""The studio's commands as a user runs them: optimize, redo, layers, train, networks."""

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image

import learning_any
import running
from impasto import images
from impasto.options import LossOptions, OptimizeOptions
from impasto.studio.optimization import recipe
from impasto.studio.training import train_any

SMALL = ("--size", "64", "--scales", "1", "--content-layers", "conv2_1", "--style-layers")
SMALL = (*SMALL, "conv1_1,conv2_1:0.5")


run = partial(running.run, text=True)


@pytest.fixture
def folder(tmp_path, photo, painting):
    photo.save(tmp_path / "photo.jpg")
    images.read(painting).save(tmp_path / "strokes.png")
    return tmp_path


def test_optimize_paints_and_redo_paints_the_same_again(folder):
    done = run(
        "optimize", "photo.jpg", "strokes.png", "-o", "out.png", *SMALL, "--steps", "6",
        "--log", "losses.jsonl", "--plot", "curves.png", "--preview-every", "2", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "out.png  64x43" in done.stderr
    painted = images.read(folder / "out.png")
    options = recipe.options(recipe.read(painted))
    layers = {"content_layers": ("conv2_1",), "style_layers": ("conv1_1", "conv2_1:0.5")}
    assert options == OptimizeOptions(size=64, scales=1, steps=6, loss=LossOptions(**layers))
    lines = [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[-1]["style conv1_1"] < lines[0]["style conv1_1"]
    assert images.read(folder / "curves.png").pixels.std() > 10
    again = run("redo", "out.png", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert np.array_equal(images.read(folder / "out.redo.png").pixels, painted.pixels)
    (folder / "photo.jpg").write_bytes((folder / "strokes.png").read_bytes())
    strange = run("redo", "out.png", "--overwrite", "--device", "abacus", cwd=folder)
    assert strange.returncode == 2
    assert "abacus" in strange.stderr
    other = run("redo", "out.png", "--overwrite", cwd=folder)
    assert other.returncode == 1
    assert "not the picture that the recipe was made with" in other.stderr


def test_a_preset_is_changed_by_flags_that_are_given_and_by_no_other(folder):
    done = run(
        "optimize", "photo.jpg", "strokes.png", "-o", "out.png", "--preset", "neural-style",
        "--size", "64", "--steps", "1", "--style-weight", "7", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    options = recipe.options(recipe.read(images.read(folder / "out.png")))
    assert (options.size, options.steps, options.loss.style_weight) == (64, 1, 7)
    assert (options.init, options.history, options.loss.loss_scale) == ("grey", 100, "mean")


def test_ctrl_c_saves_the_picture_so_far(folder):
    command = [sys.executable, "-m", "impasto", "optimize", "photo.jpg", "strokes.png"]
    command += ["-o", "out.jpg", *SMALL, "--steps", "100000", "--preview-every", "5"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        while not (folder / "out.jpg").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "saving the picture" in said
    assert images.read(folder / "out.jpg").width == 64


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("photo.jpg", "strokes.png", "-o", "out.xyz"), 2, "no suffix of a picture"),
        (("strokes.png", "strokes.png", "-o", "photo.jpg"), 1, "photo.jpg is there already"),
        (("photo.jpg", "strokes.png", "-o", "photo.jpg"), 2, "would be destroyed"),
        (("photo.jpg", "none.png", "-o", "out.png"), 1, "none.png cannot be opened"),
        (("photo.jpg", "strokes.png", "-o", "out.png", "--steps", "0"), 2, "steps is 0"),
        (("photo.jpg", "strokes.png", "-o", "o.png", "--pooling", "min"), 2, "max or average"),
        (("photo.jpg", "strokes.png", "-o", "o.png", "--style-weights", "a"), 2, "'a'"),
        (("photo.jpg", "strokes.png", "-o", "o.png", "--preset", "gaty"), 2, "did you mean"),
        (("photo.jpg", "strokes.png", "-o", "o.png", "--loss-network", "vgg91"), 2, "vgg19"),
        (("photo.jpg", "strokes.png", "-o", "o.png", "--mask", "photo.jpg", "--mask", "x"), 1, "x"),
        (("photo.jpg", "strokes.png", "-o", "photo.jpg/x.png"), 1, "photo.jpg is a file"),
        (("photo.jpg", "strokes.png", "-o", "/proc/x.png"), 1, "/proc/x.png cannot be written"),
        (("photo.jpg", "strokes.png", "-o", "photo.jpg", "--overwrite"), 2, "would be destroyed"),
        (
            ("photo.jpg", "strokes.png", "-o", "o.png", "--plot", "o.png"),
            2,
            "another output as well",
        ),
        (
            ("photo.jpg", "strokes.png", "-o", "o.png", "--log", "./o.png"),
            2,
            "another output as well",
        ),
    ],
)
def test_what_cannot_work_is_said_before_any_work(arguments, code, said, folder):
    before = sorted(folder.iterdir())
    done = run("optimize", *arguments, cwd=folder)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert said in done.stderr
    assert sorted(folder.iterdir()) == before


def test_the_flag_of_the_loss_network_may_have_its_old_name(folder):
    command = "optimize", "photo.jpg", "strokes.png", "-o", "o.png"
    told = "--network is called --loss-network now - use --loss-network"
    done = run(*command, "--network", "vgg91", cwd=folder)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, told)
    assert "no loss network vgg91" in done.stderr
    quiet = run(*command, "--network", "vgg91", "-q", cwd=folder)
    assert (quiet.returncode, told in quiet.stderr) == (2, False)
    both = run(*command, "--network", "vgg16", "--loss-network", "vgg19", cwd=folder)
    assert (both.returncode, "which is given, too" in both.stderr) == (2, True)
    assert "--network " not in run("optimize", "--help", cwd=folder).stdout.replace("-loss-", "")


def test_a_folder_is_no_place_for_a_painting(folder):
    (folder / "fold.png").mkdir()
    done = run("optimize", "photo.jpg", "strokes.png", "-o", "fold.png", "--overwrite", cwd=folder)
    assert done.returncode == 1
    assert "fold.png is a folder - name a file" in done.stderr


def test_redo_finds_the_start_that_it_began_with_and_no_other(folder):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    done = run(
        "optimize", "photo.jpg", "strokes.png", "-o", "out.png", *SMALL, "--steps", "2",
        "--init", "strokes.png", "--init-noise", "0", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = run("redo", "../out.png", cwd=elsewhere)
    assert again.returncode == 0, again.stderr
    one, other = (images.read(folder / name).pixels for name in ("out.png", "out.redo.png"))
    assert np.array_equal(one, other)
    picture = images.read(folder / "out.png")
    record = recipe.read(picture)  # as it was written when options had other names
    assert record["options"]["init"] == record["init"]["path"] == "strokes.png"
    for table in (record, record["options"]):
        table["start"] = table.pop("init")
    record["options"]["noise"] = record["options"].pop("init_noise")
    images.with_comment(picture, json.dumps(record)).save(folder / "old.png")
    older = run("redo", "../old.png", cwd=elsewhere)
    assert older.returncode == 0, older.stderr
    assert np.array_equal(images.read(folder / "old.redo.png").pixels, one)
    images.read(folder / "strokes.png").resized(50).save(elsewhere / "strokes.png")
    other = run("redo", "../out.png", "-o", "x.png", cwd=elsewhere)
    assert other.returncode == 1
    assert "strokes.png is not the picture" in other.stderr


def test_the_notes_of_a_photograph_are_said(folder):
    frames = [Image.new("RGB", (64, 48), shade) for shade in ("red", "blue")]
    frames[0].save(folder / "two.gif", save_all=True, append_images=frames[1:])
    done = run(
        "optimize", "two.gif", "strokes.png", "-o", "o.png", *SMALL, "--steps", "1", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert "only its first frame is used" in done.stderr


def test_layers_are_listed_with_their_shapes(folder):
    table = run("layers", cwd=folder).stdout
    assert "conv4_2" in table
    shapes = json.loads(run("layers", "vgg19", "--size", "64", "--json", cwd=folder).stdout)
    assert shapes["conv1_1"] == [64, 64, 64]
    assert shapes["conv5_1"] == [512, 4, 4]
    unknown = run("layers", "vgg20", cwd=folder)
    assert unknown.returncode == 2
    assert "vgg" in unknown.stderr


def test_without_torch_the_extra_is_named(folder):
    hidden = "import sys; sys.modules['torch'] = None; from impasto.cli import main; main()"
    for arguments in (["optimize", "photo.jpg", "strokes.png", "-o", "o.png"], ["layers"]):
        done = subprocess.run(
            [sys.executable, "-c", hidden, *arguments],
            capture_output=True, text=True, cwd=folder, check=False, env=dict(os.environ),
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
        assert 'pip install "impasto[train]"' in done.stderr


def test_a_recipe_is_trained_and_flags_win(folder, photos, user_styles):
    (folder / "two.toml").write_text(
        "[train]\ntier = 'tiny'\nblocks = 1\nsteps = 9\ncrop = 64\nstyle_size = 64\n"
        "network = 'vgg19'\n"
        "[[style]]\npainting = 'strokes.png'\nartist = 'A test'\n"
        "[[style]]\npainting = 'photo.jpg'\n"
    )
    done = run(
        "train", photos, "--recipe", "two.toml", "-o", "two", "--steps", "1", "--width", "4",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "impasto stylize photo.jpg -s photo" in done.stderr
    assert "two.toml says network, which is called loss_network now" in done.stderr
    card = json.loads((user_styles / "two" / "card.json").read_text())
    assert [style["name"] for style in card["styles"]] == ["strokes", "photo"]
    assert card["styles"][0]["artwork"]["artist"] == "A test"
    assert card["training"]["steps"] == 1
    assert card["training"]["loss"]["loss_network"] == "vgg19"
    assert (card["network"]["width"], card["network"]["blocks"]) == (4, 1)
    painted = run("stylize", "photo.jpg", "-s", "strokes:1,photo:3", cwd=folder)
    assert painted.returncode == 0, painted.stderr
    assert (folder / "photo.strokes-25-photo-75.jpg").exists()


def test_paintings_apart_become_styles_of_their_own(folder, photos):
    done = run(
        "train", "strokes.png", "photo.jpg", photos, "-o", "prints", "--apart", "--steps", "1",
        "--crop", "64", "--style-size", "64", "--width", "4", "--blocks", "1", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("strokes", "photo"):
        assert f"Try: impasto stylize photo.jpg -s prints/{name}\n" in done.stderr
    painted = run("stylize", "photo.jpg", "-s", "prints/strokes", cwd=folder)
    assert painted.returncode == 0, painted.stderr
    assert (folder / "photo.strokes.jpg").exists()


def test_a_tiny_twin_is_learnt_and_painted_with(folder, photos, user_styles):
    small = "--steps", "2", "--batch", "1", "--crop", "64", "--held-out", "1"
    done = run("distill", "udnie", photos, "-o", "my-twin", *small, "--title", "Twin", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "27,131 parameters" in done.stderr
    assert "levels from udnie" in done.stderr
    card = json.loads((user_styles / "my-twin" / "card.json").read_text())
    assert (card["title"], card["training"]["start"]) == ("Twin", "starry-night-tiny")
    assert run("stylize", "photo.jpg", "-s", "my-twin", cwd=folder).returncode == 0
    again = run("distill", "udnie", photos, "-o", "my-twin", *small, cwd=folder)
    assert (again.returncode, "there already" in again.stderr) == (1, True)
    more = "distill", "udnie", photos, *small, "--start", user_styles / "my-twin"
    assert run(*more, "-o", "other", "--width", "8", cwd=folder).returncode == 0
    shaped = run(*more, "-o", "third", "--tier", "light", cwd=folder)
    assert shaped.returncode == 2
    assert "--tier tiny" in shaped.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["."], "no painting was given - impasto train PAINTING... PHOTOS -o NAME"),
        (["strokes.png", ".", "--recipe", "r.toml"], "do not go together"),
        (["a.png", "b.png", ".", "--title", "A"], "--title is of one painting"),
        (["a.png", ".", "--tier", "huge"], "no network 'huge'"),
        (["a.png", ".", "--title", "Red\udcff"], "the title is not UTF-8"),
        (["a.png", ".", "--artist", "x" * 3000], "the artist has more than 2000 characters"),
    ],
)
def test_what_cannot_be_trained(folder, arguments, said):
    (folder / "r.toml").write_text("[[style]]\npainting = 'strokes.png'")
    done = run("train", *arguments, "-o", "x", cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr


def test_networks_are_listed_with_their_speed(folder):
    done = run("networks", "tiny", "--size", "96x64", "--threads", "1", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["name"] == "tiny"
    assert record["ms"] > 0
    for size in ("large", "1" * 5000 + "x16", "१६x१६", "16x²", "8x8", "-16x16", "99999x64"):
        wrong = run("networks", "tiny", "--size", size, cwd=folder)
        assert wrong.returncode == 2
        assert "use --size 1920x1080" in wrong.stderr


def test_train_any_learns_and_says_what_came_of_it(photos, tmp_path, monkeypatch):
    """Its folder is written by :mod:`impasto.studio.export.publish`, which has its own test."""
    written = []
    monkeypatch.setattr(train_any, "write_hypernetwork", lambda *given: written.append(given))
    paintings = learning_any.paintings(tmp_path)
    shape = "--components", 2, "--hidden", 8, "--embedding", 4, "--directions", 2, "--width", 4
    small = "--crop", 64, "--first-crop", 32, "--style-size", 48, "--blocks", 2, "--styles", 2
    command = "train-any", paintings, photos, "-o", "mine", "--steps", 1, "--batch", 1
    done = run(*command, *shape, *small, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = r"mine  1 steps  held-out paintings: style [0-9.]+, content [0-9.]+, tone -?[0-9.]+"
    assert re.search(told, done.stderr)
    assert "Try: impasto stylize photo.jpg -s painting.jpg --hypernetwork mine" in done.stderr
    options = written[0][1].options
    assert (options.components, options.embedding, written[0][1].network.width) == (2, 4, 4)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--start", "nowhere"), 2, "nowhere is no hypernetwork"),
        (("--start", "photo.jpg"), 1, "photo.jpg is not a hypernetwork"),
        (("--styles", "0"), 2, "styles is 0"),
        (("--style-statistic", "moments"), 2, "gram-covariance"),
    ],
)
def test_train_any_refuses_what_cannot_work(arguments, code, said, folder, photos):
    before = sorted(folder.iterdir())
    done = run("train-any", folder, photos, "-o", "mine", *arguments, cwd=folder)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert said in done.stderr
    assert sorted(folder.iterdir()) == before

"""Recipes in pictures: of older versions, of strangers, and made to break what reads them."""

import copy
import dataclasses
import json
from functools import partial

import pytest

import running
from impasto import images
from impasto.errors import OptionError, PictureError
from impasto.options import LossOptions, OptimizeOptions
from impasto.studio.optimization import recipe

QUICK = OptimizeOptions(size=64, steps=1, scales=1)
SOURCE = {"path": "photo.png", "pixels_sha256": "0" * 64}
WHOLE = {
    "impasto": "0.1.0",
    "torch": "2",
    "content": SOURCE,
    "styles": [{**SOURCE, "weight": 1.0}],
    "masks": [],
    "options": json.loads(json.dumps(dataclasses.asdict(QUICK))),
}


def changed(*place, to):
    """The recipe with another value in a place; ``to`` None drops it."""
    record = copy.deepcopy(WHOLE)
    inside = record
    for key in place[:-1]:
        inside = inside[key]
    if to is None:
        del inside[place[-1]]
    else:
        inside[place[-1]] = to
    return json.dumps(record)


DAMAGED = {
    "options are a list": changed("options", to=[1]),
    "options are a text": changed("options", to="x"),
    "a loss that is a text": changed("options", "loss", to="x"),
    "layers that are a number": changed("options", "loss", "style_layers", to=5),
    "layers of numbers": changed("options", "loss", "style_layers", to=[5]),
    "a size that is a text": changed("options", "size", to="large"),
    "a seed of many digits": changed("options", "seed", to=1 << 63),
    "an option of another time": changed("options", "magic", to=1),
    "an image from nowhere": changed("options", "init", to="/etc/hostname"),
    "an image that is a list": changed("options", "init", to=["content"]),
    "a content that is a text": changed("content", to="photo.png"),
    "a content without a path": changed("content", "path", to=None),
    "a path that is a list": changed("content", "path", to=["a"]),
    "a checksum that is a number": changed("content", "pixels_sha256", to=5),
    "styles that are a text": changed("styles", to="strokes.png"),
    "styles that are an object": changed("styles", to={"path": "a"}),
    "styles of texts": changed("styles", to=["strokes.png"]),
    "no style": changed("styles", to=[]),
    "no weight": changed("styles", 0, "weight", to=None),
    "a weight that is a text": changed("styles", 0, "weight", to="heavy"),
    "a weight that is a switch": changed("styles", 0, "weight", to=True),
    "masks that are a text": changed("masks", to="mask.png"),
    "masks of numbers": changed("masks", to=[5]),
    "an image that is no object": changed("init", to="a.png"),
}
NONE = {
    "a list": "[1]",
    "a text": '"x"',
    "a number": "1e999",
    "no number": changed("impasto", to="x").replace('"x"', "NaN"),
    "deep": '{"a":' * 300 + "1" + "}" * 300,
    "half of a character": changed("impasto", to="\ud800"),
    "no content": changed("content", to=None),
    "no options": changed("options", to=None),
}


def with_recipe(photo, text, folder):
    images.with_comment(photo, text).save(folder / "out.png", overwrite=True)
    return images.read(folder / "out.png")


@pytest.mark.parametrize("what", DAMAGED)
def test_a_recipe_that_somebody_has_changed_is_said(what, photo):
    with pytest.raises(OptionError, match=r"recipe (in the picture is damaged|cannot be used): "):
        recipe.options(recipe.read(images.with_comment(photo, DAMAGED[what])))


@pytest.mark.parametrize("what", NONE)
def test_what_is_no_recipe_is_said(what, photo):
    with pytest.raises(OptionError, match="holds no recipe of impasto"):
        recipe.read(images.with_comment(photo, NONE[what]))


def test_redo_says_so_at_the_command_line(photo, tmp_path):
    run = partial(running.run, text=True, cwd=tmp_path)
    for what, text in {**DAMAGED, **NONE}.items():
        with_recipe(photo, text, tmp_path)
        done = run("redo", "out.png")
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), (what, done.stderr)
        assert "recipe" in done.stderr, what
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


@pytest.mark.parametrize("path", ["a\0b", "a" * 5000, "/", "", "/dev/zero", "..", "\udcff.png"])
def test_a_name_that_is_no_files_is_said(path, tmp_path):
    with pytest.raises(PictureError):
        recipe.source({"path": path, "pixels_sha256": "0"}, tmp_path / "out.png")


def test_a_recipe_with_an_old_name_is_painted_again():
    loss = LossOptions(loss_network="vgg16", loss_scale="mean")
    wanted = dataclasses.replace(QUICK, init="grey", init_noise=0.5, loss=loss)
    record = json.loads(json.dumps(dataclasses.asdict(wanted)))
    for table, names in (
        (record, {"start": "init", "noise": "init_noise"}),
        (record["loss"], {"network": "loss_network", "scale": "loss_scale"}),
    ):
        table |= {old: table.pop(new) for old, new in names.items()}
    assert recipe.options({"options": record}) == wanted


def test_a_recipe_that_is_none_or_of_another_time_is_told(photo, tmp_path):
    with pytest.raises(OptionError, match="holds no recipe"):
        recipe.read(photo)
    with pytest.raises(OptionError, match="do not exist here: magic"):
        recipe.options({"options": {"magic": 1}})
    with pytest.raises(OptionError, match="steps is -1"):
        recipe.options({"options": {"steps": -1}})
    entry = {"path": str(tmp_path / "gone.png"), "pixels_sha256": ""}
    with pytest.raises(PictureError, match="is not there"):
        recipe.source(entry, tmp_path / "out.png")
    photo.save(tmp_path / "gone.png")
    with pytest.raises(PictureError, match="not the picture that the recipe was made with"):
        recipe.source(entry, tmp_path / "out.png")

from pathlib import Path

import numpy as np
import pytest

from impasto import catalog, images
from impasto.errors import OptionError, PictureError
from impasto.options import NetworkOptions
from impasto.studio.networks import NETWORKS
from impasto.studio.training import paintings
from impasto.studio.training.paintings import Painting

RECIPE = """
[train]
tier = "tiny"
blocks = 2
steps = 7
start = "starry-night"
style_layers = ["conv1_1", "conv2_1:0.5"]
learn_strength = true

[[style]]
painting = "Green Dots.png"

[[style]]
name = "strokes"
painting = "a/strokes.png"
title = "Strokes"
artist = "A test"
year = 1889
style_size = 300
style_crop = "0,0,1,0.5"
style_weight = 2.5
"""


def written(folder, text):
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_a_recipe_names_paintings_and_options(tmp_path):
    recipe = paintings.read(written(tmp_path, RECIPE))
    assert recipe.paintings == [
        Painting(tmp_path / "Green Dots.png", name="green-dots"),
        Painting(
            tmp_path / "a/strokes.png", name="strokes", title="Strokes", artist="A test",
            year="1889", style_size=300, style_crop="0,0,1,0.5", style_weight=2.5,
        ),
    ]  # fmt: skip
    assert recipe.start == "starry-night"
    options = recipe.options
    assert (options.steps, options.learn_strength) == (7, True)
    assert options.loss.style_layers == ("conv1_1", "conv2_1:0.5")
    assert options.network == NetworkOptions(width=NETWORKS["tiny"].width, blocks=2)


def test_a_recipe_may_call_the_loss_network_as_it_was_called(tmp_path):
    style = "[[style]]\npainting = 'a.jpg'\n"
    path = written(tmp_path, f"[train]\nnetwork = 'vgg16'\nwidth = 4\n{style}")
    found = paintings.read(path)
    assert found.options.loss.loss_network == "vgg16"
    assert found.options.network == NetworkOptions(width=4)
    assert found.notes == (f"{path} says network, which is called loss_network now",)
    now = paintings.read(written(tmp_path, f"[train]\nloss_network = 'vgg16'\nwidth = 4\n{style}"))
    assert (now.options, now.notes) == (found.options, ())


def test_a_recipe_may_say_strength_and_scale_as_they_were_called(tmp_path):
    style = "[[style]]\npainting = 'a.jpg'\n"
    path = written(tmp_path, f"[train]\nstrength = true\nscale = 'mean'\nstart = 'udnie'\n{style}")
    found = paintings.read(path)
    assert (found.options.learn_strength, found.options.loss.loss_scale) == (True, "mean")
    assert found.start == "udnie"
    assert found.notes == (
        f"{path} says strength, which is called learn_strength now",
        f"{path} says scale, which is called loss_scale now",
    )
    both = f"[train]\nstrength = true\nlearn_strength = true\n{style}"
    with pytest.raises(OptionError, match="strength is the old name of learn_strength"):
        paintings.read(written(tmp_path, both))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no style"),
        ("[train", "is not a recipe"),
        ("[[style]]\nname = 'a'", "has no painting"),
        ("[[style]]\npainting = 'a.jpg'\ncolour = 1", "an unknown entry, 'colour'"),
        ("[training]\nsteps = 1", "an unknown entry, 'training'"),
        ("[train]\nstep = 1\n[[style]]\npainting = 'a.jpg'", "no option 'step' - .*mean steps"),
        ("[train]\nsteps = 0\n[[style]]\npainting = 'a.jpg'", "steps is 0"),
        ("[train]\ntier = 'huge'\n[[style]]\npainting = 'a.jpg'", "no network 'huge'"),
        ("[[style]]\npainting = 'a.jpg'\nname = 'A B'", "cannot be the name"),
        ("train = 5\n[[style]]\npainting = 'a.jpg'", "train in .* is no table"),
        ("style = [5]", "has 5 where a table should be"),
        ("[[style]]\npainting = 5", "has no painting"),
        ("[[style]]\npainting = 'a.jpg'\nstyle_size = '400'", "style size must be a whole number"),
        ("[[style]]\npainting = 'a.jpg'\nstyle_size = 0", "style size is 0"),
    ],
)
def test_what_a_recipe_may_not_say(tmp_path, text, said):
    with pytest.raises(OptionError, match=said):
        paintings.read(written(tmp_path, text))
    with pytest.raises(OptionError, match="is not a recipe"):
        paintings.read(tmp_path / "none.toml")


def test_numbers_become_texts_where_texts_belong(tmp_path):
    recipe = written(tmp_path, "[[style]]\npainting = 'a.jpg'\nname = 1948\ntitle = 1948")
    entry = paintings.read(recipe).paintings[0].entry()
    assert (entry.name, entry.title) == ("1948", "1948")


def test_a_painting_in_another_script_has_a_name():
    assert Painting("\u6d77.jpg").name == "painting"


def test_what_the_card_says_of_a_painting():
    entry = Painting("x/the-kiss.jpg", artist="Gustav Klimt").entry()  # a text is a path, too
    assert entry.name == "the-kiss"
    assert entry.artwork == catalog.Artwork("The Kiss", "Gustav Klimt", "unknown", "unknown")


def test_its_own_size_wins(painting):
    assert paintings.Painting(painting).picture(64).width == 64
    assert paintings.Painting(painting, style_size=96).picture(64).width == 96
    with pytest.raises(PictureError, match="No such file"):
        paintings.Painting(painting.with_name("none.png")).picture(64)


def test_it_is_smoothed_as_much_as_is_wanted(painting):
    plain, smooth = (Painting(painting).picture(64, "whole", each) for each in (0, 1.5))
    assert np.array_equal(plain.pixels, Painting(painting).picture(64).pixels)
    fine = [np.abs(np.diff(each.pixels.astype(float), axis=1)).mean() for each in (plain, smooth)]
    assert fine[1] < 0.6 * fine[0]
    means = [each.pixels.mean((0, 1)) for each in (plain, smooth)]
    assert np.abs(means[0] - means[1]).max() < 2


def test_a_part_of_it_is_learnt(painting):
    whole = images.read(painting)
    left = paintings.Painting(painting).picture(64, "0,0,0.5,1")
    assert left.width / left.height == pytest.approx(whole.width / whole.height / 2, rel=0.05)
    own = paintings.Painting(painting, style_crop="center").picture(64, "whole")
    assert (own.width, own.height) == (64, 64)
    with pytest.raises(OptionError, match="no part of a picture"):
        paintings.Painting(painting).picture(64, "the middle")


def test_the_gallerys_recipes_can_be_read():
    found = sorted(Path(__file__).parents[3].glob("gallery/*.toml"))
    assert found
    for path in found:
        recipe = paintings.read(path)
        (painting,) = recipe.paintings
        assert painting.name == path.stem
        assert painting.path.parent.name == "paintings"
        assert painting.title and painting.artist and painting.year
        assert painting.licence == "public domain"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train = 5\n[[style]]\npainting = 'a.png'", "train in .* is no table"),
        ("style = 5", "names no style"),
        ("style = [5]", "where a table should be"),
        ("[[style]]\npainting = 5", "has no painting"),
        ("[[style]]\npainting = ['a']", "has no painting"),
        ("[[style]]\npainting = 'a.png'\ntitle = ['a']", "title in .* use title ="),
        ("[[style]]\npainting = 'a.png'\nname = { a = 1 }", "name in .* use name ="),
        ("[[style]]\npainting = 'a.png'\nstyle_weight = 'heavy'", "style weight must be a number"),
        ("[[style]]\npainting = 'a.png'\nstyle_size = [1]", "style size must be a whole number"),
        ("[[style]]\npainting = 'a.png'\nstyle_crop = 5", "style crop must be a text"),
        ("[train]\ntier = 5\n[[style]]\npainting = 'a.png'", "tier in .* it must be a text"),
        ("[train]\nstart = ['a']\n[[style]]\npainting = 'a.png'", "start in .* must be a text"),
        ("[train]\nstyle_layers = 5\n[[style]]\npainting = 'a.png'", "must be a list of texts"),
        ("[train]\nseed = 1979-05-27\n[[style]]\npainting = 'a.png'", "must be a whole number"),
        ("[train]\nloss = { a = 1 }\n[[style]]\npainting = 'a.png'", "no option 'loss'"),
        ("style = " + "[" * 900 + "]" * 900, "too deep"),
    ],
)
def test_a_recipe_of_other_kinds_is_said(text, said, tmp_path):
    with pytest.raises(OptionError, match=said):
        paintings.read(written(tmp_path, text))

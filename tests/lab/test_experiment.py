"""Experiments as data: what a recipe says, and what it may not."""

import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image

from impasto.errors import OptionError
from impasto.lab import experiment
from impasto.options import OptimizeOptions
from impasto.options.fields import changed
from impasto.studio.optimization.presets import preset
from impasto.studio.perceptual import loading


def test_axes_are_multiplied_and_the_last_runs_fastest(experiment):
    trials = experiment.trials()
    assert [tuple(t.labels.values()) for t in trials] == [
        ("1", "first"), ("1", "two"), ("30", "first"), ("30", "two"),
    ]  # fmt: skip
    assert [t.options.loss.style_weight for t in trials] == [1, 1, 30, 30]
    assert trials[3].options.loss.style_layers == ("conv1_1", "conv2_1:0.5")
    assert {t.options.size for t in trials} == {48}
    assert experiment.rows_and_columns() == (["style weight"], ["layers"])


def test_paired_axes_go_together(recipe, pictures):
    recipe.write_text("paired = true\n" + recipe.read_text("utf-8"), "utf-8")
    found = experiment_of(recipe).with_pictures([pictures["photo"]], [pictures["strokes"]])
    assert [dict(t.labels) for t in found.trials()] == [
        {"style weight / layers": "1 / first"}, {"style weight / layers": "30 / two"},
    ]  # fmt: skip
    assert found.rows_and_columns() == ([], ["style weight / layers"])


def experiment_of(path):
    return experiment.read(path)


def test_several_pictures_are_an_axis(recipe, pictures):
    found = experiment_of(recipe).with_pictures(
        [pictures["photo"]], [pictures["strokes"], pictures["checks"]]
    )
    trials = found.trials()
    assert len(trials) == 8
    assert [t.labels["painting"] for t in trials] == ["strokes"] * 4 + ["checks"] * 4
    assert found.rows_and_columns() == (["painting", "style weight"], ["layers"])


def test_pictures_are_beside_the_recipe_and_the_command_line_replaces_them(recipe, pictures):
    recipe.write_text('contents = ["a.jpg"]\nstyles = ["b.jpg"]\n' + recipe.read_text("utf-8"))
    found = experiment_of(recipe)
    assert found.contents == (recipe.parent / "a.jpg",)
    assert found.with_pictures([], [pictures["checks"]]).styles == (pictures["checks"],)
    with pytest.raises(OptionError, match="names no style picture"):
        dataclasses.replace(found, styles=()).trials()


def test_a_base_is_a_preset_and_changes_to_it(recipe):
    text = recipe.read_text("utf-8").replace("[base]", '[base]\npreset = "gatys2015"')
    recipe.write_text(text, "utf-8")
    base = experiment_of(recipe).base
    assert base.loss.loss_scale == preset("gatys2015").loss.loss_scale == "gatys"
    assert (base.size, base.loss.content_layers) == (48, ("conv2_1",))
    assert experiment_of(recipe).with_base({"steps": 9}).base.steps == 9


def test_the_key_is_of_everything_that_is_painted_and_of_nothing_else(experiment, tmp_path):
    first, second = experiment.trials()[:2]
    assert first.key == dataclasses.replace(first, labels={}).key
    assert first.key != second.key
    longer = dataclasses.replace(first.options, steps=4)
    assert dataclasses.replace(first, options=longer).key != first.key
    pixels = np.asarray(Image.open(first.content)).copy()
    Image.fromarray(pixels).save(tmp_path / "same.png")
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(tmp_path / "other.png")
    assert dataclasses.replace(first, content=tmp_path / "same.png").key == first.key
    assert dataclasses.replace(first, content=tmp_path / "other.png").key != first.key


def test_runs_that_are_there_are_still_known(experiment):
    """Keys as they were when options had other names."""
    assert [trial.key for trial in experiment.trials()] == [
        "bd838f092ada2d70", "4949b6381e4b01dd", "a39e21f2bd712bcc", "9e45587a0c9e6507",
    ]  # fmt: skip


def test_an_experiment_may_call_the_loss_network_as_it_was_called(recipe):
    text = recipe.read_text("utf-8").replace("[base]", '[base]\nnetwork = "vgg16"')
    axes = (
        '[[axis]]\noption = "network"\nvalues = ["vgg16-hed", "vgg19"]\n'
        '[[axis]]\nname = "both"\nvalues = [{ label = "a", network = "resnet18" }]\n'
    )
    recipe.write_text(text[: text.index("[[axis]]")] + axes, "utf-8")
    found = experiment_of(recipe)
    assert found.base.loss.loss_network == "vgg16"
    assert [dict(value.knobs) for axis in found.axes for value in axis.values] == [
        {"loss_network": "vgg16-hed"}, {"loss_network": "vgg19"}, {"loss_network": "resnet18"},
    ]  # fmt: skip
    assert found.notes == (f"{recipe} says network, which is called loss_network now",)


def test_an_experiment_may_say_start_noise_and_scale_as_they_were_called(recipe):
    text = recipe.read_text("utf-8").replace("[base]", '[base]\nstart = "grey"\nnoise = 0.5')
    axis = '[[axis]]\noption = "scale"\nvalues = ["mean", "gatys"]\n'
    recipe.write_text(text[: text.index("[[axis]]")] + axis, "utf-8")
    found = experiment_of(recipe)
    assert (found.base.init, found.base.init_noise) == ("grey", 0.5)
    assert [dict(value.knobs) for axis in found.axes for value in axis.values] == [
        {"loss_scale": "mean"}, {"loss_scale": "gatys"},
    ]  # fmt: skip
    assert found.notes == tuple(
        f"{recipe} says {old}, which is called {new} now"
        for old, new in (("start", "init"), ("noise", "init_noise"), ("scale", "loss_scale"))
    )


def test_the_key_is_of_what_is_in_files_that_options_name(experiment, tmp_path, pictures):
    trial, path = experiment.trials()[0], tmp_path / "own"

    def key(**knobs):
        return dataclasses.replace(trial, options=changed(trial.options, knobs)).key

    keys = set()
    for content in (b"one", b"another"):
        path.write_bytes(content)
        keys |= {key(init=str(path)), key(weights=str(path))}
        shutil.copy(path, tmp_path / "copy")
        assert key(init=str(tmp_path / "copy")) == key(init=str(path))
    assert len(keys) == 4


AXIS = '[[axis]]\noption = "steps"\nvalues = [1, 2]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[axis", "is not an experiment"),
        ("", "varies nothing"),
        ("titel = 1\n" + AXIS, "an unknown entry, 'titel'"),
        ('[[axis]]\noption = "steps"', "has no values"),
        ('[[axis]]\nname = "x"\nvalues = [1]', "does not say which option"),
        ("[[axis]]\nvalues = [{ steps = 1 }]", "has no name"),
        ('[[axis]]\nname = "style"\nvalues = [{ steps = 1 }]', "called style, as a column"),
        ('[[axis]]\noption = "stepz"\nvalues = [1]', "no option 'stepz'"),
        ('[[axis]]\noption = "steps"\nvalues = [0]', "steps is 0"),
        ('[[axis]]\noption = "steps"\nvalues = [1, 1]', "one label twice"),
        (AXIS + AXIS, "two axes of one name"),
        ("paired = true\n" + AXIS + AXIS.replace("steps", "size").replace("1, 2", "64"), "lengths"),
        ("[base]\npreset = 'gaty'\n" + AXIS, "gaty"),
        ("[base]\npreset = 5\n" + AXIS, "preset in .* it must be a text"),
        ("base = 5\n" + AXIS, "base in .* is no table"),
        ("contents = 5\n" + AXIS, "use a list"),
        ("styles = [5]\n" + AXIS, "use a list"),
        ("title = [1]\n" + AXIS, "title in .* it must be a text"),
        ("paired = 'no'\n" + AXIS, "it must be true or false"),
        ("axis = 5", "varies nothing"),
        ("axis = [5]", "where a table should be"),
        ('[[axis]]\noption = "steps"\nvalues = 5', "has no values"),
        ('[[axis]]\noption = "style_layers"\nvalues = [5]', "must be a list of texts"),
        ('[[axis]]\noption = "style_layers"\nvalues = [[[1]]]', "must be a list of texts"),
        ('[[axis]]\noption = ["steps"]\nvalues = [1]', "no option"),
        ("axis = " + "[" * 900 + "]" * 900, "too deep"),
        (
            "".join(
                f'[[axis]]\nname = "{n}"\noption = "steps"\nvalues = {list(range(1, 1000))}\n'
                for n in "abcd"
            ),
            "asks for 996,005,996,001 runs",
        ),
    ],
)
def test_what_cannot_be_understood_is_said(tmp_path, text, said):
    path = tmp_path / "bad.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(OptionError, match=said):
        experiment.read(path)


def test_an_unknown_name_is_said():
    with pytest.raises(OptionError, match="no experiment layers-stile"):
        experiment.find("layers-stile")


def test_twelve_experiments_come_with_impasto_and_name_layers_that_exist(pictures):
    names = experiment.shipped()
    assert len(names) == 12
    layers = set(loading.load("vgg19").layers)
    for name, title in names.items():
        found = experiment.find(name).with_pictures([pictures["photo"]], [pictures["strokes"]])
        assert title == found.title
        assert found.question.endswith(("?", "."))
        trials = found.trials()
        assert len({t.options for t in trials}) == len(trials) >= 4
        for trial in trials:
            assert isinstance(trial.options, OptimizeOptions)
            if trial.options.loss.loss_network == "vgg19":
                used = trial.options.loss.content_layers + trial.options.loss.style_layers
                assert set(used) <= layers

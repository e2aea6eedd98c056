import importlib.util
import json
import re
import sys
from dataclasses import asdict, dataclass, fields, is_dataclass, replace

import numpy as np
import pytest

from impasto import options
from impasto.errors import OptionError
from impasto.options import (
    EvaluateOptions,
    LossOptions,
    OptimizeOptions,
    SearchOptions,
    StylizeOptions,
    TrainOptions,
)
from impasto.options import fields as knobs
from impasto.options.fields import (
    Checked,
    changed,
    current,
    current_record,
    flattened,
    former,
    restored,
)

ALL = [
    each
    for each in vars(options).values()
    if isinstance(each, type) and issubclass(each, Checked) and is_dataclass(each)
]


@pytest.mark.parametrize("options", ALL)
def test_every_knob_says_what_it_does_in_one_line(options):
    for knob in fields(options):
        said = knob.metadata["doc"]
        assert said.endswith(".")
        assert len(said) < 100


@pytest.mark.parametrize("options", ALL)
def test_every_range_and_choice_is_kept_at_both_ends(options):
    for knob in fields(options):
        low, high = knob.metadata["low"], knob.metadata["high"]
        for end, beyond in ((low, -1), (high, 1)):
            if end is not None:
                options(**{knob.name: end})
                with pytest.raises(OptionError, match=knob.name.replace("_", " ")):
                    options(**{knob.name: end + beyond})
        for choice in knob.metadata["choices"] or ():
            options(**{knob.name: choice})
        if knob.metadata["choices"]:
            with pytest.raises(OptionError, match="it must be .* or "):
                options(**{knob.name: "nonsense"})


def test_what_is_no_number_is_refused():
    for wrong in (float("nan"), "1", True):
        with pytest.raises(OptionError, match="strength"):
            StylizeOptions(strength=wrong)
    with pytest.raises(OptionError, match="size is 1000"):
        StylizeOptions(size=10**400)
    with pytest.raises(OptionError, match="size must be a whole number, not None"):
        OptimizeOptions(size=None)
    assert StylizeOptions(size=None).size is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": 2e3}, "steps must be a whole number, not 2000.0"),
        ({"learn_strength": "no"}, "learn strength must be true or false, not 'no'"),
        ({"learning_rate": "0.1"}, "learning rate must be a number"),
        ({"style_crop": 3}, "style crop must be a text"),
        ({"style_layers": 3}, "style layers must be a list of texts, not 3"),
        ({"style_layers": [1]}, "style layers must be a list of texts"),
        ({"seed": np.int64(3), "learning_rate": np.float32(0.5), "style_layers": ["a", "b"]}, ""),
    ],
)
def test_values_of_another_kind_are_refused(given, said):
    if not said:
        assert changed(TrainOptions(), given).loss.style_layers == ("a", "b")
        return
    with pytest.raises(OptionError, match=said):
        changed(TrainOptions(), given)


@pytest.mark.parametrize("options", [TrainOptions, OptimizeOptions])
def test_the_trainer_and_the_optimiser_share_their_losses(options):
    assert type(options().loss) is LossOptions
    given = {"style_weight": 7.0, "pooling": "average"}
    assert changed(options(), given) == replace(options(), loss=replace(options().loss, **given))


OPTIONS = """
from dataclasses import dataclass
from typing import Optional

from impasto.options.fields import Checked, knob


@dataclass(frozen=True)
class Inner(Checked):
    name: str = knob("a", "A text.")


@dataclass(frozen=True)
class Options(Checked):
    steps: int = knob(1, "A whole number.", low=1)
    size: int | None = knob(None, "A whole number, or none.", low=1)
    rate: Optional[float] = knob(None, "A number, or none.")
    box: bool = knob(True, "A switch.")
    layers: tuple[str, ...] = knob((), "Texts.")
    inner: Inner = knob(Inner(), "Others.")


@dataclass(frozen=True)
class Unknown(Checked):
    sizes: list[int] = knob((), "Nothing that options have.")


@dataclass(frozen=True)
class Either(Checked):
    size: int | bytes = knob(1, "Nothing that options have.")
"""


@pytest.fixture(scope="module", params=["", "from __future__ import annotations"])
def module(request, tmp_path_factory):
    """Options whose annotations are types, or texts."""
    path = tmp_path_factory.mktemp("options") / f"options_{bool(request.param)}.py"
    path.write_text(request.param + OPTIONS)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    made = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    yield made
    del sys.modules[path.stem]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": "3"}, "steps must be a whole number, not '3'"),
        ({"steps": True}, "steps must be a whole number, not True"),
        ({"steps": None}, "steps must be a whole number, not None"),
        ({"size": "3"}, "size must be a whole number, not '3'"),
        ({"rate": "3"}, "rate must be a number, not '3'"),
        ({"box": 1}, "box must be true or false, not 1"),
        ({"layers": ["a"]}, "layers must be a list of texts, not"),
        ({"layers": (1,)}, "layers must be a list of texts, not"),
        ({"inner": {"name": "b"}}, "inner must be Inner, not"),
    ],
)
def test_kinds_are_checked_however_they_are_written(module, wrong, said):
    module.Options(steps=2, size=3, rate=0.5, box=False, layers=("a",), inner=module.Inner("b"))
    module.Options(size=None, rate=None)
    with pytest.raises(OptionError, match=re.escape(said)):
        module.Options(**wrong)


def test_a_kind_that_is_not_known_is_an_error_of_who_wrote_it(module):
    with pytest.raises(TypeError, match=r"Unknown.sizes is list\[int\], a kind that no option has"):
        module.Unknown()
    with pytest.raises(TypeError, match=r"Either.size is int \| bytes"):
        module.Either()


def test_options_that_hold_others_are_not_changed_by_their_name():
    with pytest.raises(OptionError, match=r"no option 'network' - did you mean loss_network\?"):
        changed(TrainOptions(), {"network": "vgg16"})
    made = changed(TrainOptions(), {"loss_network": "vgg16", "width": 4})
    assert (made.loss.loss_network, made.network.width) == ("vgg16", 4)


@dataclass(frozen=True)
class Part(Checked):
    network: str = knobs.knob("a", "A knob.")


@dataclass(frozen=True)
class Doubled(Checked):
    network: Part = knobs.knob(Part(), "What its knob is called, too.")


@dataclass(frozen=True)
class Twice(Checked):
    one: Part = knobs.knob(Part(), "One.")
    other: Part = knobs.knob(Part(), "The other.")


@pytest.mark.parametrize("options", [Doubled, Twice])
def test_one_name_of_two_options_is_an_error_of_who_wrote_it(options):
    with pytest.raises(TypeError, match=f"{options.__name__} has two options called network"):
        changed(options(), {"network": "b"})


def test_old_names_are_read_and_told():
    told = []
    for made in (TrainOptions(), OptimizeOptions(), LossOptions(), SearchOptions()):
        found = current(made, {"network": "vgg16", "steps": 3}, lambda *names: told.append(names))
        assert found == {"loss_network": "vgg16", "steps": 3}
    assert told == [("network", "loss_network")] * 4
    assert current(TrainOptions(), {"loss_network": "vgg16", "width": 4})["width"] == 4
    with pytest.raises(
        OptionError, match="network is the old name of loss_network, which is given"
    ):
        current(LossOptions(), {"network": "vgg16", "loss_network": "vgg19"})


RENAMED = [
    (OptimizeOptions(), {"start": "grey", "noise": 0.5}, {"init": "grey", "init_noise": 0.5}),
    (OptimizeOptions(), {"scale": "gatys"}, {"loss_scale": "gatys"}),
    (EvaluateOptions(), {"start": "a", "noise": 3}, {"init": "a", "flicker_noise": 3}),
    (TrainOptions(), {"strength": True, "scale": "a"}, {"learn_strength": True, "loss_scale": "a"}),
    (StylizeOptions(), {"strength": 0.5}, {"strength": 0.5}),
]


@pytest.mark.parametrize(("options", "before", "now"), RENAMED)
def test_each_word_has_one_meaning_and_its_old_ones_are_read_and_told(options, before, now):
    told = []
    assert current(options, before, lambda *names: told.append(names)) == now
    assert told == [names for names in zip(before, now, strict=True) if len({*names}) > 1]
    assert current(options, now) == now
    for old, new in told:
        with pytest.raises(OptionError, match=f"{old} is the old name of {new}, which is given"):
            current(options, {old: before[old], new: now[new]})


@pytest.mark.parametrize("options", [OptimizeOptions(), TrainOptions(), SearchOptions()])
def test_a_record_of_old_names_is_brought_up_to_date_at_every_depth(options):
    record = json.loads(json.dumps(asdict(options)))
    before = json.loads(json.dumps(former(options)))
    assert before != record
    assert current_record(options, before) == record
    assert current_record(options, {**before, "photographs": 3}) == {**record, "photographs": 3}
    assert restored(type(options), before) == options


def test_a_record_with_an_old_and_a_new_name_is_refused():
    loss = {"scale": "mean", "loss_scale": "gatys"}
    with pytest.raises(OptionError, match="scale is the old name of loss_scale"):
        current_record(TrainOptions(), {"loss": loss})


def test_flattened_names_say_nothing_twice():
    assert dict(flattened({"training": {"loss": {"loss_network": "a", "tv_weight": 1}}})) == {
        "training loss network": "a",
        "training loss tv weight": 1,
    }
    names = [name for name, _ in flattened(asdict(TrainOptions()))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("seed", 1 << 63, "seed is 9223372036854775808 - it must fit into 64 bits"),
        pytest.param("seed", 10**5000, "too long to be shown - it must fit into 64", id="5000"),
        pytest.param("style_weight", 10**400, "it must fit into 64 bits", id="400"),
        ("style_weight", float("inf"), "style weight is inf - it must be a finite number"),
        ("style_weight", float("nan"), "style weight is nan"),
        ("style_layers", 5, "must be a list of texts, not 5"),
        ("style_layers", [5], "must be a list of texts"),
        ("steps", [1], "must be a whole number"),
        ("tune", "x" * 999, r"it must be all or norms"),
    ],
)
def test_numbers_that_nothing_takes_are_refused_by_name(name, value, said):
    with pytest.raises(OptionError, match=said):
        changed(TrainOptions(), {name: value})
    assert changed(TrainOptions(), {"seed": (1 << 63) - 1}).seed == (1 << 63) - 1

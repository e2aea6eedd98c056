from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from impasto import options
from impasto.errors import OptionError
from impasto.knobs import Checked, changed, doc
from impasto.options import LossOptions, OptimizeOptions, StylizeOptions, TrainOptions

ALL = [
    each
    for each in vars(options).values()
    if isinstance(each, type) and issubclass(each, Checked) and is_dataclass(each)
]


@pytest.mark.parametrize("options", ALL)
def test_every_knob_says_what_it_does_in_one_line(options):
    for knob in fields(options):
        said = doc(options, knob.name)
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
        ({"strength": "no"}, "strength must be true or false, not 'no'"),
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

"""What is meant by the name of a style that is not there."""

import pytest

from impasto import catalog
from impasto.errors import OptionError

NEAR = {
    "Great Wave": "did you mean great-wave or great-wave-tiny or great-wave-bold?",
    "great_wave": "did you mean great-wave or great-wave-tiny or great-wave-bold?",
    "monet": "did you mean parasol or water-lilies?",
    "Van Gogh": "did you mean cafe-terrace or self-portrait or starry-night or starry-night-bold "
    "or sunflowers or wheat-field?",
    "udnei": "did you mean udnie?",
    "all": "impasto sheet PHOTO paints all of them on one sheet",
    "nothing-like-it": "there are: apples-and-oranges, cafe-terrace, ",
    "x" * 60_000: "there are: apples-and-oranges, cafe-terrace, ",
}
BLENDS = [
    *("great-wave,udnie", "great-wave+udnie", "great-wave udnie", "great-wave;udnie"),
    *("great-wave:50%,udnie:50%", "great-wave:a,udnie:b", "great-wave*0.5+udnie*0.5"),
]


@pytest.mark.parametrize("name", NEAR)
def test_the_hint_is_what_may_be_meant(name):
    with pytest.raises(OptionError, match="there is no") as refused:
        catalog.find(name)
    assert refused.value.hint.startswith(NEAR[name])
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("text", BLENDS)
def test_a_blend_is_explained_with_the_styles_that_were_given(text):
    with pytest.raises(OptionError, match="is no blend") as refused:
        catalog.find(text)
    assert "-s great-wave:0.7,udnie:0.3; " in refused.value.hint


def test_a_blend_may_have_blanks():
    blend = catalog.find(" great-wave:0.5, udnie:0.5 ")
    assert blend.name == catalog.find("great-wave:0.5,udnie:0.5").name


def test_a_share_alone_is_explained_with_another_style():
    with pytest.raises(OptionError, match="-s udnie:0.7,apples-and-oranges:0.3"):
        catalog.find("udnie,")

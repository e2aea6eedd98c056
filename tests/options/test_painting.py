"""Sizes of paintings, in pixels and as shares."""

import pytest

from impasto.errors import OptionError
from impasto.options import StylizeOptions
from impasto.options.painting import size, stroke


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("1024", 1024),
        (" 1024px", 1024),
        ("50%", 600),
        ("200 %", 2400),
        ("0.01%", 1),
        ("33.3%", 400),
    ],
)
def test_what_people_write_as_a_size(text, side):
    assert StylizeOptions(size=size(text)).side(800, 1200) == side


def test_without_a_size_a_picture_stays_as_it_is():
    assert StylizeOptions().side(800, 600) == 800


@pytest.mark.parametrize("text", ["1024x768", "0%", "half", "50", "-5%", "", "9" * 60_000])
def test_other_texts_are_no_size(text):
    with pytest.raises(OptionError, match="it is the long side in pixels, such as 1024, or a"):
        StylizeOptions(size=text)


@pytest.mark.parametrize("wrong", [0, 65_501, True, 0.5, [50]])
def test_other_values_are_none(wrong):
    with pytest.raises(OptionError, match="size"):
        StylizeOptions(size=wrong)


def test_a_share_is_not_longer_than_what_can_be_painted():
    with pytest.raises(OptionError, match="9999% would be 119988 pixels - the limit is 65500"):
        StylizeOptions(size="9999%").side(1200, 800)


@pytest.mark.usefixtures("marks_as_they_are")
@pytest.mark.parametrize(
    ("text", "side"), [("1", 1024), ("0.5", 2048), (" 4 ", 256), ("pixels", None)]
)
def test_what_people_write_as_a_size_of_marks(text, side):
    options = StylizeOptions(stroke=stroke(text))
    assert options.marks_side == side
    assert options.largest_side(600) == max(600, side or 0)


@pytest.mark.usefixtures("marks_as_they_are")
def test_marks_are_in_proportion_by_default_and_none_is_pixels():
    assert StylizeOptions().marks_side == 1024
    assert StylizeOptions(stroke=None).marks_side is None


@pytest.mark.parametrize("wrong", ["pixel", "1x", "", "0", "11", "nan", "inf", "None"])
def test_other_texts_are_no_size_of_marks(wrong):
    with pytest.raises(OptionError, match="stroke is "):
        StylizeOptions(stroke=stroke(wrong))

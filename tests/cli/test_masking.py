"""``--mask`` on the command line: its order, its files, its refusals."""

import numpy as np
import pytest
from PIL import Image

import impasto
from impasto import images
from running import run

TINY = "great-wave-tiny", "the-scream-tiny"


@pytest.fixture
def masked(folder):
    """A folder with a photograph, and masks of its left and its right half."""
    left = np.zeros((107, 160), np.uint8)
    left[:, :80] = 255
    Image.fromarray(left).save(folder / "left.png")
    Image.fromarray(255 - left).save(folder / "right.png")
    (folder / "a.jpg").unlink()
    (folder / "sub" / "b.png").rename(folder / "b.png")
    return folder


def paint(folder, *args):
    done = run("stylize", *args, cwd=folder, text=True)
    assert done.returncode == 0, done.stderr
    return {path.name: images.read(path) for path in folder.glob("b.*.png")}


def sides(picture):
    return picture.pixels[:, :75], picture.pixels[:, 85:]


def same(one, other):
    return [bool(np.array_equal(*pair)) for pair in zip(sides(one), sides(other), strict=True)]


@pytest.mark.parametrize("before", [True, False])
def test_one_mask_of_one_style_stands_before_or_after_it(masked, photo, before):
    mask, style = ("--mask", "left.png"), ("-s", TINY[0])
    (painted,) = paint(masked, "b.png", *(mask + style if before else style + mask)).values()
    assert same(painted, photo) == [False, True]
    assert same(painted, impasto.stylize(photo, TINY[0])) == [True, False]


def test_masks_after_their_styles_make_one_picture(masked, photo):
    args = ("-s", TINY[0], "--mask=left.png", f"--style={TINY[1]}", "--mask", "right.png")
    found = paint(masked, "b.png", *args)
    assert [*found] == ["b.great-wave-tiny-and-the-scream-tiny.png"]
    (painted,) = found.values()
    each = [impasto.stylize(photo, name) for name in TINY]
    assert [same(painted, one) for one in each] == [[True, False], [False, True]]
    again = run("stylize", masked, "-s", TINY[0], text=True)  # no result is an input
    assert "and-the-scream" not in again.stderr


def test_a_style_without_a_mask_takes_what_is_left(masked, photo):
    (painted,) = paint(
        masked, "b.png", f"-s{TINY[1]}", "-s", TINY[0], "--mask", "left.png"
    ).values()
    each = [impasto.stylize(photo, name) for name in TINY]
    assert [same(painted, one) for one in each] == [[True, False], [False, True]]


def test_a_mask_before_several_styles_is_the_mask_of_each(masked, photo):
    found = paint(masked, "--mask", "left.png", "b.png", "-s", TINY[0], "-s", TINY[1])
    assert [*sorted(found)] == [f"b.{name}.png" for name in TINY]
    assert all(same(each, photo) == [False, True] for each in found.values())


def test_a_mask_that_lies_in_the_folder_is_not_painted(masked):
    (masked / "right.png").unlink()
    found = paint(masked, ".", "-s", TINY[0], "--mask", "left.png")
    assert [*found] == [f"b.{TINY[0]}.png"]
    assert not [*masked.glob("left.*.png")]
    (masked / "b.png").unlink()
    (masked / f"b.{TINY[0]}.png").unlink()
    alone = run("stylize", ".", "-s", TINY[0], "--mask", "left.png", cwd=masked, text=True)
    assert (alone.returncode, "there is no picture beside the mask" in alone.stderr) == (2, True)


def test_a_mask_through_pipes(masked, photo):
    data = (masked / "b.png").read_bytes()
    args = ("stylize", "-", "-s", TINY[0], "--mask", masked / "left.png")
    assert same(images.read(run(*args, stdin=data).stdout), photo) == [False, True]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("-s", TINY[0], "--mask", "none.png"), 1, "none.png cannot be opened: No such file"),
        (("-s", TINY[0], "--mask", "notes.png"), 1, "notes.png is not a picture (looks like text)"),
        (("-s", TINY[0], "--mask", "black.png"), 1, "black.png is black everywhere, and"),
        (("-s", TINY[0], "--mask", "tall.png"), 1, "tall.png is 20x90, and the photograph is"),
        (("-s", TINY[0], "--mask", ""), 2, "an empty name is no mask"),
        (("-s", TINY[0], "--mask", "left.png", "--mask", "right.png"), 2, "a style has two masks"),
        (("--mask", "left.png", "--mask", "right.png", "-s", TINY[0]), 2, "stands before all"),
        (("--mask", "left.png", "-s", TINY[0], "--mask", "right.png"), 2, "left.png stands before"),
        (
            ("-s", TINY[0], "-s", TINY[1], "-s", "udnie-tiny", "--mask", "left.png"),
            2, "great-wave-tiny and the-scream-tiny have no mask",
        ),
        (("-s", TINY[0], "--mask"), 2, "--mask"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_written(masked, args, code, words):
    (masked / "notes.png").write_text("Dear reader")
    Image.new("L", (160, 107)).save(masked / "black.png")
    Image.new("L", (20, 90), 255).save(masked / "tall.png")
    before = {path.name for path in masked.iterdir()}
    done = run("stylize", "b.png", *args, cwd=masked, text=True)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert {path.name for path in masked.iterdir()} == before

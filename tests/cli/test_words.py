"""What people type first, and the line that they are told to type instead."""

import shlex

import pytest

from impasto import catalog
from running import run

SAID = {
    "a.jpg": "a.jpg is no command - to paint: impasto stylize a.jpg -s great-wave",
    "a.jpg -s udnie": "a.jpg is no command - to paint: impasto stylize a.jpg -s udnie",
    "sub": "sub is no command - to paint: impasto stylize sub -s great-wave",
    "-s udnie a.jpg": "-s is no command - to paint: impasto stylize -s udnie a.jpg",
    "- -s udnie": "standard input is no command - to paint: impasto stylize - -s udnie",
    "udnie": "No such command 'udnie' - it is a style: impasto stylize photo.jpg -s udnie",
    "help": "No such command 'help' - impasto --help",
    "help train": "help is a flag - impasto train --help",
    "list": "No such command 'list' - impasto styles",
    "stylise": "No such command 'stylise' - did you mean stylize or style or styles?",
    "bogus": "No such command 'bogus' - impasto --help lists them",
    "styles udnie": "udnie is no command of impasto styles - impasto styles show udnie",
    "stylize": "no picture was given - impasto stylize photo.jpg -s great-wave",
    "stylize a.jpg -s gone.png": "there is no painting gone.png - check its name and its folder",
    "stylize a.jpg -s great-wave,udnie": (
        "'great-wave,udnie' is no blend - give each style its share as a number: -s "
        "great-wave:0.7,udnie:0.3; or paint a picture in each: -s great-wave -s udnie"
    ),
    "stylize a.jpg -s udnie --size 1024x768": (
        "size is '1024x768' - it is the long side in pixels, such as 1024, or a share, such as 50%"
    ),
    "stylize https://example.org/a.jpg -s udnie": (
        "https://example.org/a.jpg is an address, and impasto takes only files - download it "
        "first, and give the file"
    ),
    "stylize a.jpg -s udnie -o s3://place/": (
        "s3://place/ is an address, and impasto takes only files - results are written to files "
        "of this computer"
    ),
}


@pytest.mark.parametrize("line", SAID)
def test_words_are_answered_with_a_line_to_type(line, folder):
    done = run(*shlex.split(line), cwd=folder, text=True)
    assert (done.returncode, done.stderr.strip()) == (2, SAID[line])
    assert sorted(path.name for path in folder.iterdir()) == ["a.jpg", "sub"]


@pytest.mark.parametrize("line", ["stylize a.jpg", "stylize a.jpg great-wave"])
def test_without_a_style_there_is_the_list_of_them(line, folder):
    done = run(*shlex.split(line), cwd=folder, text=True)
    style = line.split()[-1] if "great" in line else "apples-and-oranges"
    assert done.returncode == 2
    first, *styles, own, sheet, error = done.stderr.splitlines()
    assert first == "The styles:"
    assert [each.split()[0] for each in styles] == [*catalog.looks(catalog.bundled())]
    assert "  great-wave          The Great Wave off Kanagawa, Katsushika Hokusai" in styles
    assert own == "A painting of your own: impasto stylize a.jpg -s painting.jpg"
    assert sheet == "All styles on one sheet: impasto sheet a.jpg"
    add = f"add one with -s (--style): impasto stylize a.jpg -s {style}"
    assert error == f"no style was given - {add}"


def test_the_list_of_styles_is_not_for_programs(folder):
    done = run("stylize", "a.jpg", "--quiet", cwd=folder, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("no style was given - ")


def test_without_anything_there_is_the_help():
    done = run(text=True)
    assert "Commands:" in done.stdout + done.stderr


def test_half_the_size(folder, photo):
    from impasto import images

    done = run("stylize", "a.jpg", "-s", "great-wave-tiny", "--size", "50%", cwd=folder)
    assert done.returncode == 0
    assert images.read(folder / "a.great-wave-tiny.jpg").width == photo.width // 2

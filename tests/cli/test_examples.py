"""Examples: in the help, and where something is missing."""

import shlex

import pytest
from typer.main import get_command

from impasto import cli
from impasto.cli.examples import EXAMPLES
from running import run


def test_each_command_has_two_that_can_be_typed():
    commands = get_command(cli.app).commands
    assert {name for name, each in commands.items() if not hasattr(each, "commands")} == {*EXAMPLES}
    for name, lines in EXAMPLES.items():
        first, second = (shlex.split(line) for line in lines)
        assert first[:2] == second[:2] == ["impasto", name]
        for words in (first, second):
            commands[name].make_context(name, words[2:])


def test_the_help_shows_them_each_on_its_line():
    done = run("style", "--help", text=True)
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    assert lines[-3:] == ["Examples:", *EXAMPLES["style"]]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("style a.jpg", "missing option '--out' / '-o' - such as: impasto style painting.jpg"),
        ("sheet", "missing argument 'photo' - such as: impasto sheet photo.jpg"),
        ("redo -o x.png", "missing argument 'painting' - such as: impasto redo out.png"),
    ],
)
def test_what_is_missing_is_said_with_a_line_to_type(line, said):
    done = run(*shlex.split(line), text=True)
    assert done.returncode == 2
    assert done.stderr.lower().startswith(said)


def test_other_errors_of_flags_stay_what_they_are():
    done = run("sheet", "a.jpg", "--cell", "wide", text=True)
    assert done.returncode == 2
    assert "Invalid value for '--cell'" in done.stderr

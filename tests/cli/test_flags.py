"""Flags made from options: of the real classes, on a command that keeps what it is given."""

from typing import Annotated

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from impasto import cli
from impasto.cli.flags import Quiet, Taken, with_options
from impasto.errors import OptionError
from impasto.options import (
    EvaluateOptions,
    LossOptions,
    NetworkOptions,
    OptimizeOptions,
    ReadOptions,
    ServeOptions,
    StylizeOptions,
    TrainOptions,
    WriteOptions,
)

RENAMED = [
    ("optimize", OptimizeOptions, "--start", "--init", "grey"),
    ("optimize", OptimizeOptions, "--noise", "--init-noise", "0.5"),
    ("optimize", OptimizeOptions, "--scale", "--loss-scale", "gatys"),
    ("optimize", OptimizeOptions, "--network", "--loss-network", "vgg16"),
    ("evaluate", EvaluateOptions, "--start", "--init", "content"),
    ("evaluate", EvaluateOptions, "--noise", "--flicker-noise", "3"),
    ("train", TrainOptions, "--scale", "--loss-scale", "mean"),
    ("train", TrainOptions, "--strength", "--learn-strength", None),
]


def called(options, *arguments, how=None, env=None):
    """The options that a command gets, and what is said meanwhile."""
    made, app = [], typer.Typer()

    @app.command()
    @with_options
    def command(*, quiet: Quiet = False, options: Annotated[options, how or Taken()]) -> None:
        made.append(options)

    done = CliRunner().invoke(app, [*map(str, arguments)], env=env)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return (made or [None])[0], done.stderr


@pytest.mark.parametrize(("command", "options", "old", "new", "value"), RENAMED)
def test_an_old_flag_does_what_the_new_one_does_and_says_so(command, options, old, new, value):
    values = [] if value is None else [value]
    (before, said), (now, nothing) = (called(options, name, *values) for name in (old, new))
    assert before == now != options()
    assert (said, nothing) == (f"{old} is called {new} now - use {new}\n", "")
    assert called(options, old, *values, "--quiet") == (now, "")
    with pytest.raises(OptionError, match="is the old name of .*, which is given, too"):
        called(options, old, *values, new, *values)
    flags = {name: each for each in get_command(cli.app).commands[command].params
             for name in each.opts}  # fmt: skip
    assert (flags[old].hidden, flags[new].hidden) == (True, False)


def test_start_and_strength_are_what_they_were_where_they_stay():
    commands = get_command(cli.app).commands
    for command, flag in (("train", "--start"), ("distill", "--start"), ("stylize", "--strength")):
        (found,) = [each for each in commands[command].params if flag in each.opts]
        assert not found.hidden
    assert called(StylizeOptions, "--strength", "0.5") == (StylizeOptions(strength=0.5), "")


def test_flags_win_over_a_base_that_other_values_make():
    def base(others):
        return TrainOptions(steps=5, batch=3 if others["quiet"] else 2)

    how = Taken(base=base)
    assert called(TrainOptions, how=how)[0] == TrainOptions(steps=5, batch=2)
    found, _ = called(TrainOptions, "-q", "--steps", 7, "--width", 8, how=how)
    assert found == TrainOptions(steps=7, batch=3, network=NetworkOptions(width=8))


def test_flags_are_of_the_knobs_that_are_asked_for():
    how = Taken(only=("max_pixels",))
    assert called(ReadOptions, "--max-pixels", 9, how=how)[0] == ReadOptions(max_pixels=9)
    found, said = called(ReadOptions, "--max-side", 9, how=how)
    assert found is None
    assert "--max-side" in said


def test_the_environment_stands_for_flags_where_it_may():
    env, how = {"IMPASTO_PORT": "9", "PORT": "8"}, Taken(env="IMPASTO_")
    assert called(ServeOptions, env=env, how=how)[0] == ServeOptions(port=9)
    assert called(ServeOptions, "--port", 7, env=env, how=how)[0] == ServeOptions(port=7)
    assert called(ServeOptions, env=env)[0] == ServeOptions()


def test_layers_are_given_with_commas_and_switches_can_be_turned_off():
    found, _ = called(OptimizeOptions, "--style-layers", "conv1_1, conv2_1:2", "--no-box")
    loss = LossOptions(style_layers=("conv1_1", "conv2_1:2"))
    assert found == OptimizeOptions(box=False, loss=loss)


def test_two_flags_of_one_name_are_an_error_of_who_wrote_them():
    def command(*, style: StylizeOptions, train: TrainOptions) -> None: ...

    with pytest.raises(TypeError, match="command has two flags called strength"):
        with_options(command)


def test_options_are_made_by_name_alone():
    for options in (StylizeOptions, WriteOptions, ReadOptions, LossOptions, NetworkOptions):
        with pytest.raises(TypeError, match="positional argument"):
            options(1)

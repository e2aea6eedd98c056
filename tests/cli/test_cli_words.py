"""Flags and options are the same words."""

from dataclasses import fields, is_dataclass

import pytest
from typer.main import get_command

from impasto import cli
from impasto.options import (
    DistillOptions,
    EvaluateOptions,
    OptimizeOptions,
    QuantizeOptions,
    SearchOptions,
    ServeOptions,
    StylizeOptions,
    TrainOptions,
    WriteOptions,
)


def flags(command):
    return {option: parameter for parameter in get_command(cli.app).commands[command].params
            for option in parameter.opts}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("stylize", StylizeOptions()),
        ("stylize", WriteOptions()),
        ("train", TrainOptions()),
        ("optimize", OptimizeOptions()),
        ("distill", DistillOptions()),
        ("quantize", QuantizeOptions()),
        ("evaluate", EvaluateOptions()),
        ("search", SearchOptions()),
        ("serve", ServeOptions()),
        ("worker", ServeOptions()),
    ],
)
def test_every_option_is_a_flag_with_its_default_and_help(command, options):
    known = flags(command)
    for knob in fields(options):
        value = getattr(options, knob.name)
        if is_dataclass(value):
            test_every_option_is_a_flag_with_its_default_and_help(command, value)
            continue
        flag = known[f"--{knob.name.replace('_', '-')}"]
        assert flag.default == (",".join(value) if isinstance(value, tuple) else value)
        assert flag.help == knob.metadata["doc"]

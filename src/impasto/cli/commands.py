"""The commands, and the exit codes of their errors."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from impasto import distribution
from impasto.cli import (
    comfyui,
    examples,
    gimp,
    lab,
    masking,
    optimizing,
    paint,
    quality,
    serve,
    studio,
    styles,
    training,
    words,
)
from impasto.cli.terminal import Terminal, error_record
from impasto.errors import ImpastoError, OutputError, in_memory, reason

app = typer.Typer(
    help="Paint photographs in the style of a picture.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try: impasto demo. Then: impasto stylize photo.jpg -s great-wave",
)
app.add_typer(styles.app, name="styles")
app.add_typer(gimp.app, name="gimp")
app.add_typer(comfyui.app, name="comfyui")
for command in (
    paint.stylize,
    paint.sheet,
    styles.style,
    paint.demo,
    optimizing.optimize,
    optimizing.redo,
    training.train,
    training.train_any,
    studio.layers,
    studio.networks,
    quality.distill,
    quality.quantize,
    quality.evaluate,
    lab.lab,
    lab.search,
    serve.serve,
    serve.worker,
    serve.page,
    paint.doctor,
):
    name = command.__name__.replace("_", "-")
    kind = masking.Ordered if command is paint.stylize else examples.Command
    app.command(name, cls=kind, epilog=examples.below(name))(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"impasto {distribution.described()}")  # noqa: T201
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Paint photographs in the style of a picture."""


def _names() -> set[str]:
    """Return the names of all commands."""
    groups = {group.name for group in app.registered_groups}
    commands = {
        each.name or getattr(each.callback, "__name__", "") for each in app.registered_commands
    }
    return {name.replace("_", "-") for name in groups | commands if name}


def run() -> NoReturn:
    """Do what the command line says; every error becomes a sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # no letter that a terminal lacks stops us
            stream.reconfigure(errors="backslashreplace")
    try:
        with in_memory("this", hint="allow more (ulimit -v), or ask for less", kind=ImpastoError):
            words.require_command(sys.argv[1:], _names())
            words.require_show(sys.argv[1:])
            app()
    except ImpastoError as error:
        Terminal().error(error)
        if "--json" in sys.argv:
            Terminal().print_json({"error": error_record(error)})
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk behind standard output
        with suppress(AttributeError, OSError):  # buffered output would fail once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        what = error.filename or "standard output"
        Terminal().error(OutputError(f"{what} cannot be used: {reason(error)}"))
        sys.exit(1)
    sys.exit(0)

"""The command that brings impasto into GIMP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli.flags import Overwrite, Quiet
from impasto.cli.terminal import Terminal

app = typer.Typer(help="Use impasto inside GIMP 3.", no_args_is_help=True)


@app.callback()
def gimp() -> None:
    """Use impasto inside GIMP 3."""


@app.command()
def install(
    to: Annotated[
        Path | None,
        typer.Option(help="Folder of GIMP's plug-ins; by default that of the newest GIMP 3."),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Install the plug-in: Filters > Artistic > impasto.

    It calls the command of the environment that it was installed from. Install it again after
    that environment has moved.
    """
    from impasto.integrations import gimp as plug_in

    folder = plug_in.install(to, overwrite=overwrite)
    Terminal(quiet=quiet).say(f"{folder}  restart GIMP, then Filters > Artistic > impasto")

"""The command that brings impasto into ComfyUI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli.flags import Overwrite, Quiet
from impasto.cli.terminal import Terminal

app = typer.Typer(help="Use impasto inside ComfyUI.", no_args_is_help=True)


@app.callback()
def comfyui() -> None:
    """Use impasto inside ComfyUI."""


@app.command()
def install(
    folder: Annotated[
        Path | None,
        typer.Argument(help="ComfyUI's folder; by default this one, or where installers put it."),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Install the nodes: Load impasto style, Stylize, Optimise, Style from painting.

    ComfyUI's own Python needs impasto, too; the command says how.
    """
    from impasto.integrations import comfyui as nodes

    installed = nodes.install(folder, overwrite=overwrite)
    python = nodes.python(installed.parents[1]) or "PYTHON"
    terminal = Terminal(quiet=quiet)
    terminal.say(f"{installed}  restart ComfyUI, then Add Node > impasto")
    terminal.say(f'  ComfyUI\'s own Python needs impasto: {python} -m pip install "impasto[train]"')

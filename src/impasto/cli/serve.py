"""The commands of the service: ``serve`` and ``worker``, and ``page`` for the browser alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from impasto import catalog
from impasto.cli.flags import (
    STYLE_HELP,
    Overwrite,
    Quiet,
    Taken,
    Verbose,
    style_names,
    with_options,
)
from impasto.cli.terminal import Terminal
from impasto.distribution import needs
from impasto.errors import OptionError
from impasto.options import ServeOptions

_Limits = Annotated[ServeOptions, Taken(env="IMPASTO_")]


@with_options
def serve(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Ask a service that runs whether it is ready.")
    ] = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    options: _Limits,
) -> None:
    """Serve the web page and the HTTP API, until Ctrl-C.

    The page is at the address that is printed, the API's documentation at /docs. Flags may
    be given as IMPASTO_TOKEN, IMPASTO_HOST and so on, for containers.
    """
    with needs("serve", "the service"):
        from impasto.server import run
    terminal = Terminal(quiet=quiet, verbose=verbose)
    if check:
        run.check(options)
        terminal.say("it is ready")
        return

    def on_ready(address: str) -> None:
        secret = f"#token={quote(options.token, safe='')}" if options.token else ""
        terminal.say(f"{address}{secret}  (Ctrl-C stops it)")

    run.serve(options, on_ready, log=verbose)


def page(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")],
    style: Annotated[
        list[str] | None,
        typer.Option("--style", "-s", help=STYLE_HELP, autocompletion=style_names),
    ] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(help="The npm package onnxruntime-web, instead of downloading it."),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write the web page as a folder that paints in the browser, without a service.

    Put it on any web server. onnxruntime-web runs the networks. It is downloaded from npm once and
    verified. No picture leaves the browser.
    """
    from impasto.server import static

    chosen = [catalog.find(name) for name in style or catalog.bundled()]
    folder = static.export(out, chosen, archive=runtime, overwrite=overwrite)
    Terminal(quiet=quiet).say(f"{folder}  to try it: python -m http.server -d {folder}")


@with_options
def worker(*, quiet: Quiet = False, options: _Limits) -> None:
    """Do the jobs that services put into a Redis, one at a time; several may run.

    Give --redis and the limits of the service.
    """
    if not options.redis:
        raise OptionError("no Redis was given", hint="--redis redis://HOST:6379/0")
    with needs("serve", "the service"):
        from impasto.server import run
    Terminal(quiet=quiet).say("waiting for jobs  (Ctrl-C stops it)")
    run.work(options)

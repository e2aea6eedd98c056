"""The command line: parse, call, format. What it prints is in :mod:`impasto.cli.terminal`.

Exit codes: 0 all done; 1 at least one input failed; 2 usage; 3 cannot work here (missing
extra, style, device); 130 interrupted; 143 terminated.
"""

from __future__ import annotations

from impasto.cli.stopping import Signals

TYPE_CHECKING = False  # as in stopping.py
if TYPE_CHECKING:
    from typing import NoReturn

    import typer


def main() -> NoReturn:
    """Run the command line. Signals are handled before its parts are imported."""
    with Signals() as signals:
        try:
            from impasto.cli import commands
        except Exception as error:
            from impasto.errors import is_of_memory

            if not is_of_memory(error):
                raise
            raise SystemExit("impasto does not fit into memory - allow more (ulimit -v)") from None
        signals.interrupt()
        commands.run()


def __getattr__(name: str) -> typer.Typer:
    """Import ``app``, the commands, when something asks for them."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from impasto.cli.commands import app

    return app

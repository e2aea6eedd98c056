"""Write ``docs/cli.md`` from the commands' own help: ``make docs``."""

from pathlib import Path
from typing import Any

from typer.main import get_command

from impasto.cli import app

INTRO = """# Command line

<!-- Written by `make docs` from the commands' own help. -->

Results are said on standard error; standard output carries pictures (`-o -`), tables and JSON.

| exit code | meaning |
|---|---|
| 0 | all done |
| 1 | at least one input failed; the others are done |
| 2 | usage: a flag, a value or a name that does not exist |
| 3 | cannot work here: a missing extra, a damaged style, a device that does not run |
| 130 | interrupted; what was finished is kept |
| 143 | terminated |
"""


def main() -> None:
    """Write the page beside this file."""
    Path(__file__).with_name("cli.md").write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole page."""
    commands = get_command(app).commands  # type: ignore[attr-defined]
    sections = [section(f"impasto {name}", command) for name, command in commands.items()]
    return "\n".join([INTRO, *sections])


def section(name: str, command: Any) -> str:
    """One command: what it does, its arguments and flags."""
    about = " ".join((command.help or "").split())
    rows = [row(parameter) for parameter in command.params if getattr(parameter, "help", None)]
    table = "\n".join(["| | | default |", "|---|---|---|", *rows])
    inner = getattr(command, "commands", {}).items()
    parts = [section(f"{name} {sub}", below) for sub, below in inner]
    return "\n".join([f"## `{name}`\n\n{about}\n\n{table}\n", *parts])


def row(parameter: Any) -> str:
    """One argument or flag."""
    is_flag = parameter.opts[0].startswith("-")
    words = parameter.opts if is_flag else [parameter.name.upper()]
    names = " ".join(f"`{word}`" for word in words)
    shown = parameter.default if is_flag and parameter.default not in (None, False) else ""
    return f"| {names} | {parameter.help} | {shown} |"


if __name__ == "__main__":
    main()

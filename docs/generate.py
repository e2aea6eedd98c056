"""``make docs`` writes two pages, and fills in the figures in all others.

One is about the commands, from their own help. One is about measurements, from the results that the
benchmarks keep.
"""

import json
from pathlib import Path
from typing import Any

import figures
import words
from typer.main import get_command

from impasto.cli import app

REFERENCE = Path(__file__).with_name("reference")

INTRO = """# Command line

<!-- Written by `make docs` from the commands' own help. -->

Results are said on standard error; standard output carries pictures (`-o -`), tables and JSON.

| exit code | meaning |
|---|---|
| 0 | all done |
| 1 | an input failed, and the others are done; or the only file's result is there already |
| 2 | usage: a flag, a value or a name that does not exist |
| 3 | cannot work here: a missing extra, a damaged style, a device that does not run |
| 130 | interrupted; what was finished is kept |
| 143 | terminated |
"""


MEASURED = """# Measured

<!-- Written by `make docs` from benchmarks/results. -->

`make bench` measures a machine and keeps the results; `python -m benchmarks --help` tells of
cases that take long. Ratios are of runs that took turns: theirs / ours where more is better,
else ours / theirs. A bar is what the project has set itself; a missed one is said.
"""


def main() -> None:
    """Write both pages, then the figures in all."""
    for name, text in (("cli.md", commands()), ("benchmarks.md", measured())):
        (REFERENCE / name).write_text(text, encoding="utf-8")
    for page in words.pages():
        page.write_text(figures.filled(page.read_text("utf-8")), encoding="utf-8")


def measured() -> str:
    """Describe what the benchmarks have kept, a section for each machine, a table for each case."""
    found = (json.loads(path.read_text("utf-8")) for path in sorted(figures.RESULTS.glob("*.json")))
    return "\n".join([MEASURED, *map(machine, found)])


def machine(results: dict[str, Any]) -> str:
    """Describe all cases of one machine."""
    here = results["machine"]
    parts = [f"## {here['cpu']}, {here['threads']} threads, {here['system']}\n"]
    for name, case in results["cases"].items():
        versions = ", ".join(map(" ".join, case["versions"].items()))
        parts.append(f"### {name}\n\n{case['date']}, style {case['style']}; {versions}.\n")
        head = "| | ours | theirs | ratio | bar | |", "|---|---|---|---|---|---|"
        parts.append("\n".join([*head, *map(result, case["rows"])]))
        parts.append("")
    return "\n".join(parts)


def result(row: dict[str, Any]) -> str:
    """Write one line of a table."""
    bar = f"{'>=' if row['at_least'] else '<='} {row['bar']:g}" if row["bar"] else ""
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
    verdict = {True: "met", False: "**missed**", None: ""}[row["met"]]
    values = (amount(row[key], row["unit"]) for key in ("ours", "theirs"))
    return "| " + " | ".join([row["name"].strip(), *values, ratio, bar, verdict]) + " |"


def amount(value: float | None, unit: str) -> str:
    """Write a number with its unit."""
    return "" if value is None else f"{value:,.{0 if value >= 100 else 2}f} {unit}".rstrip()


def commands() -> str:
    """Write the page of the command line."""
    known = get_command(app).commands  # type: ignore[attr-defined]
    sections = [section(f"impasto {name}", command) for name, command in known.items()]
    return "\n".join([INTRO, *sections])


def section(name: str, command: Any) -> str:
    """Describe one command: what it does, its arguments and flags."""
    about = " ".join((command.help or "").split())
    lines = [line.strip() for line in (command.epilog or "").splitlines()[2:]]
    shown = "\n".join(["```", *lines, "```\n\n"]) if lines else ""
    rows = [row(parameter) for parameter in command.params if getattr(parameter, "help", None)]
    table = "\n".join(["| | | default |", "|---|---|---|", *rows])
    inner = getattr(command, "commands", {}).items()
    parts = [section(f"{name} {sub}", below) for sub, below in inner]
    return "\n".join([f"## `{name}`\n\n{about}\n\n{shown}{table}\n", *parts])


def row(parameter: Any) -> str:
    """Describe one argument or flag."""
    is_flag = parameter.opts[0].startswith("-")
    words = parameter.opts if is_flag else [parameter.name.upper()]
    names = " ".join(f"`{word}`" for word in words)
    unset = parameter.default is None or parameter.default is False or not is_flag
    shown = "" if unset else parameter.default
    return f"| {names} | {parameter.help} | {shown} |"


if __name__ == "__main__":
    main()

"""``python -m benchmarks``: measure, print a table, keep the results as JSON.

Timings are no tests: a missed bar is printed, and the exit code stays 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES
from benchmarks.measure import machine, slug, versions
from benchmarks.rows import QUICK, Plan, Row
from impasto import catalog
from impasto.catalog import Style
from impasto.errors import ImpastoError

_GIVEN = (
    "photo",
    "painting",
    "rivals",
    "paintings",
    "photos",
    "squeezenet",
    "keep",
    "count",
    "steps",
)
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    wanted = _arguments()
    style = catalog.find(wanted.style or next(iter(catalog.styles())))
    plan = QUICK if wanted.quick else Plan(full=wanted.full)
    plan = replace(plan, **{name: getattr(wanted, name) for name in _GIVEN})
    here = machine()
    print(f"{here['cpu']}, {here['threads']} threads; style {style.name}\n")
    print(_line("", "ours", "theirs", "ratio", "bar"))
    measured = {name: _show(CASES[name](style, plan)) for name in wanted.only or CASES}
    if not wanted.quick:
        print(f"\n{_write(here, style, measured)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=CASES, help="one case; may be repeated")
    parser.add_argument("--style", help="name or folder of a style; the first one by default")
    parser.add_argument("--photo", help="photograph to optimise; the bundled one by default")
    parser.add_argument("--painting", help="style to optimise with; a bundled preview by default")
    parser.add_argument("--rivals", help="folder of rivals' networks, RIVAL-STYLE.safetensors")
    parser.add_argument("--paintings", help="folder of the paintings they learnt, STYLE.jpg")
    parser.add_argument(
        "--photos",
        help="photographs: that no network learnt from (quality, iterations), "
        "to learn from (tricks)",
    )
    parser.add_argument("--squeezenet", help="SqueezeNet 1.1 as safetensors, for LPIPS (any)")
    parser.add_argument(
        "--keep", help="folder for the styles that are polished (any), for counts (iterations)"
    )
    parser.add_argument("--count", type=int, help="photographs (iterations); 8 by default")
    parser.add_argument("--steps", type=int, default=0, help="steps of each training of tricks")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="a rough look; nothing is written")
    amount.add_argument("--full", action="store_true", help="slow rivals too: minutes to hours")
    return parser.parse_args()


def _show(rows: Iterable[Row]) -> list[Row]:
    """Print the rows as they come."""
    shown = []
    for row in rows:
        shown.append(row)
        sign = ">=" if row.at_least else "<="
        print(
            _line(
                row.name,
                _number(row.ours, row.unit),
                _number(row.theirs, row.unit),
                _number(row.ratio),
                f"{sign} {row.bar:g}" if row.bar else "",
                {True: "ok", False: "miss", None: ""}[row.met],
            ),
            flush=True,
        )
    return shown


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return ""
    return f"{value:,.{0 if value >= 100 else 2}f} {unit}".rstrip()


def _line(name: str, ours: str, theirs: str, ratio: str, bar: str, verdict: str = "") -> str:
    return f"{name:<62}{ours:>11}{theirs:>11}{ratio:>8}{bar:>9}  {verdict}".rstrip()


def _write(here: dict[str, Any], style: Style, measured: dict[str, list[Row]]) -> Path:
    """Store the results of this machine; cases that were not run stay as they were."""
    path = RESULTS / f"{slug([here['cpu'], here['threads'], 'threads'])}.json"
    cases = json.loads(path.read_text("utf-8"))["cases"] if path.exists() else {}
    for name, rows in measured.items():
        cases[name] = {
            "date": datetime.now(UTC).date().isoformat(),
            "style": style.name,
            "versions": versions(),
            "rows": [asdict(row) | {"met": row.met} for row in rows],
        }
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({"machine": here, "cases": cases}, indent=2)
    path.write_text(f"{text}\n", "utf-8")
    return path


if __name__ == "__main__":
    try:
        main()
    except ImpastoError as error:
        sys.exit(str(error))

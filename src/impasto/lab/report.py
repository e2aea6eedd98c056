"""The report of an experiment: one HTML page that opens anywhere, the numbers as CSV and JSON."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

import jinja2

from impasto import images
from impasto.distribution import VERSION
from impasto.errors import OptionError
from impasto.files import atomic
from impasto.images.picture import Picture
from impasto.lab.experiment import Experiment, Trial
from impasto.lab.runs import RUNS, Done
from impasto.options import WriteOptions
from impasto.options.fields import Json, flattened
from impasto.options.losses import KINDS
from impasto.studio import loss_curves

PAGE, TABLE, RECORD, SHEET = "report.html", "results.csv", "results.json", "sheet.jpg"

_EMBEDDED = WriteOptions(quality=88, strip=True)

Row: TypeAlias = dict[str, Json]
"""A row of the table: a run, by the names of its columns."""


def write(experiment: Experiment, done: Sequence[Done], folder: Path) -> Path:
    """Write page, numbers and contact sheet into ``folder``; the pictures are there already.

    Raises:
        OptionError: nothing was run to its end.
    """
    painted = [each for each in done if not each.error]
    if not painted:
        reason = f": {done[0].error}" if done else ""
        raise OptionError(f"no run of {experiment.title!r} came to its end{reason}")
    pictures = {each.key: images.read(each.picture(folder)) for each in painted}
    rows = [_row(each) for each in done]
    atomic.write(folder / TABLE, _csv(rows), overwrite=True)
    record = {
        "impasto": VERSION,
        "title": experiment.title,
        "question": experiment.question,
        "contents": [str(path) for path in experiment.contents],
        "styles": [str(path) for path in experiment.styles],
        "runs": [_record(*each) for each in zip(rows, done, strict=True)],
    }
    atomic.write(folder / RECORD, f"{json.dumps(record, indent=1)}\n".encode(), overwrite=True)
    _sheet(painted, pictures).save(folder / SHEET, overwrite=True, options=_EMBEDDED)
    page = _page(experiment, done, pictures)
    return atomic.write(folder / PAGE, page.encode(), overwrite=True)


def _row(done: Done) -> Row:
    """Make a row of the table: places on the axes, losses at the end and the start, costs."""
    row: Row = dict(done.trial.labels)
    if done.error:
        return row | {"error": done.error}
    first, last = done.losses[0], done.losses[-1]
    row |= {name: last[name] for name in KINDS}
    row |= {f"{name}, start": first[name] for name in KINDS}
    row |= {f"{name}, start": value for name, value in first.items() if " " in name}
    return row | {
        "evaluations": len(done.losses),
        "seconds": round(done.seconds, 2),
        "memory MB": round(done.memory / 1e6),
        "picture": f"{RUNS}/{done.key}.png",
    }


def _record(row: Mapping[str, Json], done: Done) -> Row:
    return {
        **row,
        "key": done.key,
        "options": asdict(done.trial.options),
        "losses": done.losses,
    }


def _csv(rows: Sequence[Mapping[str, Json]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, _names(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _names(rows: Iterable[Mapping[str, Json]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _sheet(done: Sequence[Done], pictures: Mapping[str, Picture]) -> Picture:
    return images.compose([(_label(each.trial), pictures[each.key]) for each in done])


def _label(trial: Trial) -> str:
    return " · ".join(trial.labels.values())


def _page(experiment: Experiment, done: Sequence[Done], pictures: Mapping[str, Picture]) -> str:
    down, across = experiment.rows_and_columns()
    columns = list(dict.fromkeys(_at(each, across) for each in done))
    table: dict[str, dict[str, Done]] = {}
    for each in done:
        table.setdefault(_at(each, down), {})[_at(each, across)] = each
    painted = [each for each in done if not each.error]
    once = {each.key: each for each in painted}.values()  # two places may be one run
    layers = _names({k: v for k, v in each.losses[0].items() if " " in k} for each in painted)
    return _template().render(
        experiment=experiment,
        version=VERSION,
        base=sorted(flattened(asdict(experiment.base))),
        sources=[
            (kind, path.stem, _data(images.read(path).resized(384)))
            for kind, paths in (("Photograph", experiment.contents), ("Style", experiment.styles))
            for path in paths
        ],
        across=", ".join(across),
        columns=columns,
        rows=table,
        done=painted,
        label=_label,
        final=KINDS,
        layers=layers,
        images={key: _data(picture) for key, picture in pictures.items()},
        curves={
            each.key: _url("image/png", loss_curves.png(each.losses, _label(each.trial)))
            for each in once
        },
        overview=_url(
            "image/png", loss_curves.overview({_label(e.trial): e.losses for e in painted})
        ),
        seconds=sum(each.seconds for each in once),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("impasto.lab", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    return environment.get_template("report.html.jinja")


def _at(done: Done, names: Sequence[str]) -> str:
    return " · ".join(done.trial.labels[name] for name in names)


def _data(picture: Picture) -> str:
    return _url("image/jpeg", picture.encode("JPEG", _EMBEDDED))


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _number(value: float) -> str:
    return f"{value:.4g}"

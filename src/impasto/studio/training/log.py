"""The log of a training: ``losses.jsonl``, its means, its curves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impasto import untrusted
from impasto.catalog.card import StepTimes
from impasto.files import atomic
from impasto.options.losses import KINDS

_ALWAYS = {"step", "total", "seconds", "from_disk"}
"""Keys that every record has."""
_MOST_LINE = 1 << 16
"""Most bytes of a line: hundreds of layers with their losses."""


@dataclass(frozen=True)
class Summary:
    """What the card says of the steps of a training."""

    losses: Mapping[str, float]
    """Means of the last tenth, by kind."""
    seconds: int
    validation: float | None
    seconds_per_step: StepTimes | None
    """None, unless some crops were stored and others computed."""


class Log:
    """One line per step, without lines that a crash left beyond the checkpoint."""

    def __init__(self, path: Path, first: int, here: bool) -> None:
        self._path, self._here = path, here
        self._records = list(_read(path, first))
        if here:
            text = "".join(json.dumps(record) + "\n" for record in self._records)
            atomic.write(path, text.encode(), overwrite=True)

    def append(self, step: int, numbers: Mapping[str, float]) -> None:
        self._records.append({"step": step, **numbers})
        if self._here:
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(self._records[-1]) + "\n")
            except OSError as error:
                raise atomic.refused(self._path, error) from error

    def curves(self) -> dict[int, dict[str, float]]:
        """Return the losses to draw, each the mean over a hundredth of the training, by its last
        step."""
        width = max(1, len(self._records) // 100)
        parts = [self._records[i : i + width] for i in range(0, len(self._records), width)]
        names = [name for name in self._records[0] if name in KINDS or " " in name]
        return {
            int(part[-1]["step"]): {name: _mean(part, name) for name in names} for part in parts
        }

    def summary(self) -> Summary:
        """Return seconds of work, the mean losses of the last tenth, and what stored crops save."""
        records = self._records
        last = records[-max(1, len(records) // 10) :]
        validation = last[-1].get("validation")
        return Summary(
            {name: round(_mean(last, name), 4) for name in KINDS if name in last[-1]},
            round(sum(each["seconds"] for each in records)),
            None if validation is None else round(validation, 4),
            _times(records),
        )


def _read(path: Path, first: int) -> Iterator[dict[str, float]]:
    """Read the records of the first steps, as far as they are whole."""
    try:
        with untrusted.opened(path) as file:
            yield from _whole(file.readline(_MOST_LINE) for _ in range(first))
    except OSError:
        return


def _whole(lines: Iterable[bytes]) -> Iterator[dict[str, float]]:
    for line in lines:
        try:
            record = untrusted.parse_json(line)
        except ValueError:  # a crash of the disk damaged what follows
            return
        if not isinstance(record, dict) or not record.keys() >= _ALWAYS:
            return
        if not all(isinstance(value, (int, float)) for value in record.values()):
            return
        yield {name: value for name, value in record.items() if isinstance(value, (int, float))}


def _times(records: Sequence[Mapping[str, float]]) -> StepTimes | None:
    kept = [each for each in records if each["from_disk"]]
    computed = [each for each in records if not each["from_disk"]]
    if not (kept and computed):
        return None
    return StepTimes(round(_mean(computed, "seconds"), 3), round(_mean(kept, "seconds"), 3))


def _mean(records: Sequence[Mapping[str, float]], name: str) -> float:
    known = [record[name] for record in records if name in record]
    return float(np.mean(known)) if known else math.nan

"""What a training tells while it runs: ``losses.jsonl``, its means, its curves."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from impasto import atomic
from impasto.studio.perceptual.objective import KINDS


class Log:
    """One line per step, without what a crash left beyond the checkpoint."""

    def __init__(self, path: Path, first: int, here: bool) -> None:
        self._path, self._here = path, here
        self._records: list[dict[str, Any]] = []
        if path.exists():
            with contextlib.suppress(ValueError):  # a crash of the disk damaged what follows
                for line in path.read_text("utf-8", "replace").splitlines()[:first]:
                    self._records.append(json.loads(line))
        if here:
            text = "".join(json.dumps(record) + "\n" for record in self._records)
            atomic.write(path, text.encode(), overwrite=True)

    def append(self, step: int, numbers: Mapping[str, Any]) -> None:
        self._records.append({"step": step, **numbers})
        if self._here:
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(self._records[-1]) + "\n")
            except OSError as error:
                raise atomic.refused(self._path, error) from error

    def curves(self) -> dict[int, dict[str, float]]:
        """The losses to be drawn, each the mean of a hundredth of the training, by the last
        step of it."""
        width = max(1, len(self._records) // 100)
        parts = [self._records[i : i + width] for i in range(0, len(self._records), width)]
        names = [name for name in self._records[0] if name in KINDS or " " in name]
        return {part[-1]["step"]: {name: _mean(part, name) for name in names} for part in parts}

    def summary(self) -> dict[str, Any]:
        """Hours of work, the mean losses of the last tenth, and what kept crops spare."""
        records = self._records
        last = records[-max(1, len(records) // 10) :]
        losses = {name: round(_mean(last, name), 4) for name in KINDS if name in last[-1]}
        found: dict[str, Any] = {
            "losses": losses,
            "seconds": round(sum(r["seconds"] for r in records)),
        }
        if (validation := last[-1].get("validation")) is not None:
            found["validation"] = round(validation, 4)
        kept = [r for r in records if r["from_disk"]]
        computed = [r for r in records if not r["from_disk"]]
        if kept and computed:
            found["seconds_per_step"] = {
                "computed": round(_mean(computed, "seconds"), 3),
                "kept": round(_mean(kept, "seconds"), 3),
            }
        return found


def _mean(records: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(np.mean([record[name] for record in records]))

"""Loss curves as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from impasto.errors import MissingExtraError


def png(losses: Sequence[Mapping[str, float]], title: str) -> bytes:
    """A PNG with one curve per loss over the steps: totals on the left, layers on the right.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure()
    totals, layers = figure.subplots(1, 2, sharex=True)
    steps = range(1, len(losses) + 1)
    for name in losses[0] if losses else ():
        axes = layers if " " in name else totals
        values = [each[name] or math.nan for each in losses]  # 0 has no place on a log axis
        axes.plot(steps, values, label=name, linewidth=1.4)
    for axes, label in ((totals, "losses"), (layers, "by layer")):
        _labelled(axes, label)
    figure.suptitle(title)
    return _drawn(figure)


def overview(runs: Mapping[str, Sequence[Mapping[str, float]]]) -> bytes:
    """A PNG with one curve per run: content losses on the left, style losses on the right.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure()
    for axes, kind in zip(figure.subplots(1, 2, sharex=True), ("content", "style"), strict=True):
        for label, losses in runs.items():
            values = [each[kind] or math.nan for each in losses]
            axes.plot(range(1, len(values) + 1), values, label=label, linewidth=1.4)
        _labelled(axes, f"{kind} loss")
    return _drawn(figure)


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("train", "matplotlib, which draws loss curves,") from error

    figure = Figure(figsize=(11, 4.5))
    # Fixed: a computed layout draws the figure several times.
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.12, top=0.87, wspace=0.16)
    return figure


def _labelled(axes: Any, title: str) -> None:
    axes.set(xlabel="evaluations", yscale="log", title=title)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize=8)


def _drawn(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()

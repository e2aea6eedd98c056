"""Loss curves as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from impasto.distribution import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Losses = Sequence[Mapping[str, float]]


def png(losses: Losses, title: str, *, steps: Sequence[int] | None = None) -> bytes:
    """Draw a PNG of :func:`plot`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return _drawn(plot(losses, title, steps))


def plot(losses: Losses, title: str, steps: Sequence[int] | None = None) -> Figure:
    """Draw a figure with one curve per loss: totals on the left, layers on the right.

    ``losses`` are of one evaluation each, or of these ``steps`` of a training.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure()
    totals, layers = figure.subplots(1, 2, sharex=True)
    places = range(1, len(losses) + 1) if steps is None else steps
    for name in losses[0] if losses else ():
        axes = layers if " " in name else totals
        _curve(axes, places, [each[name] for each in losses], name)
    for axes, label in ((totals, "losses"), (layers, "by layer")):
        _labelled(axes, label, "evaluations" if steps is None else "steps")
    figure.suptitle(title)
    return figure


def require() -> None:
    """Check that curves can be drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    _figure()


def overview(runs: Mapping[str, Losses]) -> bytes:
    """Draw a PNG with one curve per run: content losses on the left, style losses on the right.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure()
    for axes, kind in zip(figure.subplots(1, 2, sharex=True), ("content", "style"), strict=True):
        for label, losses in runs.items():
            _curve(axes, range(1, len(losses) + 1), [each[kind] for each in losses], label)
        _labelled(axes, f"{kind} loss", "evaluations")
    return _drawn(figure)


def _figure() -> Figure:
    library = need("matplotlib.figure", "train", "matplotlib, which draws loss curves,")
    figure: Figure = library.Figure(figsize=(11, 4.5))
    # The layout is fixed: a computed one draws the figure several times.
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.12, top=0.87, wspace=0.16)
    return figure


def _curve(axes: Axes, places: Sequence[int], values: Sequence[float], label: str) -> None:
    """Draw one curve. 0 has no place on a log axis, so a loss of only zeros has no curve."""
    if any(values):
        axes.plot(places, [value or math.nan for value in values], label=label, linewidth=1.4)


def _labelled(axes: Axes, title: str, across: str) -> None:
    axes.set(xlabel=across, yscale="log", title=title)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize=8)


def _drawn(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()

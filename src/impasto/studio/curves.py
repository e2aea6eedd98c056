"""Loss curves as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from impasto.errors import MissingExtraError


def png(losses: Sequence[Mapping[str, float]], title: str) -> bytes:
    """A PNG with one curve per loss over the steps: totals on the left, layers on the right.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("train", "matplotlib, which draws loss curves,") from error

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    totals, layers = figure.subplots(1, 2, sharex=True)
    steps = range(1, len(losses) + 1)
    for name in losses[0] if losses else ():
        axes = layers if " " in name else totals
        values = [max(each[name], 1e-9) for each in losses]
        axes.plot(steps, values, label=name, linewidth=1.4)
    for axes, label in ((totals, "losses"), (layers, "by layer")):
        axes.set(xlabel="evaluations", yscale="log", title=label)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()

"""Options as a node's inputs: default, range and help are those of every other face."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from comfy_api.latest import io

if TYPE_CHECKING:
    from dataclasses import Field
    from typing import Any

    from impasto.options.fields import Checked

_STEP = 0.05
_MOST = 2**31 - 1


def knobs(options: type[Checked], **wanted: str) -> list[io.Input]:
    """Make inputs of the ``wanted`` options, in this order.

    A text replaces an option's own help, which may be about flags. An empty text leaves it.
    """
    known = {each.name: each for each in fields(options)}
    return [_knob(known[name], about) for name, about in wanted.items()]


def _knob(option: Field[Any], about: str) -> io.Input:
    shown = {"default": option.default, "tooltip": about or option.metadata["doc"]}
    low, high, choices = (option.metadata[key] for key in ("low", "high", "choices"))
    if choices:
        return io.Combo.Input(option.name, options=list(choices), **shown)
    if isinstance(option.default, bool):
        return io.Boolean.Input(option.name, **shown)
    if isinstance(option.default, int):
        return io.Int.Input(option.name, min=low, max=high or _MOST, **shown)
    return io.Float.Input(option.name, min=low, max=high, step=_STEP, **shown)

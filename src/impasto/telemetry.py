"""Switches off usage data that libraries send home, before any of them is imported.

onnxruntime (1.29 and later) and OpenVINO write an id into the user's home and ask for a server as
soon as they are imported. Ray and the hub that comes with accelerate do so later.
"""

from __future__ import annotations

import os
import sys

VARIABLES = {
    "onnxruntime": ("ORT_DISABLE_TELEMETRY", "1"),
    "ray": ("RAY_USAGE_STATS_ENABLED", "0"),
    "huggingface_hub": ("HF_HUB_DISABLE_TELEMETRY", "1"),
}
"""For each library, the variable that switches it off, and its value. Child processes inherit it.
"""

_OPENVINO, _SENDER = "openvino", "openvino_telemetry"
"""OpenVINO has no variable. It works without its sender where that is not installed."""

_early: set[str] = set()


def switch_off() -> None:
    """Switch off all usage data. The package calls this before all other imports."""
    for library, (variable, off) in VARIABLES.items():
        if library in sys.modules and os.environ.get(variable) != off:
            _early.add(library)
        os.environ[variable] = off
    sys.modules.setdefault(_SENDER, None)  # type: ignore[arg-type]  # as if not installed


def report() -> dict[str, str]:
    """Say for each library whether its usage data are off."""
    return {_OPENVINO: _state_of_openvino(), **{name: _state(name) for name in VARIABLES}}


def _state(library: str) -> str:
    variable, off = VARIABLES[library]
    if os.environ.get(variable) != off:
        return f"on: {variable} was changed after impasto was imported"
    if library in _early:
        return f"on: it was imported before impasto; start the program with {variable}={off}"
    return "off"


def _state_of_openvino() -> str:
    if sys.modules.get(_SENDER):
        return "on: it was imported before impasto; import impasto first"
    return "off"

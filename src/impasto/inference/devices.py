"""What this machine may use: how many threads, and which devices a user may ask for."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from impasto import untrusted
from impasto.errors import OptionError
from impasto.files import atomic, places

RUNTIMES = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINO",
    "cpu": "CPUExecutionProvider",
}
"""What runs networks on a device, by the name that users give the device.

Most are providers of onnxruntime. OpenVINO is another way to use the processor.
"""

BFLOAT16 = "avx512_bf16", "amx_bf16"
"""A processor's units for bfloat16, as Linux and torch call them."""
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""Numbers of settings in <malloc.h>."""
_THREADS = 64
"""Threads that may be asked for on any machine; on a large one, four for each processor."""

DEVICES = ("auto", *RUNTIMES)
_AUTO = ("cuda", "coreml", "cpu")
"""What ``auto`` tries before measurements show what is fastest here.

TensorRT takes minutes to build its engines. OpenVINO takes longer to start than to paint a small
picture. So both run only where a user asks for them, or where they were measured.
"""

_LARGEST_MEASURED = 10_000


def valid(device: str) -> str:
    """Return ``device`` itself, if a user may ask for it.

    Raises:
        OptionError: there is no such device.
    """
    if device not in DEVICES:
        raise OptionError(f"there is no device {device!r}", hint=f"use {', '.join(DEVICES)}")
    return device


def preferred(available: Iterable[str]) -> list[str]:
    """Return the devices that ``auto`` tries, the fastest first where they were measured."""
    measured = _measured()
    names = [name for name in available if name in _AUTO or name in measured]
    return sorted(names, key=lambda name: measured.get(name, 0))


def remember(milliseconds: Mapping[str, float]) -> None:
    """Store the time that each device takes for a picture, for :func:`preferred`."""
    path = _measured_file()
    atomic.write(path, json.dumps(dict(milliseconds), indent=1).encode(), overwrite=True)


def _measured() -> dict[str, float]:
    """Read milliseconds by device; nothing, where the file is missing or damaged."""
    try:
        milliseconds = untrusted.read_json(_measured_file(), _LARGEST_MEASURED)
    except (OSError, ValueError):  # ValueError also for a user without a place for it
        return {}
    if not isinstance(milliseconds, dict):
        return {}
    numbers = {name: value for name, value in milliseconds.items() if type(value) in (int, float)}
    return {name: float(value) for name, value in numbers.items() if name in RUNTIMES}


def _measured_file() -> Path:
    return places.cache_folder("devices") / "measured.json"


def threads() -> int:
    """Return how many threads this process may really use: its CPU affinity and its cgroup's quota.

    ``os.cpu_count`` counts the machine's processors. In a container with a quota, a runtime would
    start far too many threads.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have neither affinity nor cgroups
        return os.cpu_count() or 1
    quota = _cgroup_quota(Path("/sys/fs/cgroup"))
    return max(1, min(allowed, round(quota))) if quota else allowed


def valid_threads(wanted: int | None) -> int | None:
    """Return ``wanted`` itself, if it is a number of threads that a user may ask for.

    Raises:
        OptionError: with so many the machine would do nothing but switch between them.
    """
    most = max(_THREADS, 4 * (os.cpu_count() or 1))
    if wanted is not None and not 1 <= wanted <= most:
        raise OptionError(f"threads is {wanted}", hint=f"it must be from 1 to {most} here")
    return wanted


def _cgroup_quota(root: Path) -> float | None:
    """Return the CPUs that cgroup v2 or v1 grants, or None where there is no limit."""
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text()
            period = (root / "cpu/cpu.cfs_period_us").read_text()
        granted = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max", or no such files
        return None
    return granted if granted > 0 else None


def multiplies_bfloat16() -> bool:
    """Say whether the processor has units for bfloat16, as far as Linux tells."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return any(unit in flags for unit in BFLOAT16)


def memory() -> int | None:
    """Return the bytes that this process may still take, or None where nothing tells.

    It is the lesser of two: what the machine has available, and what the cgroup has left.
    """
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    except (OSError, ValueError, StopIteration):
        return None
    left = _cgroup_memory(Path("/sys/fs/cgroup"))
    return available if left is None else min(available, left)


def give_memory_back(block: int, heaps: int | None = None) -> None:
    """Give blocks of ``block`` bytes or more back to the system as soon as they are free.

    glibc keeps a block if one like it was free before. It also keeps a heap for each thread, unless
    ``heaps`` limits their number. Other libraries give memory back by themselves.
    """
    with suppress(AttributeError, OSError, TypeError):
        adjust = ctypes.CDLL(None).mallopt
        adjust(_MMAP_THRESHOLD, block)
        if heaps:
            adjust(_ARENA_MAX, heaps)


def _cgroup_memory(root: Path) -> int | None:
    """Return the bytes that the cgroup, v2 or v1, has left; None where there is no limit."""
    for limit, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            left = int((root / limit).read_text()) - int((root / used).read_text())
        except (OSError, ValueError):  # "max", or no such files
            continue
        return max(0, left + _reclaimable((root / used).with_name("memory.stat"), cache))
    return None


def _reclaimable(stat: Path, cache: str) -> int:
    """Return bytes of cached files, which the system keeps only while nobody needs the room."""
    try:
        return next(
            int(n) for key, n in map(str.split, stat.read_text().splitlines()) if key == cache
        )
    except (OSError, ValueError, StopIteration):
        return 0

"""What this machine may use: how many threads, and which devices could be asked for."""

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
"""What runs networks there, by the names that users give devices: providers of onnxruntime, and
OpenVINO, which is another way to use the processor."""

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""Of <malloc.h>."""
_THREADS = 64
"""As many may be asked for on any machine; on a large one, four for each processor."""

DEVICES = ("auto", *RUNTIMES)
_AUTO = ("cuda", "coreml", "cpu")
"""What ``auto`` tries, until it is known what is fastest here. TensorRT builds its engines for
minutes, OpenVINO starts more slowly than it paints a small picture: they have to be asked for,
or to have been measured."""

_LARGEST_MEASURED = 10_000


def valid(device: str) -> str:
    """``device`` itself, if it is one that can be asked for.

    Raises:
        OptionError: it is not.
    """
    if device not in DEVICES:
        raise OptionError(f"there is no device {device!r}", hint=f"use {', '.join(DEVICES)}")
    return device


def preferred(available: Iterable[str]) -> list[str]:
    """The devices that ``auto`` tries, the fastest first as far as that was measured."""
    measured = _measured()
    names = [name for name in available if name in _AUTO or name in measured]
    return sorted(names, key=lambda name: measured.get(name, 0))


def remember(milliseconds: Mapping[str, float]) -> None:
    """Keep what each device takes for a picture, for :func:`preferred`."""
    path = _measured_file()
    atomic.write(path, json.dumps(dict(milliseconds), indent=1).encode(), overwrite=True)


def _measured() -> dict[str, float]:
    """Milliseconds by device; nothing, where the file is not there, or no more of ours."""
    try:
        milliseconds = untrusted.read_json(_measured_file(), _LARGEST_MEASURED)
    except (OSError, ValueError):  # the latter also of a user who has no place for it
        return {}
    if not isinstance(milliseconds, dict):
        return {}
    numbers = {name: value for name, value in milliseconds.items() if type(value) in (int, float)}
    return {name: float(value) for name, value in numbers.items() if name in RUNTIMES}


def _measured_file() -> Path:
    return places.cache_folder("devices") / "measured.json"


def threads() -> int:
    """Threads that this process may really use: its CPU affinity and its cgroup's quota.

    ``os.cpu_count`` names the machine's processors; in a container with a quota that
    makes a runtime start far too many threads.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have neither affinity nor cgroups
        return os.cpu_count() or 1
    quota = _cgroup_quota(Path("/sys/fs/cgroup"))
    return max(1, min(allowed, round(quota))) if quota else allowed


def valid_threads(wanted: int | None) -> int | None:
    """``wanted`` itself, if it is a number of threads that can be asked for.

    Raises:
        OptionError: so many that the machine would do nothing but change between them.
    """
    most = max(_THREADS, 4 * (os.cpu_count() or 1))
    if wanted is not None and not 1 <= wanted <= most:
        raise OptionError(f"threads is {wanted}", hint=f"it must be from 1 to {most} here")
    return wanted


def _cgroup_quota(root: Path) -> float | None:
    """CPUs granted by cgroup v2 or v1, None where there is no limit."""
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


def memory() -> int | None:
    """Bytes that this process may still take, None where that cannot be known.

    The less of what the machine has available and what the cgroup has left.
    """
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    except (OSError, ValueError, StopIteration):
        return None
    left = _cgroup_memory(Path("/sys/fs/cgroup"))
    return available if left is None else min(available, left)


def give_memory_back(block: int, heaps: int | None = None) -> None:
    """Have the system get back what has ``block`` bytes or more as soon as it is free.

    glibc keeps a block as soon as one like it has been free before, and for each thread a heap of
    its own, unless it may have so many ``heaps`` only. Other libraries give memory back by
    themselves.
    """
    with suppress(AttributeError, OSError, TypeError):
        adjust = ctypes.CDLL(None).mallopt
        adjust(_MMAP_THRESHOLD, block)
        if heaps:
            adjust(_ARENA_MAX, heaps)


def _cgroup_memory(root: Path) -> int | None:
    """Bytes that the cgroup, v2 or v1, has left; None where there is no limit."""
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
    """Bytes of files that were read or written and are kept only while nobody needs the room."""
    try:
        return next(
            int(n) for key, n in map(str.split, stat.read_text().splitlines()) if key == cache
        )
    except (OSError, ValueError, StopIteration):
        return 0

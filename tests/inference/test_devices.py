import os
import subprocess
import sys

import pytest

from impasto.errors import OptionError
from impasto.inference import devices, runtimes


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_device_that_is_none_is_refused():
    assert devices.valid("cpu") == "cpu"
    with pytest.raises(OptionError, match=r"no device 'gpu' - use auto, tensorrt"):
        devices.valid("gpu")


def test_auto_tries_what_was_measured_to_be_fastest_first():
    names = ["tensorrt", "cuda", "cpu"]
    assert devices.preferred(names) == ["cuda", "cpu"]
    devices.remember({"cuda": 9.5, "cpu": 7.25})
    assert devices.preferred(names) == ["cpu", "cuda"]
    devices.remember({"tensorrt": 2, "cuda": 9.5, "cpu": 7.25})
    assert devices.preferred(names) == ["tensorrt", "cpu", "cuda"]
    assert devices.preferred(["coreml", "cpu"]) == ["coreml", "cpu"]  # new since then


@pytest.mark.parametrize(
    "text",
    [
        "[1]", "", '{"cpu": "fast"}', '{"cpu": null}', '{"cpu": NaN}', '{"cpu": 1e999}', "[" * 9999,
        '{"cpu": true}', f'{{"cpu": 1{"0" * 5000}}}', '{"cpu": 1, "cpu": 2}', "\xff", "0" * 20_000,
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_what_was_not_measured_here_decides_nothing(text):
    devices._measured_file().write_text(text, "latin-1")
    assert devices.preferred(["tensorrt", "cuda", "cpu"]) == ["cuda", "cpu"]


def test_a_measurement_that_waits_for_its_writer_is_none():
    os.mkfifo(devices._measured_file())
    try:
        assert devices.preferred(["cuda", "cpu"]) == ["cuda", "cpu"]
    finally:
        devices._measured_file().unlink()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "nonsense"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2.0),
    ],
)
def test_the_cgroups_share_of_processors(files, expected, tmp_path):
    for name, text in files.items():
        write(tmp_path / name, text)
    assert devices._cgroup_quota(tmp_path) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"memory.max": "max", "memory.current": "5"}, None),
        ({"memory.max": "1000", "memory.current": "400"}, 600),
        ({"memory.max": "1000", "memory.current": "1400"}, 0),
        (
            {
                "memory.max": "1000",
                "memory.current": "990",
                "memory.stat": "anon 90\nfile 900\ninactive_file 800\nactive_file 100\n",
            },
            810,
        ),
        (
            {
                "memory/memory.limit_in_bytes": "900",
                "memory/memory.usage_in_bytes": "100",
            },
            800,
        ),
        (
            {
                "memory/memory.limit_in_bytes": "900",
                "memory/memory.usage_in_bytes": "900",
                "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 700\n",
            },
            700,
        ),
    ],
)
def test_the_cgroups_share_of_memory(files, expected, tmp_path):
    for name, text in files.items():
        write(tmp_path / name, text)
    assert devices._cgroup_memory(tmp_path) == expected


def test_threads_are_at_least_one_and_no_more_than_there_are():
    assert 1 <= devices.threads() <= (os.cpu_count() or 1)


def test_far_too_many_threads_are_refused(monkeypatch, style):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert [devices.valid_threads(each) for each in (None, 1, 64)] == [None, 1, 64]
    for number in (0, -1, 65, 20_000):
        with pytest.raises(OptionError, match=f"threads is {number} - it must be from 1 to 64"):
            devices.valid_threads(number)
    with pytest.raises(OptionError, match="threads is 20000"):
        runtimes.start(style.loaded(), "cpu", 20_000)
    monkeypatch.setattr(os, "cpu_count", lambda: 96)
    assert devices.valid_threads(384) == 384


def test_memory_that_is_free_goes_back_to_the_system():
    """In a process of its own: the setting cannot be taken back."""
    code = (
        "import sys, numpy as np; from impasto.inference import devices\n"
        "if len(sys.argv) > 1: devices.give_memory_back(1_000_000)\n"
        "pages = lambda: int(open('/proc/self/statm').read().split()[1])\n"
        "del_me = np.ones(20_000_000, np.uint8); del del_me\n"
        "first, last = (np.ones(15_000_000, np.uint8) for _ in range(2))\n"
        "full = pages(); del first\n"
        "print(full - pages())"
    )
    kept, given = (
        int(subprocess.check_output([sys.executable, "-c", code, *more])) for more in ((), ("x",))
    )
    assert kept < 1000
    assert given > 3000

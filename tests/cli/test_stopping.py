"""Ctrl-C and SIGTERM at any moment: the exit code, no traceback, no half file."""

import gc
import os
import signal
import subprocess
import sys
from types import ModuleType

import pytest

from impasto.cli import stopping
from impasto.files import atomic

AT_IMPORT = """
import os, sys

class Finder:
    def find_spec(name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Finder)
from impasto.cli import main
main()
"""
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
PAINT = ("stylize", "a.jpg", "-s", "great-wave")


@pytest.mark.parametrize(
    ("module", "number", "command"),
    [
        ("impasto.cli.commands", signal.SIGINT, ("styles",)),
        ("typer", signal.SIGTERM, ("styles",)),
        ("numpy", signal.SIGINT, PAINT),
        ("onnxruntime", signal.SIGINT, PAINT),
        ("onnxruntime", signal.SIGTERM, PAINT),
    ],
)
def test_while_something_is_imported(module, number, command, folder):
    code = AT_IMPORT.format(module=module, number=int(number))
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=folder, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr, done.stdout) == (CODES[number], b"", b"")
    assert sorted(path.name for path in folder.iterdir()) == ["a.jpg", "sub"]


@pytest.fixture
def signals():
    """As in a command that has begun; handlers and hooks are set back."""
    before = {number: signal.getsignal(number) for number in CODES}
    hook = sys.unraisablehook
    signals = stopping.Signals()
    yield signals
    sys.unraisablehook = hook
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def ended(monkeypatch):
    """The codes that the process would have ended with."""
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


@pytest.mark.parametrize("number", CODES)
def test_an_exception_that_a_library_makes_another_of_ends_the_same_way(signals, number):
    with pytest.raises(SystemExit) as end, signals:
        signals.interrupt()
        try:
            signal.raise_signal(number)
        except BaseException as error:
            raise ImportError("numpy failed to import") from error
    assert end.value.code == CODES[number]


def test_an_exception_that_python_would_only_print_ends_the_process(signals, ended, monkeypatch):
    class Noisy:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    with pytest.raises(SystemExit), signals:
        signals.interrupt()
        noisy = Noisy()
        del noisy
        gc.collect()
    assert ended == [143]


def test_work_that_ends_well_is_no_matter_of_signals(signals, ended):
    with signals:
        signals.interrupt()
    signal.raise_signal(signal.SIGINT)  # while the interpreter ends
    assert ended == [130]


def test_what_a_shell_has_put_into_the_background_hears_no_ctrl_c(signals):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals:
        signals.interrupt()
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("half", [None, ModuleType("impasto.files.atomic")])
def test_a_module_that_is_half_imported_is_no_trouble(half, signals, ended, monkeypatch):
    monkeypatch.setitem(sys.modules, "impasto.files.atomic", half)
    with signals:
        signal.raise_signal(signal.SIGINT)
    assert ended == [130]


def test_of_a_file_that_is_half_written_nothing_is_left(signals, ended, tmp_path):
    class Slow:
        """A source that is read while a signal comes."""

        def read(self, _):
            assert len(list(tmp_path.iterdir())) == 1
            signal.raise_signal(signal.SIGTERM)
            assert list(tmp_path.iterdir()) == []
            raise OSError

    with signals, pytest.raises(OSError):
        atomic.write(tmp_path / "a", Slow())
    assert ended == [143]
    assert atomic._half_written == set()

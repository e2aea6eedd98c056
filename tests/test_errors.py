"""Too little memory, and too many threads, in the words of each library."""

import errno
import pickle

import pytest

from impasto.errors import (
    DeviceError,
    MissingExtraError,
    OptionError,
    OutputError,
    PictureLimitError,
    TrainingError,
    in_memory,
)
from impasto.inference.runtimes import OutOfMemoryError

FORMS = [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: no"),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
]


@pytest.mark.parametrize("error", FORMS, ids=lambda error: type(error).__name__)
def test_too_little_memory_is_said(error):
    said = pytest.raises(PictureLimitError, match="it does not fit into memory - buy some")
    with said, in_memory("it", hint="buy some"):
        raise error


def test_what_a_library_makes_of_it_is_the_same():
    said = pytest.raises(TrainingError, match="does not fit into memory")
    with said, in_memory("it", hint="", kind=TrainingError):
        try:
            raise MemoryError
        except MemoryError as error:
            raise KeyError("export") from error


def test_threads_that_cannot_be_started_are_said():
    said = pytest.raises(PictureLimitError, match=r"no thread can be started for it.*ulimit -u")
    with said, in_memory("it", hint=""):
        raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("error", [RuntimeError("shape"), KeyError("a"), OptionError("alloc")])
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as raised, in_memory("it", hint=""):
        raise error
    assert raised.value is error


@pytest.mark.parametrize(
    "error",
    [
        MissingExtraError("video", "PyAV"),
        DeviceError("no cuda", hint="use cpu"),
        OutputError("the disk is full"),
        OutOfMemoryError("no room"),
    ],
)
def test_another_process_is_told_errors_as_they_are(error):
    told = pickle.loads(pickle.dumps(error))
    assert type(told) is type(error)
    assert (str(told), told.exit_code) == (str(error), error.exit_code)

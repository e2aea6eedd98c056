"""The runtimes that compute networks: onnxruntime, and OpenVINO where it is installed.

No other file knows them. They get a network as impasto writes it after reading. So a file from
somebody else never reaches them. A network runs on arrays by name.
"""

from __future__ import annotations

import functools
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, util
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np

from impasto.errors import DeviceError, StyleError, is_of_memory
from impasto.inference import devices

if TYPE_CHECKING:
    from types import ModuleType

    from impasto.inference.banded import Arrays
    from impasto.inference.onnx_proto import Network

Untyped: TypeAlias = Any
"""An object of a runtime; no runtime says the types of its objects."""
_Shapes: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]
"""Shapes of inputs, by name."""
Made = TypeVar("Made")

SPIN = True
"""Whether threads stay awake while they wait: faster, unless other processes need the cores."""

PRECISION: str | None = None
"""The floats that OpenVINO computes with, "f32" or "bf16".

By default they are what the processor multiplies fastest. Matrix units for bfloat16 (AMX) take a
half to a third of the time. They change a painting by a quarter to a half of a level.
"""

_SHAPES = 4
"""How many sizes of pictures OpenVINO keeps a compiled network for."""
_KINDS = {"tensor(uint8)": "uint8", "u8": "uint8", "tensor(float)": "float", "f32": "float"}

_HINT = "install the onnxruntime that has it (onnxruntime-gpu for cuda), or use --device cpu"
_HINTS = {"openvino": 'pip install "impasto[openvino]", or use --device cpu'}


class OutOfMemoryError(DeviceError, MemoryError):
    """The device has too little memory; the caller tries again in smaller parts."""


@dataclass(frozen=True)
class Port:
    """An input or output of a network; a side of its ``shape`` that is None is free."""

    name: str
    kind: str
    shape: tuple[int | None, ...]


class Session(Protocol):
    """A network that has started on a device; safe to use from many threads."""

    inputs: list[Port]
    outputs: list[Port]

    def run(self, inputs: Arrays, *, shrink: bool = False) -> Arrays:
        """Return the outputs. With ``shrink``, memory goes back to the system where a runtime can
        do that.

        Raises:
            OutOfMemoryError: there was too little memory.
            DeviceError: it failed.
        """


def start(
    network: Network,
    device: str,
    threads: int | None = None,
    *,
    arena: bool = True,
    at_once: int = 1,
) -> Session:
    """Start a session on one of :data:`impasto.inference.devices.RUNTIMES`.

    Args:
        network: what to run.
        device: where to run it.
        threads: how many; all allowed ones by default.
        arena: keep memory for the next run.
        at_once: runs at the same time; in onnxruntime they share the threads.

    Raises:
        OptionError: no such device, or far too many threads.
        StyleError: the runtime refuses the network.
        DeviceError: the device is not there, or does not start.
    """
    threads = devices.valid_threads(threads) or devices.threads()
    require(device)
    model = network.encoded()
    if device == "openvino":
        return _OpenVino(model, threads)
    return _Onnxruntime(model, device, max(1, threads // at_once), arena=arena)


def require(device: str) -> None:
    """Refuse a device that cannot be used, before any work begins with it.

    Raises:
        OptionError: there is no such device.
        DeviceError: this installation does not have it.
    """
    if devices.valid(device) not in {"auto", *available()}:
        raise DeviceError(f"this installation has no {device}", hint=_HINTS.get(device, _HINT))


def available() -> list[str]:
    """Return the devices that a runtime was built for; only a run shows whether they work."""
    built = {
        *_onnxruntime().get_available_providers(),
        *(["OpenVINO"] if util.find_spec("openvino") else []),
    }
    return [device for device, runtime in devices.RUNTIMES.items() if runtime in built]


def quantization() -> ModuleType:
    """Return onnxruntime's tools that bring a network to 8 bits."""
    _onnxruntime()
    from onnxruntime import quantization as tools

    return tools


@functools.cache
def _onnxruntime() -> ModuleType:
    """Import onnxruntime. It sends no usage data, even if a program imported it before impasto."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def precision(device: str) -> str:
    """Return the floats that a device computes with, as OpenVINO names them: f32, bf16, f16."""
    if device != "openvino":
        return "f32"
    import openvino

    hint = openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT")
    return PRECISION or str(hint.get_type_name())


def versions() -> dict[str, str]:
    names = ("onnxruntime", *(["openvino"] if util.find_spec("openvino") else []))
    return {name: metadata.version(name) for name in names}


class _Onnxruntime:
    """A session of onnxruntime.

    When a provider cannot start, onnxruntime falls back to the CPU without a word. So the providers
    are compared after the session is made.
    """

    def __init__(self, model: bytes, device: str, threads: int, *, arena: bool) -> None:
        ort = _onnxruntime()
        options, provider = ort.SessionOptions(), devices.RUNTIMES[device]
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # our own errors report what goes wrong
        options.enable_mem_pattern = False  # plans for sizes that may not come again
        options.enable_cpu_mem_arena = arena
        if not SPIN:
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = _refused("onnxruntime", device, lambda: ort.InferenceSession(
            model, options, providers=[provider]
        ))  # fmt: skip
        if self._session.get_providers()[0] != provider:
            raise DeviceError(
                f"{device} did not start; onnxruntime fell back to the CPU",
                hint="check the driver and its libraries, or use --device cpu",
            )
        self.inputs = [self._port(each) for each in self._session.get_inputs()]
        self.outputs = [self._port(each) for each in self._session.get_outputs()]

    def _port(self, port: Untyped) -> Port:
        shape = tuple(side if isinstance(side, int) else None for side in port.shape)
        return Port(port.name, _KINDS.get(port.type, port.type), shape)

    def run(self, inputs: Arrays, *, shrink: bool = False) -> Arrays:
        options = _onnxruntime().RunOptions()
        if shrink:
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        results = _failed(lambda: self._session.run(None, dict(inputs), options))
        return dict(zip((port.name for port in self.outputs), results, strict=True))


class _OpenVino:
    """A session of OpenVINO.

    It is fastest when compiled for one size of picture. That takes from a tenth of a second to two
    seconds for each size. The last few compiled networks are kept.
    """

    def __init__(self, model: bytes, threads: int) -> None:
        import openvino

        self._core = openvino.Core()
        self._options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision("openvino"),
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # others may want the cores too
        }
        self._model = _refused("OpenVINO", "cpu", lambda: self._core.read_model(model, b""))
        self.inputs = [self._port(each) for each in self._model.inputs]
        self.outputs = [self._port(each) for each in self._model.outputs]
        self._compiled: OrderedDict[tuple[tuple[str, tuple[int, ...]], ...], _Requests] = (
            OrderedDict()
        )
        self._lock = Lock()

    def _port(self, port: Untyped) -> Port:
        kind = port.element_type.get_type_name()
        shape = tuple(side.get_length() if side.is_static else None for side in port.partial_shape)
        return Port(port.any_name, _KINDS.get(kind, kind), shape)

    def run(self, inputs: Arrays, *, shrink: bool = False) -> Arrays:
        requests = self._of({port.name: inputs[port.name].shape for port in self.inputs})
        results = _failed(lambda: requests.run(inputs, [port.name for port in self.outputs]))
        if shrink:
            with self._lock:
                self._compiled.clear()
        return results

    def _of(self, shapes: dict[str, tuple[int, ...]]) -> _Requests:
        key = tuple(shapes.items())
        with self._lock:
            if key not in self._compiled:
                self._compiled[key] = _failed(lambda: self._compile(shapes))
            self._compiled.move_to_end(key)
            while len(self._compiled) > _SHAPES:
                self._compiled.popitem(last=False)
            return self._compiled[key]

    def _compile(self, shapes: dict[str, tuple[int, ...]]) -> _Requests:
        model = self._model.clone()
        model.reshape({name: list(shape) for name, shape in shapes.items()})
        return _Requests(self._core.compile_model(model, "CPU", self._options))


class _Requests:
    """A compiled network; each run in progress needs working memory of its own."""

    def __init__(self, compiled: Untyped) -> None:
        self._compiled = compiled
        self._idle: deque[Untyped] = deque()

    def run(self, inputs: Arrays, wanted: list[str]) -> Arrays:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        for name, array in inputs.items():  # copied here: tensors made of arrays share locks
            np.copyto(request.get_tensor(name).data, array)
        request.infer()
        results = {name: np.array(request.get_tensor(name).data) for name in wanted}
        self._idle.append(request)
        return results


def _refused(runtime: str, device: str, make: Callable[[], Made]) -> Made:
    """Return what ``make`` makes of a network; on the CPU an error is the network's fault."""
    try:
        return make()
    except Exception as error:  # the runtimes' exceptions share no base class
        if is_of_memory(error):
            raise OutOfMemoryError(_first_line(error)) from error
        if device == "cpu":
            raise StyleError(f"{runtime} refuses the network: {_first_line(error)}") from error
        raise DeviceError(_first_line(error), hint="use --device cpu") from error


def _failed(run: Callable[[], Made]) -> Made:
    try:
        return run()
    except Exception as error:  # the runtimes' exceptions share no base class
        kind = OutOfMemoryError if is_of_memory(error) else DeviceError
        raise kind(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]

"""The runtime: a network and a picture in, a painted picture out.

This is the only file that knows onnxruntime, and the border between pictures and tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from impasto import devices
from impasto.errors import DeviceError, StyleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST = 64
"""Pictures are extended by reflection to this side: below it, instance normalisation
has too few places to take statistics from."""


_KEEP_MEMORY = 4_000_000
"""Pixels up to which a session keeps the memory that it took."""


class Engine(Protocol):
    """What paints. ``device`` is the one that really runs; ``note`` says why not another."""

    device: str
    note: str

    def paint(self, pixels: NDArray[np.uint8], weights: Sequence[float] = ()) -> NDArray[np.uint8]:
        """``(H, W, 3)`` sRGB in, the same size out; thread-safe.

        ``weights`` say how much of each style of the network, for one that has several.
        """


class OnnxEngine:
    """A style network under onnxruntime.

    Takes the network as verified bytes (:meth:`impasto.catalog.Style.model`), a device of
    :data:`impasto.devices.DEVICES`, and a number of threads (all allowed ones by default).

    Raises:
        DeviceError: the device was asked for by name and does not run the network.
        StyleError: onnxruntime refuses the network, or it is not a style's.
    """

    def __init__(self, model: bytes, *, device: str = "auto", threads: int | None = None) -> None:
        self.device, self.note, self._session = _open(model, devices.valid(device), threads)

    def paint(self, pixels: NDArray[np.uint8], weights: Sequence[float] = ()) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        grow = max(0, SMALLEST - height), max(0, SMALLEST - width)
        if any(grow):
            pixels = np.pad(pixels, ((0, grow[0]), (0, grow[1]), (0, 0)), mode="symmetric")
        painted = _run(self._session, np.ascontiguousarray(pixels), weights)
        return painted[:height, :width]


def available() -> list[str]:
    """Devices that onnxruntime was built with; whether they work, only a run can tell."""
    import onnxruntime as ort

    built = ort.get_available_providers()
    return [device for device, provider in devices.PROVIDERS.items() if provider in built]


def version() -> str:
    import onnxruntime as ort

    return str(ort.__version__)


def _open(model: bytes, device: str, threads: int | None) -> tuple[str, str, Any]:
    """The first device that really works, why earlier ones did not, and its session."""
    candidates = available() if device == "auto" else [device]
    failures: list[str] = []
    for candidate in candidates:
        try:
            return candidate, "; ".join(failures), _session(model, candidate, threads)
        except DeviceError as error:
            if device != "auto":
                raise
            failures.append(f"{candidate} does not work here: {error.message}")
    raise DeviceError("no device runs this style", hint="; ".join(failures))


def _session(model: bytes, device: str, threads: int | None) -> Any:
    """A session that was seen to run on ``device``.

    onnxruntime falls back to the CPU without a word when a provider cannot start, so the
    providers are compared after the session is made, and a small picture is painted.
    """
    import onnxruntime as ort

    provider = devices.PROVIDERS[device]
    if provider not in ort.get_available_providers():
        raise DeviceError(
            f"this onnxruntime has no {device}",
            hint="install a build that has it (onnxruntime-gpu for cuda), or use --device cpu",
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or devices.threads()
    options.log_severity_level = 4  # what goes wrong is said by our own errors
    options.enable_mem_pattern = False  # plans for sizes that may not come again
    try:
        session = ort.InferenceSession(model, options, providers=[provider])
    except Exception as error:  # onnxruntime's exceptions share no base class
        if device == "cpu":
            raise StyleError(f"onnxruntime refuses the network: {_first_line(error)}") from error
        raise DeviceError(_first_line(error), hint="use --device cpu") from error
    if session.get_providers()[0] != provider:
        raise DeviceError(
            f"{device} did not start; onnxruntime fell back to the CPU",
            hint="check the driver and its libraries, or use --device cpu",
        )
    _check_signature(session)
    _run(session, np.zeros((SMALLEST, SMALLEST, 3), np.uint8))
    return session


def _check_signature(session: Any) -> None:
    (photo, *weights), outputs = session.get_inputs(), session.get_outputs()
    found = [(tensor.type, tensor.shape[-1:]) for tensor in (photo, *outputs)]
    if found != [("tensor(uint8)", [3])] * 2:
        raise StyleError("the network does not take and give one RGB picture")
    kinds = [(tensor.type, len(tensor.shape), type(tensor.shape[0])) for tensor in weights]
    if kinds not in ([], [("tensor(float)", 1, int)]):
        raise StyleError("the network takes other things than a picture and style weights")


def _run(
    session: Any, pixels: NDArray[np.uint8], weights: Sequence[float] = ()
) -> NDArray[np.uint8]:
    photo, *more = session.get_inputs()
    given: dict[str, NDArray[Any]] = {photo.name: pixels[None]}
    for tensor in more:
        first = np.eye(1, tensor.shape[0], dtype=np.float32)[0]
        given[tensor.name] = np.asarray(weights, np.float32) if len(weights) else first
    try:
        (painted,) = session.run(None, given, _run_options(pixels))
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise DeviceError(
            f"painting {pixels.shape[1]}x{pixels.shape[0]} failed: {_first_line(error)}",
            hint="try a smaller --size",
        ) from error
    if painted.shape[1:] != pixels.shape:
        raise StyleError("the network gives a picture of another size")
    result: NDArray[np.uint8] = painted[0]
    return result


def _run_options(pixels: NDArray[np.uint8]) -> Any:
    """After a large picture the runtime's memory goes back to the system.

    Small ones leave it grown: taking it anew for each would cost more than painting.
    """
    import onnxruntime as ort

    options = ort.RunOptions()
    if pixels.shape[0] * pixels.shape[1] > _KEEP_MEMORY:
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]

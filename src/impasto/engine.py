"""The runtime: a network and a picture in, a painted picture out.

This is the only file that knows onnxruntime, and the border between pictures and tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from impasto import devices, stages
from impasto.errors import DeviceError, StyleError
from impasto.tiles import Tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.tiles import Arrays, Run

SMALLEST = 64
"""Pictures are extended by reflection to this side: below it, instance normalisation
has too few places to take statistics from."""


MEMORY = 2_500_000_000
"""Bytes that a painting takes at most beside the two pictures; less where less is free."""

_BAND_MEMORY = 400_000_000
"""Of that, what one band is given."""

KEEP_MEMORY = 4_000_000
"""Pixels up to which a session keeps the memory that it took."""

SPIN = True
"""Whether threads wait for work awake: faster, unless other processes need the cores too."""

_TENSORS = 6.5
"""Largest tensors that a runtime holds at once: measured for our networks (4.5) and for
Johnson's (6.3)."""


class Engine(Protocol):
    """What paints. ``device`` is the one that really runs; ``note`` says why not another."""

    device: str
    note: str

    def paint(self, pixels: NDArray[np.uint8], weights: Sequence[float] = ()) -> NDArray[np.uint8]:
        """``(H, W, 3)`` sRGB in, the same size out; thread-safe.

        ``weights`` say how much of each style of the network, for one that has several.
        """


class _MemoryError(DeviceError):
    """The device has too little memory, to be tried again in smaller parts."""


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
        self._model, self._threads = model, threads

    @cached_property
    def bytes_per_pixel(self) -> float:
        """A forecast of the memory that a picture takes which is painted whole."""
        return _TENSORS * 4 * stages.widest(self._model)

    def paint(self, pixels: NDArray[np.uint8], weights: Sequence[float] = ()) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        grow = max(0, SMALLEST - height), max(0, SMALLEST - width)
        if any(grow):
            pixels = np.pad(pixels, ((0, grow[0]), (0, grow[1]), (0, 0)), mode="symmetric")
        return self._paint(pixels, _mix(self._session, weights))[:height, :width]

    def _paint(self, pixels: NDArray[np.uint8], mix: Arrays) -> NDArray[np.uint8]:
        """Whole where that fits into memory, else in bands."""
        area = pixels.shape[0] * pixels.shape[1]
        budget = min(MEMORY, (devices.memory() or 2 * MEMORY) / 2)
        if area * self.bytes_per_pixel > budget:
            return self._in_bands(pixels, mix, self.band(budget))
        try:
            return _painted(self._session, pixels, mix)
        except _MemoryError:  # a device may have less than the machine
            return self._in_bands(pixels, mix, area // 4)

    def band(self, budget: float) -> int:
        """Pixels of a band, where painting may take so many bytes."""
        return int(min(_BAND_MEMORY, budget / 4) / self.bytes_per_pixel)

    def _in_bands(self, pixels: NDArray[np.uint8], mix: Arrays, area: int) -> NDArray[np.uint8]:
        """In bands of an area, or less if that does not fit either."""
        while True:
            try:
                return self._tiles.paint(pixels, mix, area)
            except _MemoryError:
                if area < SMALLEST * pixels.shape[1]:
                    raise
                area //= 4

    @cached_property
    def _tiles(self) -> Tiles:
        # No arenas: there are many stages, but one is at work.
        return Tiles(self._model, partial(self._start, arena=False))

    def _start(self, model: bytes, *, arena: bool = True) -> Run:
        return partial(_outputs, _session(model, self.device, self._threads, arena=arena))


def available() -> list[str]:
    """Devices that onnxruntime was built with; whether they work, only a run can tell."""
    import onnxruntime as ort

    built = ort.get_available_providers()
    return [device for device, provider in devices.PROVIDERS.items() if provider in built]


def version() -> str:
    import onnxruntime as ort

    return str(ort.__version__)


def _open(model: bytes, device: str, threads: int | None) -> tuple[str, str, Any]:
    """The first device that is seen to paint, why earlier ones did not, and its session."""
    candidates = devices.preferred(available()) if device == "auto" else [device]
    failures: list[str] = []
    for candidate in candidates:
        try:
            session = _session(model, candidate, threads)
            _check_signature(session)
            _painted(session, np.zeros((SMALLEST, SMALLEST, 3), np.uint8), _mix(session, ()))
            return candidate, "; ".join(failures), session
        except DeviceError as error:
            if device != "auto":
                raise
            failures.append(f"{candidate} does not work here: {error.message}")
    raise DeviceError("no device runs this style", hint="; ".join(failures))


def _session(model: bytes, device: str, threads: int | None, *, arena: bool = True) -> Any:
    """A session that has started on ``device``; ``arena`` keeps memory for the next run.

    onnxruntime falls back to the CPU without a word when a provider cannot start, so the
    providers are compared after the session is made.
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
    options.enable_cpu_mem_arena = arena
    if not SPIN:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
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
    return session


def _check_signature(session: Any) -> None:
    (photo, *weights), outputs = session.get_inputs(), session.get_outputs()
    found = [(tensor.type, tensor.shape[-1:]) for tensor in (photo, *outputs)]
    if found != [("tensor(uint8)", [3])] * 2:
        raise StyleError("the network does not take and give one RGB picture")
    kinds = [(tensor.type, len(tensor.shape), type(tensor.shape[0])) for tensor in weights]
    if kinds not in ([], [("tensor(float)", 1, int)]):
        raise StyleError("the network takes other things than a picture and style weights")


def _mix(session: Any, weights: Sequence[float]) -> Arrays:
    """The style weights as the network takes them, if it does; all of the first by default."""
    return {
        tensor.name: np.asarray(weights or np.eye(1, tensor.shape[0])[0], np.float32)
        for tensor in session.get_inputs()[1:]
    }


def _painted(session: Any, pixels: NDArray[np.uint8], mix: Arrays) -> NDArray[np.uint8]:
    small = pixels.shape[0] * pixels.shape[1] <= KEEP_MEMORY
    (painted,) = _outputs(session, pixels[None], mix, shrink=not small).values()
    if painted.shape[1:] != pixels.shape:
        raise StyleError("the network gives a picture of another size")
    result: NDArray[np.uint8] = painted[0]
    return result


def _outputs(
    session: Any, photo: NDArray[np.uint8], others: Arrays, *, shrink: bool = False
) -> Arrays:
    """What the network makes of ``(1, H, W, 3)`` and its other inputs, by name."""
    first, *more = (tensor.name for tensor in session.get_inputs())
    given = {first: np.ascontiguousarray(photo), **{name: others[name] for name in more}}
    try:
        found = session.run(None, given, _run_options(shrink))
    except Exception as error:  # onnxruntime's exceptions share no base class
        kind = _MemoryError if "alloc" in str(error).lower() else DeviceError
        raise kind(
            f"painting {photo.shape[2]}x{photo.shape[1]} failed: {_first_line(error)}",
            hint="try a smaller --size",
        ) from error
    return dict(zip((tensor.name for tensor in session.get_outputs()), found, strict=True))


def _run_options(shrink: bool) -> Any:
    """To ``shrink``, after a large picture the runtime's memory goes back to the system.

    Small ones leave it grown: taking it anew for each would cost more than painting.
    """
    import onnxruntime as ort

    options = ort.RunOptions()
    if shrink:
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]

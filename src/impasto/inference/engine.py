"""A network and a picture in, a painted picture out: the border between pictures and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from impasto.errors import DeviceError
from impasto.inference import devices, network, runtimes
from impasto.inference.banded import Tiles
from impasto.inference.network import Forecasts
from impasto.inference.onnx_proto import Network
from impasto.inference.runtimes import OutOfMemoryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.inference.banded import Arrays

SMALLEST = 64
"""Pictures are extended by reflection to this side: below it, instance normalisation
has too few places to take statistics from."""


MEMORY = 2_500_000_000
"""Bytes that a painting takes at most beside the two pictures; less where less is free."""

_BAND_MEMORY = 400_000_000
"""Of that, what one band is given."""

KEEP_MEMORY = 4_000_000
"""Pixels up to which a session keeps the memory that it took."""

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


class OnnxEngine:
    """A style's network on a device.

    Takes the network (:meth:`impasto.catalog.Style.network`, or an ONNX file's content, which is
    checked as that of a style is), a device of :data:`impasto.inference.devices.DEVICES`, and a
    number of threads (all allowed by default).

    Raises:
        DeviceError: the device was asked for by name and does not run the network.
        StyleError: the runtime refuses the network, or it is not a style's.
    """

    def __init__(
        self, model: bytes | Network, *, device: str = "auto", threads: int | None = None
    ) -> None:
        self.network = model if isinstance(model, Network) else network.read(model)
        self.device, self.note, self._whole = _open(self.network, devices.valid(device), threads)
        self._threads = threads

    @cached_property
    def bytes_per_pixel(self) -> float:
        """A forecast of the memory that a picture takes which is painted whole."""
        largest, peak = Forecasts(self.network).bytes_per_pixel
        return max(_TENSORS * largest, peak)

    def paint(self, pixels: NDArray[np.uint8], weights: Sequence[float] = ()) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        return self._paint(grown(pixels), self.mix(weights))[:height, :width]

    def mix(self, weights: Sequence[float]) -> Arrays:
        """The style weights as the network takes them, by name."""
        return _mix(self.network, weights)

    def _paint(self, pixels: NDArray[np.uint8], mix: Arrays) -> NDArray[np.uint8]:
        """Whole where that fits into memory, else in bands."""
        area, allowed = pixels.shape[0] * pixels.shape[1], budget()
        if area * self.bytes_per_pixel > allowed:
            return self._in_bands(pixels, mix, self.band(allowed))
        try:
            return _painted(self._whole, pixels, mix)
        except OutOfMemoryError:  # a device may have less than the machine
            return self._in_bands(pixels, mix, area // 4)

    def band(self, budget: float) -> int:
        """Pixels of a band, where painting may take so many bytes."""
        return int(min(_BAND_MEMORY, budget / 4) / self.bytes_per_pixel)

    def _in_bands(self, pixels: NDArray[np.uint8], mix: Arrays, area: int) -> NDArray[np.uint8]:
        """In bands of an area, or less if that does not fit either."""
        while True:
            try:
                return self._tiles.paint(pixels, mix, area)
            except OutOfMemoryError:
                if area < SMALLEST * pixels.shape[1]:
                    raise
                area //= 4

    @cached_property
    def _tiles(self) -> Tiles:
        # No arenas: there are many stages, but one is at work.
        return Tiles(self.network, partial(self.start, seldom=True, arena=False))

    def start(
        self, network: Network, *, seldom: bool = False, arena: bool = True, at_once: int = 1
    ) -> Running:
        """A part of the network, or it with more outputs; OpenVINO would compile what is
        ``seldom`` run for longer than it then runs."""
        device = "cpu" if seldom and self.device == "openvino" else self.device
        return Running(network, device, self._threads, arena=arena, at_once=at_once)


class Running:
    """A network that has started on a device, and computes only what fits into memory.

    Settings are those of :func:`impasto.inference.runtimes.start`.
    """

    def __init__(
        self, network: Network, device: str, threads: int | None = None, **settings: Any
    ) -> None:
        self.session = runtimes.start(network, device, threads, **settings)
        self._forecasts = Forecasts(network)

    def __call__(self, photo: NDArray[np.uint8], others: Arrays, *, shrink: bool = False) -> Arrays:
        """What the network makes of ``(1, H, W, 3)`` and its other inputs, by name.

        To ``shrink``, after a large picture the runtime's memory goes back to the system. Small
        ones leave it grown: taking it anew for each would cost more than painting.
        """
        first, *more = (port.name for port in self.session.inputs)
        inputs = {first: np.ascontiguousarray(photo), **{name: others[name] for name in more}}
        self._forecasts.require(inputs)
        try:
            return self.session.run(inputs, shrink=shrink)
        except DeviceError as error:
            raise type(error)(
                f"painting {photo.shape[2]}x{photo.shape[1]} failed: {error.message}",
                hint="try a smaller --size",
            ) from error


def budget() -> float:
    """Bytes that a painting may take now."""
    return min(MEMORY, (devices.memory() or 2 * MEMORY) / 2)


def grown(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture with at least the smallest sides."""
    below, right = (max(0, SMALLEST - side) for side in pixels.shape[:2])
    if below or right:
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="symmetric")
    return pixels


def _open(network: Network, device: str, threads: int | None) -> tuple[str, str, Running]:
    """The first device that is seen to paint, why earlier ones did not, and the network there.

    OpenVINO would compile the network for what is tried; where it is taken of itself, ``impasto
    doctor --bench`` has seen it paint.
    """
    candidates = devices.preferred(runtimes.available()) if device == "auto" else [device]
    failures: list[str] = []
    for candidate in candidates:
        try:
            run = Running(network, candidate, threads)
            if candidate != "openvino":
                _painted(run, np.zeros((SMALLEST, SMALLEST, 3), np.uint8), _mix(network, ()))
            return candidate, "; ".join(failures), run
        except DeviceError as error:
            if device != "auto":
                raise
            failures.append(f"{candidate} does not work here: {error.message}")
    raise DeviceError("no device runs this style", hint="; ".join(failures))


def _mix(network: Network, weights: Sequence[float]) -> Arrays:
    """The style weights as the network takes them, if it does; all of the first by default."""
    _, *ports = network.inputs.items()
    return {
        name: np.asarray(weights or np.eye(1, port.shape[0])[0], np.float32) for name, port in ports
    }


def _painted(run: Running, pixels: NDArray[np.uint8], mix: Arrays) -> NDArray[np.uint8]:
    small = pixels.shape[0] * pixels.shape[1] <= KEEP_MEMORY
    (painted,) = run(pixels[None], mix, shrink=not small).values()
    result: NDArray[np.uint8] = painted[0]
    return result

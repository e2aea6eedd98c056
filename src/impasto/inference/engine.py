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
"""Smallest side in pixels; smaller pictures are extended by reflection.

Below it, instance normalisation has too few places for its statistics.
"""


MEMORY = 2_500_000_000
"""Most bytes that a painting takes beside the two pictures; fewer where fewer are free."""

_BAND_MEMORY = 400_000_000
"""The bytes of :data:`MEMORY` that one band gets."""

KEEP_MEMORY = 4_000_000
"""Largest picture, in pixels, after which a session keeps the memory that it took."""

_TENSORS = 6.5
"""How many tensors of the largest size a runtime holds at once.

Measured: 4.5 for our networks, 6.3 for Johnson's.
"""


class Engine(Protocol):
    """What paints.

    ``device`` is the one that really runs. ``note`` says why another one does not.
    """

    device: str
    note: str

    def paint(self, pixels: NDArray[np.uint8], weights: Sequence[float] = ()) -> NDArray[np.uint8]:
        """Paint ``(H, W, 3)`` sRGB; the result has the same size. Thread-safe.

        ``weights`` are the shares of a network's styles, if it has several.
        """


class OnnxEngine:
    """A style's network on a device.

    Args:
        model: the network, or an ONNX file's content. The file is checked like that of a style.
        device: one of :data:`impasto.inference.devices.DEVICES`.
        threads: how many; all allowed ones by default.

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
        """Forecast the bytes for each pixel of a picture that is painted whole."""
        largest, peak = Forecasts(self.network).bytes_per_pixel
        return max(_TENSORS * largest, peak)

    def paint(self, pixels: NDArray[np.uint8], weights: Sequence[float] = ()) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        return self._paint(grown(pixels), self.mix(weights))[:height, :width]

    def mix(self, weights: Sequence[float]) -> Arrays:
        """Return the style weights as the network takes them, by name."""
        return _mix(self.network, weights)

    def _paint(self, pixels: NDArray[np.uint8], mix: Arrays) -> NDArray[np.uint8]:
        """Paint the picture whole where that fits into memory, else in bands."""
        area, allowed = pixels.shape[0] * pixels.shape[1], budget()
        if area * self.bytes_per_pixel > allowed:
            return self._in_bands(pixels, mix, self.band(allowed))
        try:
            return _painted(self._whole, pixels, mix)
        except OutOfMemoryError:  # a device may have less than the machine
            return self._in_bands(pixels, mix, area // 4)

    def band(self, budget: float) -> int:
        """Return the pixels of a band, where painting may take so many bytes."""
        return int(min(_BAND_MEMORY, budget / 4) / self.bytes_per_pixel)

    def _in_bands(self, pixels: NDArray[np.uint8], mix: Arrays, area: int) -> NDArray[np.uint8]:
        """Paint in bands of an area, or of less if that does not fit either."""
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
        """Start a part of the network, or the network with more outputs.

        ``seldom`` says that it runs only a few times. OpenVINO would take longer to compile it than
        to run it.
        """
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
        """Run the network on ``(1, H, W, 3)`` and its other inputs by name.

        With ``shrink``, the runtime's memory goes back to the system after a large picture. Small
        pictures leave it grown. To take it again for each would cost more than to paint.
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
    """Return the bytes that a painting may take now."""
    return min(MEMORY, (devices.memory() or 2 * MEMORY) / 2)


def grown(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Extend a picture to the smallest sides."""
    below, right = (max(0, SMALLEST - side) for side in pixels.shape[:2])
    if below or right:
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="symmetric")
    return pixels


def _open(network: Network, device: str, threads: int | None) -> tuple[str, str, Running]:
    """Return the first device that paints in a trial, and the network there.

    The text between them says why earlier devices did not.

    OpenVINO would have to compile the network for the trial. Where impasto chose OpenVINO by
    itself, ``impasto doctor --bench`` has already seen it paint.
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
    """Return the style weights for a network that takes some; by default the first is all."""
    _, *ports = network.inputs.items()
    return {
        name: np.asarray(weights or np.eye(1, port.shape[0])[0], np.float32) for name, port in ports
    }


def _painted(run: Running, pixels: NDArray[np.uint8], mix: Arrays) -> NDArray[np.uint8]:
    small = pixels.shape[0] * pixels.shape[1] <= KEEP_MEMORY
    (painted,) = run(pixels[None], mix, shrink=not small).values()
    result: NDArray[np.uint8] = painted[0]
    return result

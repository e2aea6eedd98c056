"""The network of a style: checks of a file before a runtime computes anything of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from impasto.errors import StyleError
from impasto.inference import onnx_proto, operators
from impasto.inference.forecast import Forecast, forecast, photograph, reach
from impasto.inference.onnx_proto import INT64, SINGLE, UINT8, Network, Port, kind_of
from impasto.inference.tensors import Shape, Tensor

if TYPE_CHECKING:
    from impasto.inference.onnx_proto import Array

_LARGE = 1024, 1024
_PROBES = (64, 64), _LARGE
"""Heights and widths that every network must be able to paint."""
_MOST = 1_000_000
"""Most numbers that a network takes beside a picture, or gives instead of one."""
_HINT = "only networks that impasto exported are run"


def read(data: bytes, name: str = "the network") -> Network:
    """Read the network of a style from an ONNX file.

    It must be nothing but arithmetic, with its weights inside the file. It must make paintings of a
    photograph's size, and take no more memory than styles do.

    Raises:
        StyleError: it is something else.
    """
    with _refused(f"{name} is not a style network"):
        network = onnx_proto.read(data)
        operators.require_known(network, operators.OPERATORS)
        _require_style(network)
        if not any(node.op == "Conv" for node in network.nodes):
            raise ValueError("it has no convolution")
        for size in _PROBES:
            forecast(network, photograph(network, *size))
    return network


def read_hypernetwork(data: bytes, name: str = "the network") -> Network:
    """Read a network that makes the weights of a style's network from a painting.

    Raises:
        StyleError: it is something else, as :func:`read`.
    """
    with _refused(f"{name} is not a hypernetwork"):
        network = onnx_proto.read(data)
        operators.require_known(network, operators.OF_HYPERNETWORKS)
        _require_hypernetwork(network)
        for size in _PROBES:
            forecast(network, photograph(network, *size))
    return network


def read_step(data: bytes, name: str = "the network", *, shared: Mapping[str, Array]) -> Network:
    """Read a network that gives losses and gradients of a photograph, or statistics of a painting.

    Inputs that are in ``shared`` become constants.

    Raises:
        StyleError: it is something else, as :func:`read`, or ``shared`` is of other shapes.
    """
    with _refused(f"{name} is not a step of a training"):
        network = onnx_proto.read(data)
        operators.require_known(network, operators.OF_STEPS)
        network = _holding(network, shared)
        first, *others = network.inputs.values()
        if not _is_picture(first):
            raise ValueError("it does not take one RGB picture")
        _require_any_size(first)
        if any(port.kind != SINGLE for port in (*others, *network.outputs.values())):
            raise ValueError("it takes or gives other things than numbers")
        for size in _PROBES:
            forecast(network, photograph(network, *size))
    return network


def _holding(network: Network, shared: Mapping[str, Array]) -> Network:
    """Turn some of its inputs into constants."""
    constants, inputs = dict(network.constants), {}
    for name, port in network.inputs.items():
        if name not in shared:
            inputs[name] = port
        elif (kind_of(shared[name]), shared[name].shape) == (port.kind, port.shape):
            constants[name] = shared[name]
        else:
            raise ValueError(f"what it calls {name} is of another shape elsewhere")
    return replace(network, constants=constants, inputs=inputs)


@contextmanager
def _refused(what: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise StyleError(f"{what}: {error}", hint=_HINT) from error


class Forecasts:
    """Forecasts of a network for inputs of any size; the last few are remembered."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._of = lru_cache(maxsize=64)(self._made)

    @property
    def bytes_per_pixel(self) -> tuple[int, int]:
        """Bytes for each pixel of a large picture: of the largest tensor, and of all needed at
        once.

        Its edges are left out.
        """
        found = forecast(self._network, photograph(self._network, *_LARGE))
        area = math.prod(_LARGE)
        return found.largest // area, found.peak // area

    @property
    def reach(self) -> tuple[int, int]:
        """Return stride and reach in pixels, as :func:`impasto.inference.forecast.reach`."""
        return reach(self._network, photograph(self._network, *_LARGE))

    def require(self, inputs: Mapping[str, Array]) -> None:
        """Check that these inputs need no more memory than styles take.

        Raises:
            StyleError: they need more, or sizes inside the network do not go together.
        """
        with _refused("the network cannot be run"):
            self._of(tuple(map(_sizes, inputs.items())))

    def _made(self, sizes: tuple[_Sizes, ...]) -> Forecast:
        inputs = {
            name: Tensor(kind, shape, np.array(wholes, np.int64).reshape(shape) if wholes else None)
            for name, kind, shape, wholes in sizes
        }
        return forecast(self._network, inputs)


_Sizes = tuple[str, int, Shape, tuple[int, ...]]
"""The key of an input: name, kind and shape, and the whole numbers that may make sizes."""


def _sizes(given: tuple[str, Array]) -> _Sizes:
    name, values = given
    kind = kind_of(values)
    return name, kind, values.shape, tuple(values.tolist()) if kind == INT64 else ()


def _require_style(network: Network) -> None:
    photo, *weights = network.inputs.values()
    if len(network.outputs) != 1 or not all(map(_is_picture, (photo, *network.outputs.values()))):
        raise ValueError("it does not take and give one RGB picture")
    _require_any_size(photo)
    kinds = [(port.kind, len(port.shape), 0 < (_numbers(port) or 0) <= _MOST) for port in weights]
    if kinds not in ([], [(SINGLE, 1, True)]):
        raise ValueError("it takes other things than a picture and style weights")


def _require_hypernetwork(network: Network) -> None:
    painting, *others = network.inputs.values()
    if not _is_picture(painting):
        raise ValueError("it does not take one RGB picture")
    _require_any_size(painting)
    ports = [*others, *network.outputs.values()]
    if any(port.kind != SINGLE or not 0 < (_numbers(port) or 0) <= _MOST for port in ports):
        raise ValueError("it takes or gives other things than numbers that are counted")


def _is_picture(port: Port) -> bool:
    return port.kind == UINT8 and len(port.shape) == 4 and port.shape[-1] == 3


def _require_any_size(photo: Port) -> None:
    if photo.shape[1:3] != (None, None):
        raise ValueError("it takes pictures of one size only")


def _numbers(port: Port) -> int | None:
    """Return how many numbers it has; None, where some side is free."""
    sides = [side for side in port.shape if side is not None]
    return math.prod(sides) if len(sides) == len(port.shape) else None

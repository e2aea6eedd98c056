"""Several engines that paint the frames of one film, with one state and one report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from impasto.inference.onnx_proto import Array
    from impasto.video.temporal import SteadyEngine


class Steady(Protocol):
    """The report and the state of :class:`impasto.video.temporal.SteadyEngine` for a film."""

    state: dict[str, Array]

    @property
    def flicker(self) -> float: ...

    @property
    def noise(self) -> float: ...


class Together:
    """Engines that each paint the same frames."""

    def __init__(self, engines: Sequence[SteadyEngine]) -> None:
        self.engines = engines

    @property
    def flicker(self) -> float:
        """Return the flicker of the engine that flickers most."""
        return max(each.flicker for each in self.engines)

    @property
    def noise(self) -> float:
        return self.engines[0].noise

    @property
    def state(self) -> dict[str, Array]:
        return {
            f"{number} {name}": array
            for number, engine in enumerate(self.engines)
            for name, array in engine.state.items()
        }

    @state.setter
    def state(self, state: Mapping[str, Array]) -> None:
        """Go on from a state.

        Raises:
            ValueError, KeyError: it is none that a film has left.
        """
        for number, engine in enumerate(self.engines):
            own = f"{number} "
            engine.state = {
                name.removeprefix(own): array
                for name, array in state.items()
                if name.startswith(own)
            }

"""Pictures that come with impasto; their sources and licences are in ``NOTICE``."""

from pathlib import Path

STYLES = Path(__file__).parent / "styles"
"""The bundled styles, a folder each."""

ANY = Path(__file__).parent / "any"
"""The hypernetwork, which makes a style of any painting."""

STEP = Path(__file__).parent / "step"
"""The step of a training as graphs; with them a polish needs no torch."""

FACES = Path(__file__).parent / "faces"
"""The network that finds faces."""

PHOTOGRAPHS = Path(__file__).parent / "photographs"
"""Small photographs to learn with."""


def demo_photo() -> Path:
    """The photograph of ``impasto demo`` and of the styles' previews."""
    return Path(__file__).parent / "demo.jpg"

"""Pictures that come with impasto; their sources and licences are in ``NOTICE``."""

from pathlib import Path


def demo_photo() -> Path:
    """The photograph of ``impasto demo`` and of the styles' previews."""
    return Path(__file__).parent / "demo.jpg"

"""Polishes a style: learns on, for a minute, from what a hypernetwork made of a painting.

The core does it alone. torch, where it has a GPU, does its steps faster.

::

    polished = polish("painting.jpg", folder, PolishOptions(polish="60s"))
    save(polished, folder)
"""

from impasto.polishing.polisher import OnStep, Polished, SoFar, polish, require_place, save

__all__ = ["OnStep", "Polished", "SoFar", "polish", "require_place", "save"]

"""How far a node is, on the node itself, and ComfyUI's button that stops it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import comfy.model_management
import comfy.utils

if TYPE_CHECKING:
    from collections.abc import Callable

    from impasto.images.picture import Picture

_SHOW = 1.0
"""Seconds between two pictures so far, each sent to the browser."""
_SHOWN = 512
"""Pixels of its longer side."""


class Bar:
    """A node's bar. It is told after each step, and stops the work there when it was cancelled."""

    def __init__(self) -> None:
        self._bar = comfy.utils.ProgressBar(1)
        self._shown = time.monotonic()

    def __call__(self, step: int, total: int, so_far: Callable[[], Picture] | None = None) -> None:
        """``step`` of ``total`` is done; ``so_far`` gives the picture as it is then.

        Raises:
            comfy.model_management.InterruptProcessingException: it was cancelled.
        """
        comfy.model_management.throw_exception_if_processing_interrupted()
        preview = None
        if so_far and time.monotonic() - self._shown > _SHOW:
            preview = ("JPEG", so_far().pil(), _SHOWN)
            self._shown = time.monotonic()
        self._bar.update_absolute(step, total, preview)

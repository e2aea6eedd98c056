"""Progress on the node itself, and ComfyUI's button that stops it."""

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
"""Longer side of such a picture, in pixels."""


class Bar:
    """A node's bar. It moves after each step, and stops the work when the user has cancelled it."""

    def __init__(self) -> None:
        self._bar = comfy.utils.ProgressBar(1)
        self._shown = time.monotonic()

    def __call__(self, step: int, total: int, so_far: Callable[[], Picture] | None = None) -> None:
        """Show that ``step`` of ``total`` is done; ``so_far`` gives the picture so far.

        Raises:
            comfy.model_management.InterruptProcessingException: it was cancelled.
        """
        comfy.model_management.throw_exception_if_processing_interrupted()
        preview = None
        if so_far and time.monotonic() - self._shown > _SHOW:
            preview = ("JPEG", so_far().pil(), _SHOWN)
            self._shown = time.monotonic()
        self._bar.update_absolute(step, total, preview)

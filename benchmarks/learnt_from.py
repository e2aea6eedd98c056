"""Which painting a style was learnt from, by the hash in its card."""

from __future__ import annotations

from contextlib import suppress

from impasto import catalog
from impasto.catalog import Style
from impasto.catalog.painted import seen
from impasto.errors import PictureError
from impasto.images.picture import Picture


def part(painting: Picture, style: Style) -> Picture | None:
    """Return the part that the style was learnt from, as its network saw it.

    The file may be smooth already. None means that it is another painting.
    """
    _, size, crop, own = catalog.learnt_with(style)
    for smoothing in (own, 0):
        with suppress(PictureError):  # such as a part that is too narrow
            found = seen(painting, size, crop, smoothing)
            if found.sha256 == style.card.painting_sha256:
                return found
    return None

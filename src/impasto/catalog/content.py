"""Files of a style's folder, which somebody else may have made."""

from __future__ import annotations

import errno
from functools import lru_cache
from pathlib import Path

from impasto import assets, images, untrusted
from impasto.errors import PictureError, StyleError, reason
from impasto.options import ReadOptions, WriteOptions

_LARGEST_PREVIEW = 4 * 2**20
_PREVIEW_PIXELS = ReadOptions(max_pixels=4_000_000, max_side=4096)
_SHOWN = WriteOptions(quality=90, strip=True)


def content(path: Path, most: int) -> bytes:
    """Read a file of a style's folder: a regular file of up to ``most`` bytes, and no link.

    A link may lead to private files. Installers make links, too, so links to files that came with
    impasto are followed.

    Raises:
        StyleError: it cannot be read, or is no such file.
    """
    try:
        return untrusted.read(path, most, follow=_came_with_us(path))
    except (OSError, ValueError) as error:
        linked = getattr(error, "errno", None) == errno.ELOOP
        why = "it is a link" if linked else reason(error)
        raise StyleError(f"{path} cannot be read: {why}") from error


def _came_with_us(path: Path) -> bool:
    return any(path.is_relative_to(place) for place in (assets.STYLES, assets.ANY, assets.STEP))


def preview(path: Path) -> bytes:
    """Read a style's preview, and encode it anew as a JPEG, without anything else in the file.

    Raises:
        StyleError: it cannot be read, or is no picture of the size of a preview.
    """
    data = content(path, _LARGEST_PREVIEW)
    try:
        return _encoded(data)
    except PictureError as error:
        raise StyleError(f"{path} is no preview: {error.message}") from error


@lru_cache(maxsize=64)
def _encoded(data: bytes) -> bytes:
    return images.read(data, _PREVIEW_PIXELS).encode("JPEG", _SHOWN)

"""Paints one picture for a client: all code that touches a stranger's bytes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from impasto import images
from impasto.errors import PictureLimitError, in_memory
from impasto.files import kinds
from impasto.images import masks
from impasto.images.picture import Picture
from impasto.options import ReadOptions, ServeOptions, StyleOptions, StylizeOptions, WriteOptions
from impasto.server import packing, styles
from impasto.stylization import faces
from impasto.stylization.stylizer import Stylizer

if TYPE_CHECKING:
    from impasto.catalog import Style
    from impasto.images.masks import Mask

OWN = "*"
"""In place of a format: that of the photograph."""

_SEEN = 512
"""Side, in pixels, of the picture in which faces are looked for."""
_SIDES = "left", "top", "right", "bottom"

SMALLER = "give a smaller size"


@dataclass(frozen=True)
class Order:
    """What to paint. ``formats`` are those that the client takes, best first."""

    data: bytes | None
    """The photograph; None means that the style itself is wanted."""
    style: str
    """The style, as :mod:`impasto.server.styles` writes it."""
    options: StylizeOptions = StylizeOptions()
    formats: Sequence[str] = (OWN,)
    write: WriteOptions = WriteOptions(strip=True)
    paintings: Sequence[bytes] = ()
    """Paintings that were sent for the style."""
    style_options: StyleOptions = StyleOptions()
    mask: bytes | None = None
    """A picture that says where to paint; None paints all."""
    faces: bool = False
    """Whether only its faces are wanted, as JSON."""


@dataclass(frozen=True)
class PaintedFile:
    """A painted picture as a file, the seconds of each step, and what had to be decided."""

    data: bytes
    format: str
    device: str
    seconds: dict[str, float]
    notes: Sequence[str] = ()


@in_memory("the picture", hint=SMALLER)
def painted(order: Order, options: ServeOptions, threads: int | None = None) -> PaintedFile:
    """Make what is ordered, as a file.

    Raises:
        ImpastoError: what is wrong with the order.
    """
    if order.data is None:
        return _packed(order, options)
    if order.faces:
        return _faces(order.data, options)
    return _picture(order, order.data, options, threads)


def _packed(order: Order, options: ServeOptions) -> PaintedFile:
    """Pack the folder of a style as a zip file."""
    clock = _Clock()
    style = _style(order, options)
    with TemporaryDirectory() as folder:
        data = packing.packed(style.save(Path(folder) / style.name))
    clock("style")
    return PaintedFile(data, "ZIP", "cpu", clock.seconds)


def _faces(data: bytes, options: ServeOptions) -> PaintedFile:
    """Find the boxes of the faces in a picture, from 0 to 1 of its sides."""
    clock = _Clock()
    photo = images.read(BytesIO(data), read_options(options), enough=_SEEN)
    clock("read")
    found = [dict(zip(_SIDES, face.corners, strict=True)) for face in faces.find(photo.pixels)]
    clock("find")
    return PaintedFile(json.dumps({"faces": found}).encode(), "JSON", "cpu", clock.seconds)


def _picture(order: Order, data: bytes, options: ServeOptions, threads: int | None) -> PaintedFile:
    """Read, paint and encode.

    Where a size is wanted, a larger picture is read no larger than that needs, if its codec can do
    it.
    """
    clock = _Clock()
    wanted = order.options
    enough = wanted.largest_side(wanted.size) if isinstance(wanted.size, int) else None
    photo = images.read(BytesIO(data), read_options(options), enough=enough)
    mask = read_mask(order.mask, options)
    side = enough or wanted.largest_side(wanted.side(photo.width, photo.height))
    if side > options.stylize_side:
        raise PictureLimitError(
            f"it would be painted at {side} pixels a side; the limit is {options.stylize_side}",
            hint="give a smaller size or a larger stroke, or use POST /v1/jobs",
        )
    clock("read")
    loaded = _loaded_own if order.paintings else _loaded
    stylizer = loaded(_style(order, options), options.device, threads)
    clock("style")
    painting = stylizer.painted(photo, wanted, mask)
    clock("paint")
    format = next(iter(order.formats), OWN)
    if format == OWN:
        format = own_format(photo)
    file = images.encode(painting, format, order.write)
    clock("encode")
    return PaintedFile(file, format, stylizer.device, clock.seconds, photo.notes)


def _style(order: Order, options: ServeOptions) -> Style:
    return styles.made(order.style, order.paintings, order.style_options, read_options(options))


def read_options(options: ServeOptions) -> ReadOptions:
    """Return the limits for a client's pictures."""
    return ReadOptions(
        max_pixels=options.max_pixels, max_side=options.max_side, max_bytes=options.max_bytes
    )


def read_mask(data: bytes | None, options: ServeOptions) -> Mask | None:
    """Read the mask that a client sent, if it did; raises as :func:`impasto.images.masks.read`."""
    return None if data is None else masks.read(data, read_options(options))


def own_format(photo: Picture) -> str:
    """Return the photograph's own format, if pictures are written in it."""
    return photo.format if photo.format and photo.format in kinds.PICTURES.values() else "PNG"


@lru_cache(maxsize=8)
def _loaded(style: Style, device: str, threads: int | None) -> Stylizer:
    return Stylizer(style, device=device, threads=threads)


@lru_cache(maxsize=2)
def _loaded_own(style: Style, device: str, threads: int | None) -> Stylizer:
    """Load the stylizer of paintings that were sent.

    They have a cache of their own. However many come, the styles of the catalogue stay loaded.
    """
    return Stylizer(style, device=device, threads=threads)


class _Clock:
    """Seconds between calls, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self._last = now - self._last, now

"""Pillow images to pictures and back, and resizing."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from impasto.errors import PictureError, in_memory, reason
from impasto.images.codecs import icc
from impasto.images.codecs.color import split, to_srgb
from impasto.images.codecs.formats import decoder
from impasto.images.codecs.metadata import extract, has_adobe_rgb
from impasto.images.codecs.reading import Reading
from impasto.images.raster import AnyRaster, Raster, Size

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import ImageFile

BICUBIC, BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR
_LANCZOS = Image.Resampling.LANCZOS
# Pillow reports oddities as warnings; recording them changes global state, one at a time.
_recording = threading.Lock()


def from_pil(image: Image.Image) -> Raster:
    """Make a picture from a Pillow image: upright, sRGB, 8 bits.

    Raises:
        PictureError: its pixels cannot be read.
    """
    reading = Reading("the Pillow image")
    try:
        with in_memory("the Pillow image", hint="make it smaller first"), noted(reading.notes):
            image.load()  # this turns a TIFF, and removes the tag that asks for it
            picture = to_picture(Loaded(image), reading)
    except PictureError:
        raise
    except Exception as error:
        raise PictureError(f"the Pillow image cannot be used: {reason(error)}") from error
    return replace(picture, format=image.format, notes=tuple(reading.notes))


def to_pil(picture: Raster) -> Image.Image:
    """Return the picture as a Pillow image, mode RGB or RGBA."""
    image = Image.fromarray(picture.pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    return image


def resize(picture: AnyRaster, long_side: int) -> AnyRaster:
    """Resize the picture so that its longer side has ``long_side`` pixels; Lanczos."""
    scale = long_side / max(picture.width, picture.height)
    return resize_to(
        picture, (max(1, round(picture.height * scale)), max(1, round(picture.width * scale)))
    )


def resize_pixels(
    pixels: NDArray[np.uint8], size: Size, sampling: Image.Resampling = _LANCZOS
) -> NDArray[np.uint8]:
    """Resize ``(H, W, 3)`` pixels to another height and width; Lanczos by default."""
    height, width = size
    if pixels.shape[:2] == (height, width):
        return pixels
    resized = Image.fromarray(pixels).resize((width, height), sampling)
    return np.asarray(resized)


def averaged(pixels: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Reduce ``(H, W)`` values to a smaller height and width: the means of areas.

    So no value lies beyond its neighbours.
    """
    height, width = size
    if pixels.shape[:2] == (height, width):
        return pixels
    reduced = Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX)
    return np.asarray(reduced)


def smoothed(pixels: NDArray[np.uint8], deviation: float) -> NDArray[np.uint8]:
    """Convolve ``(H, W, 3)`` pixels, or ``(H, W)`` values, with a Gaussian, or nearly so.

    ``deviation`` is in pixels.
    """
    if not deviation:
        return pixels
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(deviation)))


def enlarging(
    values: NDArray[np.float32], size: Size, sampling: Image.Resampling = BICUBIC
) -> Callable[[slice], NDArray[np.float32]]:
    """Make a function that gives any rows of ``(H, W, C)`` values at a larger height and width.

    Rows fit together as if all were made at once.
    """
    height, width = size
    scale = values.shape[0] / height
    channels = [Image.fromarray(channel) for channel in np.moveaxis(values, 2, 0)]

    def rows(part: slice) -> NDArray[np.float32]:
        box = 0, part.start * scale, values.shape[1], part.stop * scale
        target = width, part.stop - part.start
        return np.stack([np.asarray(each.resize(target, sampling, box)) for each in channels], 2)

    return rows


def resize_to(picture: AnyRaster, size: Size) -> AnyRaster:
    """Resize the picture to a height and width; Lanczos, with colours weighted by their alpha."""
    height, width = size
    if (picture.height, picture.width) == (height, width):
        return picture
    if picture.alpha is None:
        return picture.with_pixels(resize_pixels(picture.pixels, size))
    resized = to_pil(picture).resize((width, height), _LANCZOS)
    color, alpha = split(resized)
    return replace(
        picture, pixels=np.asarray(color), alpha=None if alpha is None else np.asarray(alpha)
    )


@dataclass(frozen=True)
class Loaded:
    """A picture with its pixels, in any of Pillow's modes."""

    image: Image.Image
    header: Image.Image | None = None
    """The image with its metadata; None for the same image."""
    alpha: Image.Image | None = None
    """Alpha beside colours whose mode has none."""
    orientation: int = 0
    """As EXIF numbers it; 0 for what the metadata says."""


def to_picture(loaded: Loaded, reading: Reading) -> Raster:
    image = loaded.image
    metadata, orientation = extract(loaded.header or image, reading)
    color, alpha = split(image)
    alpha = loaded.alpha or alpha
    profile = image.info.get("icc_profile")
    if not profile and has_adobe_rgb(loaded.header or image):
        profile = icc.profile(icc.ADOBE_RGB, icc.ADOBE_CURVE)
    color = to_srgb(color, profile, reading.notes)
    turn = _TURNS.get(loaded.orientation or orientation)
    if turn is not None:
        color = color.transpose(turn)
        alpha = alpha.transpose(turn) if alpha else None
    pixels = np.asarray(color)
    return Raster(pixels, np.asarray(alpha) if alpha else None, metadata=metadata)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def opened(format: str, file: IO[bytes], notes: list[str]) -> ImageFile.ImageFile:
    """Open a file with the format's own decoder, which reads the header but no pixels yet."""
    with noted(notes):
        return decoder(format)(file)


@contextmanager
def noted(notes: list[str]) -> Iterator[None]:
    """Turn the decoder's warnings into notes."""
    with _recording, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    notes.extend(reason(warning.message) for warning in caught)

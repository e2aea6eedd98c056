"""Converts colours, in any of Pillow's modes and with any profile, to 8-bit sRGB."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageCms

from impasto.errors import PictureError, reason

if TYPE_CHECKING:
    from PIL._imagingcms import CmsProfile

    Profile: TypeAlias = ImageCms.ImageCmsProfile | CmsProfile

MAX_PROFILE = 4 * 2**20
TOO_LARGE = "its colour profile is too large to be one; taken as sRGB"


def split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split a picture into colours in an 8-bit mode (L, RGB, CMYK, LAB) and alpha."""
    mode = image.mode
    if mode.startswith(("I", "F")):
        return _reduce(image), None
    if mode in ("LA", "RGBA", "PA", "La", "RGBa") or "transparency" in image.info:
        # A premultiplied or palette picture goes by way of plain RGBA.
        full = image.convert("RGBA") if mode not in ("LA", "La") else image.convert("LA")
        return full.convert("L" if full.mode == "LA" else "RGB"), full.getchannel("A")
    if mode in ("1", "L"):
        return image.convert("L"), None
    if mode in ("RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("RGB"), None


def _reduce(image: Image.Image) -> Image.Image:
    """Reduce grey of 16 or 32 bits, or floats, to 8 bits over its whole range.

    The range of floats ends at 1, 255 or 65,535; sharpening may have brought some a little above.
    """
    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise PictureError("it holds values that are not numbers (NaN or infinite)")
    if image.mode == "F":
        top = values.max()
        scale = 255.0 if top <= 2 else 1.0 if top <= 2 * 255 else 1 / 257
    else:
        wide = image.mode.startswith("I;16") or values.max() > 255
        scale = 1 / 257 if wide else 1.0
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


def to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    if image.mode == "LAB":
        return _transform(image, ImageCms.createProfile("LAB"))
    if profile:
        if len(profile) > MAX_PROFILE:
            notes.append(TOO_LARGE)
        else:
            try:
                return _from_profile(image, profile)
            except _OtherChannelsError as error:
                notes.append(f"its colour profile is {error}; taken as sRGB")
            except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
                notes.append(f"its colour profile is damaged ({reason(error)}); taken as sRGB")
    return image if image.mode == "RGB" else image.convert("RGB")


class _OtherChannelsError(Exception):
    """A profile that is whole, but for other channels than the picture has."""


_CHANNELS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
"""The colour space of profiles, by Pillow's mode."""
_SAID = {"GRAY": "grey", "LAB": "Lab"}


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert a picture with a profile.

    Raises:
        _OtherChannelsError: it is for a picture of other channels.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space = source.profile.xcolor_space.strip().upper()
    if (image.mode, space) == ("L", "RGB"):
        image = image.convert("RGB")  # grey is a colour of any RGB space
    if space != (own := _CHANNELS[image.mode]):
        raise _OtherChannelsError(f"for {_SAID.get(space, space)}, and it is {_SAID.get(own, own)}")
    if image.mode == "RGB" and _is_srgb(source):
        return image
    return _transform(image, source)


def _is_srgb(source: Profile) -> bool:
    """Say whether the profile changes nothing; linear profiles may be called sRGB, too."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    probe = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(len(levels), -1, 3)
    converted = np.asarray(_transform(Image.fromarray(probe), source))
    return bool(np.abs(converted.astype(int) - probe).max() <= 1)


def _transform(image: Image.Image, source: Profile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None
    return converted


_CREATED = slice(24, 36)
_A_DAY = struct.pack(">6H", 2025, 1, 1, 0, 0, 0)


@cache
def srgb_profile() -> bytes:
    """Return the profile that goes into files.

    Its date is always the same, so that one command gives the same bytes at any time.
    """
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_CREATED] = _A_DAY
    return bytes(profile)

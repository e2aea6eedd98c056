"""Canvases and sources: sizes, initial images, and style pictures made ready."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto import images
from impasto.errors import OptionError, PictureError
from impasto.images import operations
from impasto.images.crop import cropped
from impasto.images.picture import Picture
from impasto.images.raster import Size
from impasto.options import OptimizeOptions
from impasto.studio.optimization.color_transfer import colored
from impasto.studio.tensors import to_tensor

_COARSEST = 128
"""Long side below which a picture has too few places for the deep layers."""
_SMALLEST = 16
INITS = ("content", "style", "uniform", "normal", "grey")


def sizes(content: Picture, options: OptimizeOptions) -> list[Size]:
    """Return sizes from coarse to fine, each about twice the one before."""
    longest, most = max(content.width, content.height), options.scales or 99
    sides = [float(options.size)]
    narrow = min(content.width, content.height) / longest

    def worthwhile(side: float) -> bool:
        return side >= _COARSEST and round(side * narrow) >= _SMALLEST

    while len(sides) < most and (options.scales or worthwhile(sides[0] / 2)):
        sides.insert(0, sides[0] / 2)
    scales = [side / longest for side in sides]
    shapes = [(max(1, round(content.height * k)), max(1, round(content.width * k))) for k in scales]
    if min(shapes[0]) < _SMALLEST:
        raise OptionError(
            f"the coarsest scale would be {shapes[0][1]}x{shapes[0][0]}",
            hint="use a larger --size or fewer --scales",
        )
    return shapes


def shares(steps: int, count: int) -> list[int]:
    """Share steps out to ``count`` scales, coarse to fine, one at least for each.

    Each scale gets half of the steps that are left. Coarse steps are cheap, and decide where
    everything goes. But each later scale keeps a tenth of all steps. The new detail of a larger
    canvas is only grain until it has had steps of its own.
    """
    counted, left, least = [], steps, max(1, steps // 10)
    for later in range(count - 1, 0, -1):
        counted.append(max(1, min(round(left / 2), left - later * least)))
        left -= counted[-1]
    return [*counted, max(1, left)]


def is_file(init: str) -> bool:
    """Say whether an initial image is a picture's file that exists."""
    return init not in INITS and os.path.exists(init)


def at(picture: Picture, size: Size) -> Tensor:
    """Return the picture at a size, ``(1, 3, H, W)``, 0..1."""
    return to_tensor(images.resize_to(picture, size).pixels)[None]


def initial(
    content: Picture, styles: Sequence[Picture], size: Size, options: OptimizeOptions
) -> Tensor:
    """Make the first canvas, ``(1, 3, H, W)``, 0..1.

    Raises:
        OptionError, PictureError: ``options.init`` is neither a word nor a picture.
    """
    noise = np.random.default_rng(options.seed)
    shape = (1, 3, *size)
    name = options.init
    if name == "content":
        first = at(content, size)
    elif name == "style":
        first = at(cropped(styles[0], "auto", size[1] / size[0]), size)
    elif name == "grey":
        first = torch.full(shape, 0.5)
    elif name == "uniform":
        first = torch.from_numpy(noise.random(shape, np.float32))
    elif name == "normal":
        values = 0.5 + 0.15 * noise.standard_normal(shape, np.float32)
        first = torch.from_numpy(values).clamp(0, 1)
    elif is_file(name):
        first = at(operations.opaque(images.read(name)), size)
    else:
        raise OptionError(
            f"{name!r} is no initial image", hint=f"use {', '.join(INITS)}, or a picture's file"
        )
    if options.init_noise:
        mixed = torch.from_numpy(noise.random(shape, np.float32))
        first = torch.lerp(first, mixed, options.init_noise)
    return first


def enlarged(canvas: Tensor, coarse: Tensor | None, content: Tensor) -> Tensor:
    """Enlarge the canvas to the size of ``content``, both ``(1, 3, H, W)``.

    ``coarse`` is the content at the canvas's size. With it, the detail that the content gains
    through its new size is added. That is one level of a Laplacian pyramid (Burt & Adelson 1983).
    """
    size = content.shape[2:]
    larger = F.interpolate(canvas, size, mode="bicubic", antialias=True)
    if coarse is not None:
        larger = larger + content - F.interpolate(coarse, size, mode="bicubic", antialias=True)
    return larger.clamp(0, 1)


def style(
    picture: Picture,
    content: Picture,
    size: Size,
    share: float,
    options: OptimizeOptions,
) -> Tensor:
    """Make a style picture for a canvas of ``size``.

    The long side of that canvas is ``share`` of the last canvas's.
    """
    part = _part(picture, content, options)
    large = style_size(picture, content, size, share, options)
    return at(colored(part, content, options.colors), large)


def style_size(
    picture: Picture,
    content: Picture,
    size: Size,
    share: float,
    options: OptimizeOptions,
) -> Size:
    """Return the size of a style picture beside a canvas of ``size``.

    Its area is that of the canvas times ``style_scale`` squared. So its marks keep their size
    beside the picture's at every output size.
    """
    part = _part(picture, content, options)
    if options.style_size:
        scale = share * options.style_size / max(part.width, part.height)
    else:
        area = size[0] * size[1] / (part.width * part.height)
        scale = options.style_scale * area**0.5
    height, width = (max(_SMALLEST, round(side * scale)) for side in (part.height, part.width))
    return height, width


def _part(picture: Picture, content: Picture, options: OptimizeOptions) -> Picture:
    return cropped(picture, options.style_crop, content.width / content.height)


def mask(source: Picture, size: Size) -> Tensor:
    """Make a region from a picture's lightness, ``(1, 1, H, W)``, 0..1.

    Soft edges stay soft. Transparent places are black.

    Raises:
        PictureError: it is black everywhere.
    """
    if source.alpha is not None:
        shown = source.pixels * (source.alpha[..., None] / 255)
        source = replace(source, pixels=np.rint(shown).astype(np.uint8), alpha=None)
    values = at(source, size).mean(1, keepdim=True)
    if not values.max() > 0:
        raise PictureError("a mask is black everywhere", hint="white is where its style goes")
    return values

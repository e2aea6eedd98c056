"""Recipes: all that is needed to paint the same picture again, in the picture itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

import torch

from impasto import images
from impasto.distribution import VERSION
from impasto.errors import OptionError, PictureError
from impasto.images.picture import Picture
from impasto.options import OptimizeOptions
from impasto.options.fields import Json, restored

if TYPE_CHECKING:
    from impasto.images.raster import PictureSource


class PictureRecord(TypedDict):
    """A picture that a recipe names."""

    path: str | None
    """None: it was in memory."""
    pixels_sha256: str
    weight: NotRequired[float]
    """Of a style."""


class Recipe(TypedDict):
    """What a painting holds."""

    impasto: str
    torch: str
    content: PictureRecord
    styles: list[PictureRecord]
    masks: NotRequired[list[PictureRecord]]
    options: dict[str, Json]
    init: NotRequired[PictureRecord]
    """The initial image, if that was a file."""
    start: NotRequired[PictureRecord]
    """As older recipes call it."""


def write(
    painting: Picture,
    content: tuple[PictureSource, Picture],
    styles: Sequence[tuple[PictureSource, Picture]],
    masks: Sequence[tuple[PictureSource, Picture]],
    weights: Sequence[float],
    options: OptimizeOptions,
    init: Picture | None = None,
) -> Picture:
    """``painting`` with its recipe in EXIF's comment.

    Sources come with the pictures that they held, as ``init`` does if it is a file. Paths are
    kept as they were given.
    """
    record: Recipe = {
        "impasto": VERSION,
        "torch": str(torch.__version__),
        "content": _source(*content),
        "styles": [
            {**_source(*style), "weight": weight}
            for style, weight in zip(styles, weights, strict=True)
        ],
        "masks": [_source(*mask) for mask in masks],
        "options": asdict(options),
    }
    if init:
        record["init"] = _source(options.init, init)
    return images.with_comment(painting, json.dumps(record))


def read(painting: Picture) -> Recipe:
    """The recipe that :func:`write` put into a picture.

    Raises:
        OptionError: there is none.
    """
    try:
        record = json.loads(images.comment(painting))
        if not {"impasto", "content", "styles", "options"} <= record.keys():
            raise ValueError
    except (ValueError, AttributeError) as error:
        raise OptionError(
            "the picture holds no recipe of impasto",
            hint="only pictures written by impasto optimize, without --strip and not as BMP, do",
        ) from error
    return cast("Recipe", record)


def options(record: Recipe) -> OptimizeOptions:
    """The options of a recipe.

    Raises:
        OptionError: they are of another version, or were changed.
    """
    try:
        return restored(OptimizeOptions, record["options"])
    except OptionError as error:
        raise OptionError(f"the recipe cannot be used: {error.message}", hint=error.hint) from error


def init(record: Recipe) -> PictureRecord | None:
    """What a recipe says of the initial image, if that was a file. Older ones call it start."""
    return record.get("init") or record.get("start")


def source(entry: PictureRecord, beside: Path) -> Path:
    """The file that a recipe names, from here or from the painting's own folder.

    Raises:
        PictureError: it is not there, or it is another picture now.
    """
    if not entry["path"]:
        raise PictureError("the recipe was made in memory; it names no file to paint again")
    for path in (Path(entry["path"]), beside.parent / Path(entry["path"]).name):
        if path.is_file():
            if images.read(path).sha256 != entry["pixels_sha256"]:
                raise PictureError(f"{path} is not the picture that the recipe was made with")
            return path
    raise PictureError(f"{entry['path']} is not there", hint=f"put it beside {beside}")


def _source(origin: PictureSource, picture: Picture) -> PictureRecord:
    path = str(origin) if isinstance(origin, (str, Path)) else None
    return {"path": path, "pixels_sha256": picture.sha256}

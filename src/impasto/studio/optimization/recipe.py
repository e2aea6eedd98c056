"""Recipes: all that is needed to paint the same picture again, stored in the picture itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

import torch

from impasto import images
from impasto.distribution import VERSION
from impasto.errors import OptionError, PictureError
from impasto.images.picture import Picture
from impasto.options import OptimizeOptions
from impasto.options.fields import Json, restored
from impasto.studio.optimization.pyramid import INITS
from impasto.untrusted import parse_json

if TYPE_CHECKING:
    from impasto.images.raster import PictureSource

_PARTS = {"impasto", "content", "styles", "options"}


class PictureRecord(TypedDict):
    """A picture that a recipe names."""

    path: str | None
    """None means that it was in memory."""
    pixels_sha256: str
    weight: NotRequired[float]
    """The weight of a style."""


class Recipe(TypedDict):
    """The recipe that a painting holds."""

    impasto: str
    torch: str
    content: PictureRecord
    styles: list[PictureRecord]
    masks: NotRequired[list[PictureRecord]]
    options: dict[str, Json]
    init: NotRequired[PictureRecord]
    """The initial image, if that was a file."""
    start: NotRequired[PictureRecord]
    """The same in older recipes."""


def write(
    painting: Picture,
    content: tuple[PictureSource, Picture],
    styles: Sequence[tuple[PictureSource, Picture]],
    masks: Sequence[tuple[PictureSource, Picture]],
    weights: Sequence[float],
    options: OptimizeOptions,
    init: Picture | None = None,
) -> Picture:
    """Write the recipe into EXIF's comment of ``painting``.

    Sources come with the pictures that they held, and so does ``init`` if it is a file. Paths stay
    as they were given.
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
    """Read the recipe that :func:`write` put into a picture, and check each part.

    Raises:
        OptionError: there is none, or somebody has changed it.
    """
    try:
        record = parse_json(images.comment(painting))
        if not isinstance(record, dict) or not record.keys() >= _PARTS:
            raise ValueError("it is something else")
    except ValueError as error:
        raise OptionError(
            "the picture holds no recipe of impasto",
            hint="only pictures written by impasto optimize, without --strip and not as BMP, do",
        ) from error
    try:
        _require(record)
    except (KeyError, TypeError) as error:
        raise OptionError(
            f"the recipe in the picture is damaged: {error.args[0]}",
            hint="paint it anew with impasto optimize",
        ) from error
    return cast("Recipe", record)


def _require(record: Mapping[str, Json]) -> None:
    """Check a recipe.

    Raises:
        KeyError, TypeError: a part of it is not there, or of another kind.
    """
    options, init = record["options"], record.get("init") or record.get("start")
    if not isinstance(options, dict):
        raise TypeError("options is not an object")
    _require_pictures([record["content"]], "content")
    _require_pictures(record["styles"], "a style", weighted=True)
    _require_pictures(record.get("masks", []), "a mask")
    if init is not None:
        _require_pictures([init], "init")
    elif options.get("init", options.get("start", INITS[0])) not in INITS:
        raise KeyError("it does not say what the initial image was")
    if not record["styles"]:
        raise KeyError("it has no style")


def _require_pictures(entries: Json, what: str, *, weighted: bool = False) -> None:
    """Check entries.

    Raises:
        TypeError: they are no list of pictures, with weights if they are ``weighted``.
    """
    if not isinstance(entries, list):
        raise TypeError(f"what should be a list of pictures is {type(entries).__name__}")
    for entry in entries:
        if not isinstance(entry, dict):
            raise TypeError(f"{what} is not an object")
        if not isinstance(entry.get("path", 0), (str, NoneType)):
            raise TypeError(f"{what} has no path")
        if not isinstance(entry.get("pixels_sha256"), str):
            raise TypeError(f"{what} has no checksum")
        weight = entry.get("weight")
        if weighted and (isinstance(weight, bool) or not isinstance(weight, (int, float))):
            raise TypeError(f"{what} has no weight")


def options(record: Recipe) -> OptimizeOptions:
    """Return the options of a recipe.

    Raises:
        OptionError: they are of another version, or were changed.
    """
    try:
        return restored(OptimizeOptions, record["options"])
    except OptionError as error:
        raise OptionError(f"the recipe cannot be used: {error.message}", hint=error.hint) from error


def init(record: Recipe) -> PictureRecord | None:
    """Return the initial image of a recipe, if it was a file. Older recipes call it start."""
    return record.get("init") or record.get("start")


def source(entry: PictureRecord, beside: Path) -> Path:
    """Return the file that a recipe names, from here or from the painting's own folder.

    Raises:
        PictureError: it is not there, or it is another picture now.
    """
    if not entry["path"]:
        raise PictureError("the recipe was made in memory; it names no file to paint again")
    for path in (Path(entry["path"]), beside.parent / Path(entry["path"]).name):
        if os.path.isfile(path):  # False also for an impossible name of a file
            if images.read(path).sha256 != entry["pixels_sha256"]:
                raise PictureError(f"{path} is not the picture that the recipe was made with")
            return path
    raise PictureError(f"{entry['path']} is not there", hint=f"put it beside {beside}")


def _source(origin: PictureSource, picture: Picture) -> PictureRecord:
    path = str(origin) if isinstance(origin, (str, Path)) else None
    return {"path": path, "pixels_sha256": picture.sha256}

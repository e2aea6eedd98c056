"""Recipes: all that is needed to paint the same picture again, in the picture itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import torch

from impasto import __version__, codecs
from impasto.errors import OptionError, PictureError
from impasto.knobs import current
from impasto.options import OptimizeOptions
from impasto.picture import Picture


def write(
    painting: Picture,
    content: tuple[Any, Picture],
    styles: Sequence[tuple[Any, Picture]],
    masks: Sequence[tuple[Any, Picture]],
    weights: Sequence[float],
    options: Mapping[str, Any],
    start: Picture | None = None,
) -> Picture:
    """``painting`` with its recipe in EXIF's comment.

    Sources come with the pictures that they held, as ``start`` does if it is a file. Paths are
    kept as they were given.
    """
    record = {
        "impasto": __version__,
        "torch": str(torch.__version__),
        "content": _source(*content),
        "styles": [
            {**_source(*style), "weight": weight}
            for style, weight in zip(styles, weights, strict=True)
        ],
        "masks": [_source(*mask) for mask in masks],
        "options": options,
    }
    if start:
        record["start"] = _source(options["start"], start)
    return codecs.with_comment(painting, json.dumps(record))


def read(painting: Picture) -> dict[str, Any]:
    """The recipe that :func:`write` put into a picture.

    Raises:
        OptionError: there is none.
    """
    try:
        record = json.loads(codecs.comment(painting))
        if not {"impasto", "content", "styles", "options"} <= record.keys():
            raise ValueError
    except (ValueError, AttributeError) as error:
        raise OptionError(
            "the picture holds no recipe of impasto",
            hint="only pictures written by impasto optimize, without --strip and not as BMP, do",
        ) from error
    return dict(record)


def options(record: Mapping[str, Any]) -> OptimizeOptions:
    """The options of a recipe.

    Raises:
        OptionError: they are of another version, or were changed.
    """
    made: OptimizeOptions = _options(OptimizeOptions, record["options"])
    return made


def _options(kind: type, values: Any) -> Any:
    if not isinstance(values, dict):
        raise OptionError("the recipe's options are damaged")
    known = {field.name: getattr(kind(), field.name) for field in fields(kind)}
    given = current(kind(), values)
    if strange := given.keys() - known.keys():
        names = ", ".join(sorted(strange))
        raise OptionError(f"the recipe has options that do not exist here: {names}")
    made = {}
    for name, value in given.items():
        default = known[name]
        if is_dataclass(default):
            made[name] = _options(type(default), value)
        else:
            made[name] = tuple(value) if isinstance(default, tuple) else value
    return kind(**made)


def source(entry: Mapping[str, Any], beside: Path) -> Path:
    """The file that a recipe names, from here or from the painting's own folder.

    Raises:
        PictureError: it is not there, or it is another picture now.
    """
    if not entry["path"]:
        raise PictureError("the recipe was made in memory; it names no file to paint again")
    for path in (Path(entry["path"]), beside.parent / Path(entry["path"]).name):
        if path.is_file():
            if codecs.read(path).sha256 != entry["pixels_sha256"]:
                raise PictureError(f"{path} is not the picture that the recipe was made with")
            return path
    raise PictureError(f"{entry['path']} is not there", hint=f"put it beside {beside}")


def _source(given: Any, picture: Picture) -> dict[str, str | None]:
    path = str(given) if isinstance(given, (str, Path)) else None
    return {"path": path, "pixels_sha256": picture.sha256}

"""What the page needs to refine a painting in a browser alone, beyond painting it at once."""

from __future__ import annotations

import json

from impasto import assets
from impasto.catalog import step
from impasto.distribution import VERSION
from impasto.files import lookup
from impasto.options.fields import Json

_PLACE = "refine"
_RECIPE = f"{_PLACE}/recipe.json"


def files(runtime: str) -> tuple[dict[str, Json], list[tuple[str, bytes]]]:
    """Return where the page finds how it refines, how many bytes that is, and the files.

    ``runtime`` is the version of onnxruntime-web that computes.
    """
    from impasto.polishing.recipe import recipe  # which takes long to import

    photographs = lookup.pictures(assets.PHOTOGRAPHS).paths
    written = [(f"{_PLACE}/photographs/{path.name}", path.read_bytes()) for path in photographs]
    names: list[Json] = [name for name, _ in written]
    graphs = step.parts()._asdict()
    written += [(f"{_PLACE}/{part}.onnx", data) for part, data in graphs.items()]
    versions = {"impasto": VERSION, "onnxruntime-web": runtime}
    told = {**recipe(len(photographs), versions), "photographs": names}
    told["graphs"] = {part: f"{_PLACE}/{part}.onnx" for part in graphs}
    text = json.dumps(told)
    written.append((_RECIPE, text.encode()))
    return {"recipe": _RECIPE, "bytes": sum(len(data) for _, data in written)}, written

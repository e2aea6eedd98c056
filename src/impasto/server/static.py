"""The page as a folder that paints in the browser alone: no picture leaves the computer."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import numpy as np

from impasto import assets, catalog, untrusted
from impasto.catalog import Style, hypernetwork, layout, painted
from impasto.catalog.card import Card, Prediction
from impasto.catalog.hypernetwork import Hypernetwork
from impasto.errors import OptionError, OutputError, reason
from impasto.files import atomic, places
from impasto.options.fields import Json
from impasto.server import refining

PAGE = Path(__file__).parent / "page"

_VERSION = "1.30.0"
RUNTIME = f"onnxruntime-web-{_VERSION}.tgz"
"""The npm package that runs networks in a browser (MIT, Microsoft)."""
_ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/{RUNTIME}"
_SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
_TAKEN = (
    *("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
    *("ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi.mjs", "ort-wasm-simd-threaded.jspi.wasm"),
)
"""The files of the runtime: one build for WebAssembly alone, one with WebGPU.

A browser loads one of them. This build with WebGPU is the smaller of two. It needs promises in
WebAssembly (JSPI), which the page checks for.
"""
_TIMEOUT = 60
_LARGEST = 100_000_000

_POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"
_META = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'


def export(
    folder: Path, styles: Sequence[Style], *, archive: Path | None = None, overwrite: bool = False
) -> Path:
    """Write the page, the networks of ``styles`` and a runtime for them into a folder.

    Any web server can serve it. Browsers run no modules from files. ``archive`` is the npm package
    of the runtime, if it shall not be downloaded. It is verified either way.

    Raises:
        OptionError: the runtime cannot be downloaded, or it is not what it should be.
        OutputError: the folder has something in it, or cannot be written.
    """
    if folder.exists() and not overwrite and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is there already", hint="--overwrite writes into it")
    for name, data in list(_files(styles, archive)):  # all of them, before any is written
        atomic.write(folder / name, data, overwrite=True)
    return folder


def _files(styles: Sequence[Style], archive: Path | None) -> Iterator[tuple[str, bytes]]:
    for name, data in _runtime(archive):
        yield f"runtime/{name}", data
    for path in PAGE.iterdir():
        if path.name == "index.html":
            yield path.name, _with_policy(path.read_text(encoding="utf-8")).encode()
        elif not path.name.startswith(("docs.", "server.")):
            name = "painter.js" if path.name == "browser.js" else path.name
            yield f"page/{name}", path.read_bytes()
    yield "page/sample.jpg", assets.demo_photo().read_bytes()
    for path in assets.FACES.iterdir():
        yield f"faces/{path.name}", path.read_bytes()
    entries: list[dict[str, Json]] = []
    for style in styles:
        place = f"styles/{style.name}"
        yield f"{place}/style.onnx", style.model()
        yield f"{place}/preview.jpg", catalog.preview(style.preview)
        info = style_info(style, f"{place}/preview.jpg")
        info |= {"network": f"{place}/style.onnx", "weights": list(style.weights)}
        entries.append(info)
    any_painting, files = _paintings()
    any_painting["refining"], more = refining.files(_VERSION)
    yield from (*files, *more)
    listed = {"styles": entries, "any": any_painting}
    yield "styles.json", json.dumps(listed, indent=1).encode()


def _paintings() -> tuple[dict[str, Json], list[tuple[str, bytes]]]:
    """Describe how a browser makes a painting's network, and return the files that it needs.

    They are the hypernetwork and a template of floats. The template's weights stand at known places
    in its file.
    """
    maker = hypernetwork.bundled()
    whole = maker.network().encoded()
    marks = np.random.default_rng(0)
    weights = {
        name: marks.standard_normal(values.shape, np.float32)
        for name, values in maker.weights([0.0] * maker.card.embedding).items()
    }
    template = hypernetwork.filled(hypernetwork.in_floats(maker.template()), weights).encoded()
    marked = {name: values.tobytes() for name, values in weights.items()}
    places = {name: template.find(mark) for name, mark in marked.items()}
    about: dict[str, Json] = {
        "network": "any/any.onnx",
        "bytes": len(whole),
        "template": "any/style.onnx",
        "weights": [[name, place] for name, place in places.items() if place >= 0],
        "card": "any/card.json",
        "size": maker.card.style_size,
        "embedding": maker.card.embedding,
        **paintings_info(),
    }
    card = json.dumps(layout.record([_card(maker)]))
    files = [
        ("any/any.onnx", whole),
        ("any/style.onnx", template),
        ("any/card.json", card.encode()),
    ]
    return about, files


def _card(maker: Hypernetwork) -> Card:
    """Make the card of a style that the page makes; the page fills in the painting's part."""
    made_by = Prediction(maker.card.name, maker.card.model.sha256, 1.0, ())
    return replace(painted.card_of(maker, "painting", "painting"), prediction=made_by)


def style_info(style: Style, preview: str) -> dict[str, Json]:
    """Describe a style for the page, and for every client."""
    artwork = style.card.artwork
    return {
        "name": style.name,
        "title": style.card.title,
        "artist": artwork.artist,
        "year": artwork.year,
        "licence": artwork.licence,
        "preview": preview,
        "parameters": style.card.network.parameters,
    }


def paintings_info() -> dict[str, Json]:
    """Describe the networks made of paintings, so that a page knows what they blend with."""
    return {"parameters": hypernetwork.bundled().card.network.parameters}


def _with_policy(page: str) -> str:
    """Add the policy to a page. A service sends it as a header; a folder has to say it itself."""
    page, count = re.subn(r"<!-- The server sends.*?-->", _META, page, count=1, flags=re.DOTALL)
    assert count == 1
    return page


def _runtime(archive: Path | None) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(_verified(archive))) as package:
        for name in _TAKEN:
            member = package.extractfile(f"package/dist/{name}")
            assert member is not None
            yield name, member.read()


def _verified(archive: Path | None) -> bytes:
    kept = archive or places.cache_folder("runtime") / RUNTIME
    source = kept if archive or kept.is_file() else None
    try:
        data = untrusted.read(source, _LARGEST, follow=True) if source else _downloaded()
    except (OSError, ValueError, HTTPException) as error:
        raise OptionError(
            f"{source or _ADDRESS} cannot be read: {reason(error)}",
            hint=f"npm pack onnxruntime-web@{_VERSION}, and name the file with --runtime",
        ) from error
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != _SHA512:
        raise OptionError(f"{source or _ADDRESS} is not {RUNTIME}: it has another SHA-512")
    if source is None:
        atomic.write(kept, data, overwrite=True)
    return data


def _downloaded() -> bytes:
    with urlopen(_ADDRESS, timeout=_TIMEOUT) as answer:
        package: bytes = answer.read(_LARGEST)
        return package

"""A style's folder as one zip file: the result of a polish, which a client may also send back.

Only numbers are used of a file that a client sends. They go into the template that came with
impasto. So no client chooses which network runs.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path, PurePosixPath

from impasto import untrusted
from impasto.catalog import CARD, Style, hypernetwork, layout
from impasto.catalog.hypernetwork import HALF, filled
from impasto.catalog.writing import FILE
from impasto.errors import StyleError
from impasto.inference import network

_MARK = b"PK\x03\x04"
_LARGEST = {CARD: 2**18, FILE: 2**22}
"""Most bytes of the files that are read; usual ones have a tenth of that."""
_WHOLE = 2**23
"""Most bytes of a zip file; this also limits what it may list."""
_HINT = "send the zip file that a polish gave"
_BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError)


def is_packed(data: bytes) -> bool:
    """Say whether a file that begins so may be a style's zip file."""
    return data.startswith(_MARK)


def packed(folder: Path) -> bytes:
    """Pack a style's folder as a zip file, which unpacks to a folder of its name."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.writestr(f"{folder.name}/{path.name}", path.read_bytes())
    return buffer.getvalue()


def unpacked(data: bytes) -> Style:
    """Read the style in a zip file.

    Raises:
        StyleError: it holds none, is damaged, or holds one of another network.
    """
    if len(data) > _WHOLE:
        raise StyleError("the zip file is too large to be a style's", hint=_HINT)
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            files = {name: _file(archive, name) for name in _LARGEST}
        card = layout.parse(untrusted.parse_json(files[CARD]))[0]
    except _BROKEN as error:
        raise StyleError(f"the zip file is damaged: {error}", hint=_HINT) from error
    except (KeyError, ValueError, TypeError) as error:
        raise StyleError(f"the zip file holds no style's card: {error}", hint=_HINT) from error
    maker = hypernetwork.bundled()
    sent = network.read(files[FILE])
    weights = {name.removesuffix(HALF): each for name, each in sent.constants.items()}
    model = filled(maker.template(), weights).encoded()
    about = replace(
        card, name=f"painting-{sha256(model).hexdigest()[:6]}", prediction=None, blend=None,
        model=maker.card.template.holding(model), network=maker.card.network,
    )  # fmt: skip
    return Style(about, maker.folder, network=model)


def _file(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a file of an archive, in whatever folder it is; unpack no more than it may have."""
    found = next((each for each in archive.infolist() if _name(each) == name), None)
    if found is None or found.file_size > _LARGEST[name]:
        raise StyleError(f"the zip file holds no {name} of a style", hint=_HINT)
    with archive.open(found) as file:
        return file.read(_LARGEST[name])


def _name(info: zipfile.ZipInfo) -> str:
    return PurePosixPath(info.filename).name

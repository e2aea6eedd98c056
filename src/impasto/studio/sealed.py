"""torch's tensors in sealed files (:mod:`impasto.files.sealed`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from impasto.files import sealed
from impasto.files.sealed import Header, Kind

_NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.uint8: "U8",
}
"""Types of numbers as files call them."""


def kind(tensor: Tensor) -> Kind:
    """Describe a tensor without its values."""
    return Kind(tuple(tensor.shape), _NAMES[tensor.dtype])


def encode(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Write the file, with its checksum in it."""
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return sealed.sealed(safetensors.torch.save(whole, dict(metadata)))


def read(
    path: Path, check: Callable[[Header], None], *, follow: bool = False
) -> tuple[Header, dict[str, Tensor]]:
    """Read header and tensors of a file; see :func:`impasto.files.sealed.read`."""
    return sealed.read(path, check, safetensors.torch.load, follow=follow)

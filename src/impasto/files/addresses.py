"""Network addresses in place of files; impasto reads and writes only files."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

from impasto.errors import OptionError

_ADDRESS = re.compile(r"(?i)[a-z][a-z0-9+.-]+:/|data:")  # a drive of Windows has one letter
_LONGEST = 200
"""Most characters of an address that a message shows."""
ON_DISK = "results are written to files of this computer"


def require_file(name: str, hint: str = "download it first, and give the file") -> None:
    """Refuse addresses.

    Raises:
        OptionError: ``name`` is no file, but an address of the network.
    """
    if not _ADDRESS.match(name) or os.path.lexists(name):
        return
    address = re.sub(":/+", "://", name[:_LONGEST], count=1)  # a Path turns two slashes into one
    if address.lower().startswith("file:"):
        hint = f"give the file itself: /{unquote(address[5:]).lstrip('/')}"
    raise OptionError(f"{address} is an address, and impasto takes only files", hint=hint)

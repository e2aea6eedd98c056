"""Writing files: whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from impasto.errors import OptionError, OutputError, reason

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)

_half_written: set[Path] = set()
"""Temporary files that are being written, in any thread."""


def there_already(path: Path) -> OutputError:
    """Make the error of a file that nobody has asked to replace."""
    return OutputError(
        f"{path} is there already",
        hint="--overwrite replaces it, in Python overwrite=True; -o names another",
    )


def write(path: Path, data: bytes | IO[bytes], *, overwrite: bool = False) -> Path:
    """Write a file whole, or leave everything as it was.

    Its folder is made if need be. Data in an open file is copied piece by piece.

    Raises:
        OutputError: it is there already and ``overwrite`` is off, or the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not overwrite and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists")
        _write(path, data, overwrite)
    except FileExistsError as error:
        if error.filename and Path(error.filename) == path.parent:
            raise OutputError(f"{path.parent} is a file, not a folder") from error
        raise there_already(path) from error
    except OSError as error:
        raise refused(path, error) from error
    return path


def _write(path: Path, data: bytes | IO[bytes], overwrite: bool) -> None:
    """Write through a temporary file beside it: renaming within a folder is atomic."""
    name = path.parent / f".impasto-{secrets.token_hex(8)}.part"
    handle = os.open(name, _CREATE, 0o666)  # minus what the user's umask forbids
    _half_written.add(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if isinstance(data, bytes):
                file.write(data)
            else:
                shutil.copyfileobj(data, file)
            file.flush()
            if hasattr(os, "fchmod"):
                with contextlib.suppress(FileNotFoundError):
                    os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            os.fsync(file.fileno())
        if overwrite:
            os.replace(name, path)
        else:
            _place_new(name, path)
    except BaseException:  # Ctrl-C too leaves nothing behind
        with contextlib.suppress(FileNotFoundError):
            name.unlink()
        raise
    finally:
        _half_written.discard(name)


def abandon() -> None:
    """Remove half-written files, where the process ends without an exception."""
    for name in tuple(_half_written):
        with contextlib.suppress(OSError):
            name.unlink()


def _place_new(name: Path, path: Path) -> None:
    """Give the file its name unless somebody else has taken it in the meantime."""
    try:
        os.link(name, path)
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists") from None
        os.replace(name, path)
    else:
        os.unlink(name)


def refused(path: Path, error: OSError) -> OutputError:
    """Make the error of a file that the disk, or its owner, does not let us write."""
    hint = "choose another place with -o"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(path.parent).free
            hint = f"{free / 1e6:.0f} MB are free in {path.parent}"
    return OutputError(f"{path} cannot be written: {reason(error)}", hint=hint)


def require_places(
    outputs: Iterable[Path], inputs: Iterable[str | Path], *, overwrite: bool
) -> None:
    """Check, before long work, what would fail after it.

    Raises:
        OutputError: an output is a folder, or is there already and ``overwrite`` is off. Or its
            place takes no files.
        OptionError: it is one of the inputs, or another output.
    """
    taken = {os.path.realpath(path): "an input; it would be destroyed" for path in inputs}
    for path in outputs:
        real = os.path.realpath(path)
        if real in taken:
            raise OptionError(f"{path} is {taken[real]}", hint="name another")
        taken[real] = "another output as well"
        if os.path.isdir(path):
            raise OutputError(f"{path} is a folder", hint="name a file")
        if os.path.exists(path) and not overwrite:
            raise there_already(path)
        parent = next(each for each in path.absolute().parents if os.path.exists(each))
        if not os.path.isdir(parent):
            raise OutputError(f"{parent} is a file, not a folder")
        try:
            with tempfile.TemporaryFile(dir=parent):
                pass
        except OSError as error:
            raise refused(path, error) from error

"""Opens films, and nothing else does: one local file of a known kind, and nothing beside it.

FFmpeg takes ``http:`` at the start of a name for a protocol, and lists of other files for films. So
it gets a file that is open already. It may read only the kinds below, and opens no other file.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

from impasto import untrusted
from impasto.distribution import need
from impasto.errors import PictureError, reason
from impasto.files import kinds

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

KINDS = (
    *("mov", "matroska", "avi", "asf", "flv", "ogg", "rm", "wtv", "nut", "ivf", "gif", "apng"),
    *("mpegts", "mpeg", "mpegvideo", "mxf", "gxf", "dv", "dhav", "amv", "nuv"),
    *("h261", "h263", "h264", "hevc", "vvc", "vc1", "obu", "av1", "m4v", "mjpeg", "dirac"),
    "yuv4mpegpipe",
)
"""FFmpeg's names of kinds that cameras, phones, recorders and editors write.

Playlists, scripts, series of pictures and addresses are not among them.
"""
_BUFFER = 2**18
_UNKNOWN_BYTES = "surrogateescape"
"""How titles that are not UTF-8 are read and written: byte for byte."""


def library() -> ModuleType:
    """Import PyAV.

    Raises:
        MissingExtraError: it is not installed.
    """
    return need("av", "video", "PyAV, which reads and writes films,")


class _Film:
    """A file as FFmpeg reads it; a failure to read it is an error of the film."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self.name = file, str(path)
        self.tell = file.tell

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(place, whence)
        except (OSError, ValueError):  # a place before the start, of a damaged film
            return -errno.EINVAL  # FFmpeg's way to say so, which it copes with

    def read(self, most: int) -> bytes:
        try:
            return self._file.read(most)
        except OSError as error:
            raise PictureError(f"{self.name} cannot be read: {reason(error)}") from error


@contextmanager
def opened(path: Path, *, pixels: int = 2**31 - 1) -> Iterator[InputContainer]:
    """Open a film to read packets from; frames of more ``pixels`` are not decoded.

    Raises:
        PictureError: no regular file, a kind that is not among :data:`KINDS`, or a film that wants
            other files to be read.
        FFmpegError: a damaged one.
    """

    def refuse(*_: object) -> None:
        raise PictureError(f"{path} wants another file to be read, and is not painted")

    av, only = library(), {"format_whitelist": ",".join(KINDS), "protocol_whitelist": "none"}
    with ExitStack() as stack:
        try:
            file = stack.enter_context(untrusted.opened(path, follow=True))
        except OSError as error:
            raise PictureError(f"{path} cannot be read: {reason(error)}") from error
        try:
            container: InputContainer = av.open(
                _Film(file, path), "r", options={"max_pixels": str(pixels)}, container_options=only,
                buffer_size=_BUFFER, io_open=refuse, metadata_errors=_UNKNOWN_BYTES,
            )  # fmt: skip
        except av.ArgumentError as error:
            raise _unknown(path) from error
        yield stack.enter_context(closing(container))


def _unknown(path: Path) -> PictureError:
    if kinds.suffix(path) in kinds.PICTURES:
        return PictureError(
            f"{path} cannot be painted into a film: it is a picture",
            hint=f"name a picture, such as -o {path.stem}.painted.png",
        )
    return PictureError(
        f"{path} cannot be painted: it is no film of a kind that is read",
        hint="make it an .mp4 with FFmpeg",
    )


@contextmanager
def written(path: Path, kind: str, **options: str) -> Iterator[OutputContainer]:
    """Open a file to write packets into, of one of FFmpeg's kinds.

    After an error it is closed and removed. That error is raised, not the one that closing gives
    then.
    """
    container: OutputContainer = library().open(
        f"file:{path}", "w", format=kind,
        container_options=options, metadata_errors=_UNKNOWN_BYTES,
    )  # fmt: skip
    try:
        yield container
        container.close()
    except BaseException:
        with suppress(Exception):
            container.close()
        path.unlink(missing_ok=True)
        raise

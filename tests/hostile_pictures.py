"""Pictures that would take long, much memory or readers apart, and whole ones that are not read.

They go through the library, the command line and the service, beside those of :mod:`hostile`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from hostile import corners, encoded, noise, png_chunk, text_bomb
from tiffs import FLOAT, GREY, LZW, RGB, tiff

END = b"\xff\xd9"
BLACK = np.zeros((4, 4, 3), np.uint8)


def many_scans(data: bytes, count: int) -> bytes:
    """A progressive JPEG with its last scan ``count`` times more."""
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * count + END


def many_segments(count: int) -> bytes:
    data = encoded(corners(), "JPEG")
    return data[:2] + b"\xff\xef\0\2" * count + data[2:]


def many_chunks(kind: bytes, count: int) -> bytes:
    data = encoded(corners(), "PNG")
    at = data.index(b"IDAT") - 4
    return data[:at] + png_chunk(kind, b"") * count + data[at:]


def with_chunks(image: Image.Image, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with more chunks before its pixels."""
    data = encoded(image, "PNG")
    return data[:33] + b"".join(png_chunk(*each) for each in chunks) + data[33:]


def many_blocks(block: bytes, count: int) -> bytes:
    """A GIF with more blocks before its frame."""
    data = encoded(corners(), "GIF")
    at = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    return data[:at] + block * count + data[at:]


def run_lengths(width: int, height: int, runs: bytes) -> bytes:
    """A BMP of 8 bits and run lengths."""
    about = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    palette = b"".join(bytes((level, level, level, 0)) for level in range(256))
    head = struct.pack("<IHHI", 54 + 1024 + len(runs), 0, 0, 54 + 1024)
    return b"BM" + head + about + palette + runs


def large_webp() -> bytes:
    frames = [noise(), noise().rotate(90)]
    data = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    at = data.index(b"VP8X")
    data[at + 12 : at + 18] = b"\xfe\x3f\0" * 2
    return bytes(data)


def many_pages(count: int) -> bytes:
    """A TIFF of ``count`` directories, all of the same picture."""
    data = tiff(BLACK, RGB)
    size = 2 + 12 * struct.unpack_from("<H", data, 8)[0]
    more = [
        data[8 : 8 + size]
        + struct.pack("<I", len(data) + (at + 1) * (size + 4) if at + 1 < count else 0)
        for at in range(count)
    ]
    return data[: 8 + size] + struct.pack("<I", len(data)) + data[12 + size :] + b"".join(more)


def changed_jpeg(kind: int, precision: int = 8, components: int = 3) -> bytes:
    """A JPEG whose frame says that it is of another kind."""
    data = bytearray(encoded(noise(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4], data[at + 9] = kind, precision, components
    return bytes(data)


def cut_jpeg(*, end: bytes = b"") -> bytes:
    data = encoded(noise(), "JPEG")
    return data[: len(data) * 3 // 4] + end


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "jpeg-of-scans": (
        lambda: many_scans(encoded(noise(), "JPEG", progressive=True), 3000),
        "more than 500 scans; it would take very long",
    ),
    "jpeg-of-segments": (lambda: many_segments(100_000), "more than 10000 segments"),
    "cut-jpeg": (cut_jpeg, "damaged: it ends before the picture does"),
    "cut-jpeg-with-an-end": (lambda: cut_jpeg(end=END), "damaged: it ends before the picture does"),
    "cut-jpeg-and-zeros": (lambda: cut_jpeg(end=bytes(5000)), "damaged: it ends before"),
    "12-bit-jpeg": (lambda: changed_jpeg(0xC1, 12), "a 12-bit JPEG, which is not read"),
    "lossless-jpeg": (lambda: changed_jpeg(0xC3), "a lossless JPEG, which is not read"),
    "png-of-chunks": (lambda: many_chunks(b"prVt", 100_000), r"more than \d+ chunks"),
    "png-of-data": (lambda: many_chunks(b"IDAT", 100_000), r"more than \d+ chunks"),
    "gif-of-blocks": (lambda: many_blocks(b"!\xfe\x01a\0", 100_000), "more than 50000 blocks"),
    "bmp-of-runs": (
        lambda: run_lengths(9000, 9000, b"\1\0" * 1_500_000),
        "a large BMP of run lengths, which is not read",
    ),
    "large-webp": (large_webp, "too large|the limit is"),
    "tiff-of-strips": (
        lambda: tiff(BLACK, RGB, tags=[(322, 3, [16]), (323, 3, [16]), (324, 4, [8] * 70_000)]),
        "70000 parts; it would take very long",
    ),
    "tiff-of-numbers": (
        lambda: tiff(BLACK, RGB, tags=[(60_000, 3, [8] * 1_100_000)]),
        "1100000 numbers in one tag",
    ),
    "tiff-of-entries": (
        lambda: b"II*\0\x08\0\0\0" + struct.pack("<H", 50_000) + bytes(12 * 50_000),
        "a directory of 50000 entries",
    ),
    "cut-tiff": (
        lambda: tiff(noise_of_16_bits(), RGB, planar=True, compression=LZW)[:5000],
        "is damaged",
    ),
    "tiff-of-nan": (
        lambda: tiff(np.full((4, 4, 3), np.nan, "f4"), RGB, format=FLOAT),
        "not numbers",
    ),
    "tiff-of-inks": (lambda: tiff(BLACK, 5, planar=True, tags=[(332, 3, [2])]), "not CMYK"),
    "preview-of-a-raw-file": (
        lambda: tiff(BLACK, RGB, tags=[(254, 4, [1]), (330, 4, [8])]),
        "a camera's raw file.* - develop it",
    ),
    "jpeg-2000": (lambda: encoded(noise(), "JPEG2000"), "JPEG 2000, which is not read"),
    "netpbm": (lambda: encoded(noise(), "PPM"), "Netpbm, which is not read - convert it to PNG"),
    "targa": (lambda: encoded(noise(), "TGA"), "Targa, which is not read - convert it to PNG"),
    "icon": (lambda: encoded(noise(), "ICO"), "an icon, which is not read - convert it to PNG"),
    "openexr": (lambda: b"v/1\x01\2\0\0\0" + bytes(99), "OpenEXR, which is not read"),
}
"""Content that is refused, and a pattern of what is said."""


def noise_of_16_bits() -> np.ndarray:
    return np.asarray(noise()).astype(np.uint16) * 257


def xmp_bomb() -> bytes:
    """Entities that would grow to gigabytes, beside the mark of a gain map."""
    entities = "".join(f'<!ENTITY e{at} "{f"&e{at - 1};" * 10}">' for at in range(1, 12))
    text = f'<!DOCTYPE x [<!ENTITY e0 "x">{entities}]><x a="http://ns.adobe.com/hdr-gain-map/1.0/">'
    return encoded(noise(), "JPEG", xmp=f"{text}&e11;</x>".encode())


READ: dict[str, tuple[Callable[[], bytes], str]] = {
    "jpeg-without-end": (lambda: encoded(noise(), "JPEG")[:-2], "its end marker is missing"),
    "png-with-a-text-bomb": (text_bomb, "its text 'Comment' is too long or damaged"),
    "png-with-a-profile-bomb": (
        lambda: with_chunks(noise(), (b"iCCP", b"x\0\0" + zlib.compress(bytes(2**26), 1))),
        "profile is too large",
    ),
    "tiff-of-pages": (lambda: many_pages(50_000), "only its first frame is used"),
    "gif-of-frames": (
        lambda: encoded(
            corners(), "GIF", save_all=True, append_images=[corners().rotate(90)] * 300
        ),
        "only its first frame is used",
    ),
    "xmp-bomb": (xmp_bomb, "its XMP data is damaged and left out"),
    "planar-16-bit-tiff": (lambda: tiff(noise_of_16_bits(), RGB, planar=True), ""),
    "big-tiff": (lambda: tiff(np.asarray(noise())[..., :1], GREY, big=True), ""),
}
"""Content that is read, and a note that says what had to be decided, if anything had."""

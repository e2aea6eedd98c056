"""Pictures made to break readers, built in code; used through the library and the command line."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageCms

from impasto.images.picture import Picture

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
WRITTEN = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP")
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "BMP": {}}


def encoded(image: Image.Image, format: str, **settings) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **settings)
    return buffer.getvalue()


def corners(width: int = 24, height: int = 16) -> Image.Image:
    """Red top left, green top right, blue bottom left, white bottom right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    y, x = height // 2, width // 2
    pixels[:y, :x], pixels[:y, x:] = RED, GREEN
    pixels[y:, :x], pixels[y:, x:] = BLUE, WHITE
    return Image.fromarray(pixels)


def colours(picture: Picture) -> list[tuple[int, ...]]:
    """The colours of the four corners, row by row."""
    pixels = picture.pixels
    return [tuple(map(int, pixels[y, x])) for y in (1, -2) for x in (1, -2)]


def near(found: ArrayLike, expected: ArrayLike, by: int = 3) -> bool:
    return bool(np.abs(np.asarray(found, int) - np.asarray(expected, int)).max() <= by)


def noise(width: int = 64, height: int = 48) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def png(width: int, height: int, depth: int, kind: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG of any header with the given filtered rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            *extra,
            png_chunk(b"IDAT", zlib.compress(rows)),
            png_chunk(b"IEND", b""),
        )
    )


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def matrix_profile(
    primaries: dict[str, tuple[float, float, float]], gamma: float, title: bytes = b"test"
) -> bytes:
    """A minimal ICC profile: primaries as D50 XYZ, one gamma for all channels."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(title) + 1) + title + bytes(79),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642) + fixed(1.0) + fixed(0.8249),
    }
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    for channel, xyz in primaries.items():
        tags[f"{channel}XYZ".encode()] = b"XYZ \0\0\0\0" + b"".join(map(fixed, xyz))
        tags[f"{channel}TRC".encode()] = curve
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


ADOBE_RGB = matrix_profile(
    {
        "r": (0.60974, 0.31111, 0.01947),
        "g": (0.20528, 0.62567, 0.06087),
        "b": (0.14919, 0.06322, 0.74457),
    },
    2.2,
)
DISPLAY_P3 = matrix_profile(
    {
        "r": (0.51512, 0.24120, -0.00105),
        "g": (0.29198, 0.69225, 0.04189),
        "b": (0.15710, 0.06657, 0.78407),
    },
    2.2,
)
LINEAR = matrix_profile(
    {
        "r": (0.43607, 0.22249, 0.01392),
        "g": (0.38515, 0.71687, 0.09708),
        "b": (0.14307, 0.06061, 0.71410),
    },
    1.0,
    b"sRGB-linear",
)
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
GREY = LINEAR.replace(b"RGB XYZ ", b"GRAYXYZ ").replace(b"rTRC", b"kTRC")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def flipped(data: bytes) -> bytes:
    """PNG whose picture data has a wrong bit, so that its checksum fails."""
    changed = bytearray(data)
    changed[data.index(b"IDAT") + 20] ^= 0x10
    return bytes(changed)


def bomb(width: int, height: int) -> bytes:
    """A few kilobytes that claim to be a picture of width x height."""
    return png(width, height, 8, 2, bytes(1000))


def text_bomb() -> bytes:
    """A compressed comment of 80 MB in a small PNG."""
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(80)) + packer.flush()
    chunk = png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + packed)
    return png(1, 1, 8, 2, b"\0\0\0\0", chunk)


def gif_bomb() -> bytes:
    data = bytearray(encoded(corners(), "GIF"))
    data[6:10] = struct.pack("<HH", 65535, 65535)
    return bytes(data)


def tiff_bomb() -> bytes:
    data = encoded(Image.new("L", (1, 1)), "TIFF")
    image = bytearray(data)
    offset = struct.unpack_from("<I", data, 4)[0]
    for entry in range(struct.unpack_from("<H", data, offset)[0]):
        at = offset + 2 + 12 * entry
        if struct.unpack_from("<H", data, at)[0] in (256, 257):
            image[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 60_000)
    return bytes(image)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "one-byte": (lambda: b"x", "not a picture"),
    "text": (lambda: b"Dear reader,\nthis is a letter.\n", "looks like text"),
    "web-page": (lambda: b"<!DOCTYPE html><html><body>404", "a web page"),
    "zeros": (lambda: bytes(4096), "not a picture"),
    "zip": (lambda: b"PK\x03\x04" + bytes(100), "a zip file"),
    "svg": (lambda: b'<?xml version="1.0"?>\n<svg xmlns="x"><script/></svg>', "SVG"),
    "pdf": (lambda: b"%PDF-1.7\n" + bytes(100), "a PDF"),
    "eps": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(exec) run", "PostScript"),
    "psd": (lambda: b"8BPS" + bytes(100), "Photoshop"),
    "heic": (lambda: b"\0\0\0\x18ftypheic" + bytes(100), "HEIC.*export it as JPEG"),
    "jpeg-xl": (lambda: b"\xff\x0a" + bytes(100), "JPEG XL"),
    "half-png": (lambda: encoded(noise(), "PNG")[:2000], "damaged"),
    "flipped-png": (lambda: flipped(encoded(noise(), "PNG")), "damaged"),
    "no-pixels": (lambda: png(0, 10, 8, 2, b""), "damaged|no pixels"),
    "png-bomb": (lambda: bomb(50_000, 50_000), r"50000x50000 \(2500 megapixels\).*--max-pixels"),
    "long-bomb": (lambda: bomb(1_000_000, 1), "65500 pixels a side"),
    "gif-bomb": (gif_bomb, "65535x65535"),
    "tiff-bomb": (tiff_bomb, "60000x60000"),
    "header-only": (lambda: b"\xff\xd8\xff\xe0", "damaged"),
}
"""Content that must be refused, and a pattern of what is said."""

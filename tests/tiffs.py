"""TIFF files of any layout, written by the specification (TIFF 6.0, BigTIFF, Adobe's notes)."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

GREY, WHITE_IS_ZERO, RGB, PALETTE, CMYK, LAB, ICC_LAB = 1, 0, 2, 3, 5, 8, 9
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
NONE, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773


def tiff(
    samples,
    photometric,
    *,
    bits=None,
    format=UNSIGNED,
    order="<",
    big=False,
    planar=False,
    tile=None,
    rows=None,
    compression=NONE,
    predictor=1,
    fill_order=1,
    extra=(),
    tags=(),
):
    """``samples`` are ``(height, width, count)`` numbers of the kind to be written; ``tags`` are
    more entries, (tag, type, values)."""
    height, width, count = samples.shape
    bits = bits or 8 * samples.itemsize
    tile = tile or (rows or height, width)
    planes = [samples[..., at : at + 1] for at in range(count)] if planar else [samples]
    parts = [
        _packed(each, bits, order, predictor, fill_order, compression)
        for plane in planes
        for each in _parts(plane, tile, padded=tile[1] != width or (not rows and tile[0] != height))
    ]
    tiled = tile[1] != width
    entries = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * count), (259, 3, [compression]),
        (262, 3, [photometric]), (266, 3, [fill_order]), (277, 3, [count]),
        (284, 3, [2 if planar else 1]), (317, 3, [predictor]), (339, 3, [format] * count),
        (324 if tiled else 273, 4, [0] * len(parts)),
        (325 if tiled else 279, 4, [len(each) for each in parts]), *tags,
    ]  # fmt: skip
    if tiled:
        entries += [(322, 3, [tile[1]]), (323, 3, [tile[0]])]
    else:
        entries += [(278, 4, [tile[0]])]
    if extra:
        entries += [(338, 3, list(extra))]
    return _file(sorted(entries), parts, order, big)


def _parts(plane, tile, padded):
    down, across = tile
    for top in range(0, plane.shape[0], down):
        for left in range(0, plane.shape[1], across):
            part = plane[top : top + down, left : left + across]
            if padded:
                room = [(0, down - part.shape[0]), (0, across - part.shape[1]), (0, 0)]
                part = np.pad(part, room, mode="edge")
            yield part


def _packed(part, bits, order, predictor, fill_order, compression):
    height, _, count = part.shape
    if predictor == 2:
        wholes = part.view(f"u{part.itemsize}")
        part = wholes - np.pad(wholes[:, :-1], [(0, 0), (1, 0), (0, 0)])
    if predictor == 3:
        size = part.itemsize
        ranked = (
            part.astype(f">f{size}").reshape(height, -1, 1).view(np.uint8).reshape(height, -1, size)
        )
        apart = ranked.swapaxes(1, 2).reshape(height, -1, count)
        data = (apart - np.pad(apart[:, :-1], [(0, 0), (1, 0), (0, 0)])).tobytes()
    elif bits % 8:
        single = (part[..., None].astype(int) >> np.arange(bits - 1, -1, -1)) & 1
        data = np.packbits(single.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    else:
        data = part.astype(part.dtype.newbyteorder(order)).tobytes()
    if compression == DEFLATE:
        data = zlib.compress(data)
    if compression == LZW:
        data = _lzw(data)
    if compression == PACKBITS:
        data = b"".join(
            bytes([len(data[at : at + 128]) - 1]) + data[at : at + 128]
            for at in range(0, len(data), 128)
        )
    if fill_order == 2:
        bits_of = np.unpackbits(np.frombuffer(data, np.uint8).reshape(-1, 1), axis=1)
        data = np.packbits(bits_of[:, ::-1], axis=1).tobytes()
    return data


def _lzw(data):
    buffer = io.BytesIO()
    Image.frombytes("L", (len(data), 1), data).save(buffer, "TIFF", compression="tiff_lzw")
    with Image.open(buffer) as image:
        (at,), (size,) = image.tag_v2[273], image.tag_v2[279]
    return buffer.getvalue()[at : at + size]


def _file(entries, parts, order, big):
    mark = b"II" if order == "<" else b"MM"
    word, number, head, size = ("Q", "Q", 16, 20) if big else ("I", "H", 8, 12)
    behind = head + struct.calcsize(number) + size * len(entries) + struct.calcsize(word)
    room = sum(
        len(values) * struct.calcsize("_BBHI"[kind] if kind < 5 else "H")
        for _, kind, values in entries
        if kind != 7
    ) + sum(len(values) for _, kind, values in entries if kind == 7)
    table, body, place = b"", b"", behind + room
    offsets = [place + sum(map(len, parts[:at])) for at in range(len(parts))]
    for tag, kind, given in entries:
        values = given if tag not in (273, 324) or any(given) else offsets
        if kind == 7:
            packed = bytes(values)
        else:
            packed = struct.pack(f"{order}{len(values)}{'_BBHI'[kind]}", *values)
        about = struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values))
        if len(packed) > (8 if big else 4):
            table += about + struct.pack(order + word, behind + len(body))
            body += packed
        else:
            table += about + packed.ljust(8 if big else 4, b"\0")
    start = (
        mark + struct.pack(order + "HHHQ", 43, 8, 0, 16)
        if big
        else mark + struct.pack(order + "HI", 42, 8)
    )
    return b"".join(
        (
            start,
            struct.pack(order + number, len(entries)),
            table,
            struct.pack(order + word, 0),
            body.ljust(room, b"\0"),
            *parts,
        )
    )

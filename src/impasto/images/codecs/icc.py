"""ICC profiles from colour tags: chromaticities and a curve, as PNG and AVIF give them.

Little CMS converts with a profile (ICC.1:2022). So tags take the same way as profiles.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

XY = tuple[float, float]


class Chromaticities(NamedTuple):
    """White and the three primaries, CIE 1931 x and y."""

    white: XY
    red: XY
    green: XY
    blue: XY


Curve = tuple[float, ...]
"""Parameters of ICC's parametric curve: gamma alone (type 0), or gamma, a, b, c, d (type 3)."""

D65: XY = (0.3127, 0.3290)
_C: XY = (0.310, 0.316)
_DCI: XY = (0.314, 0.351)
_D50 = np.array([0.9642, 1.0, 0.8249])

SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
REC_709 = Chromaticities(D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE_RGB = Chromaticities(D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
ADOBE_CURVE: Curve = (563 / 256,)
_REC_601_525 = Chromaticities(D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
# ITU-T H.273, tables 2 and 3: the numbers that cICP, AVIF and films share.
_PRIMARIES = {
    1: REC_709,
    4: Chromaticities(_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: Chromaticities(D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: _REC_601_525,
    7: _REC_601_525,
    8: Chromaticities(_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: Chromaticities(D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: Chromaticities(_DCI, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: Chromaticities(D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: Chromaticities(D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
_CURVES: dict[int, Curve] = {
    # Cameras' curves of films. What screens do with these, ITU-R BT.1886, is nearer to sRGB's.
    **dict.fromkeys((1, 6, 14, 15), SRGB_CURVE),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
    13: SRGB_CURVE,
}
_UNSPECIFIED = 2
_HDR = {16: "PQ", 18: "HLG"}


def of_numbers(primaries: int, transfer: int, notes: list[str]) -> bytes | None:
    """Make the profile that H.273's numbers mean; None for sRGB.

    None also comes, with a note, for colours that are not converted.
    """
    if transfer in _HDR:
        notes.append(f"its colours are HDR ({_HDR[transfer]}); taken as sRGB, they look pale")
        return None
    curve = SRGB_CURVE if transfer == _UNSPECIFIED else _CURVES.get(transfer)
    colours = REC_709 if primaries == _UNSPECIFIED else _PRIMARIES.get(primaries)
    if curve is None or colours is None:
        notes.append(
            f"its colour tags (primaries {primaries}, transfer {transfer}) are not known; taken"
            " as sRGB"
        )
        return None
    if (colours, curve) == (REC_709, SRGB_CURVE):
        return None
    return profile(colours, curve)


def profile(colours: Chromaticities, curve: Curve) -> bytes:
    """Make a profile of these colours with one curve for all channels.

    Raises:
        ValueError: the chromaticities span no colours.
    """
    columns = _adapted(colours)
    if not np.isfinite(columns).all() or np.abs(columns).max() > 3:
        raise ValueError("chromaticities that span no colours")
    kind = 0 if len(curve) == 1 else 3
    tone = b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, curve))
    tags = {
        b"desc": _text("from colour tags"),
        b"cprt": _text("none"),
        b"wtpt": _xyz(_D50),
        **{b"%cXYZ" % name: _xyz(column) for name, column in zip(b"rgb", columns.T, strict=True)},
        **{b"%cTRC" % name: tone for name in b"rgb"},
    }
    return _packed(tags)


def _adapted(colours: Chromaticities) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the primaries' XYZ as columns, adapted to D50 (Bradford)."""
    white = _from_xy(colours.white)
    primaries = np.stack([_from_xy(each) for each in colours[1:]], 1)
    try:
        columns = primaries * np.linalg.solve(primaries, white)
    except np.linalg.LinAlgError as error:
        raise ValueError("chromaticities that span no colours") from error
    cone = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    scale = (cone @ _D50) / (cone @ white)
    return np.linalg.inv(cone) @ (scale[:, None] * (cone @ columns))


def _from_xy(point: XY) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    x, y = point
    if not (0 <= x <= 1 and 0 < y <= 1):
        raise ValueError("chromaticities that span no colours")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _packed(tags: dict[bytes, bytes]) -> bytes:
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI4s4s4s", start + len(body), 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    head = (head + bytes(12) + b"acsp" + bytes(28) + b"".join(map(_fixed, _D50))).ljust(128, b"\0")
    return head + struct.pack(">I", len(tags)) + table + body


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(float(each)) for each in values)


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(data), 28) + data

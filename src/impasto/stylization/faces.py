"""Faces: found, followed through a film, and painted so that they stay recognisable.

BlazeFace (Bazarevsky et al. 2019, arXiv 1907.05047) finds them. It looks at a picture and at its
mirror image: a real face is a face in both. A face is painted with finer marks, in the tones of the
whole painting. The photograph shows through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from impasto import assets, images
from impasto.errors import StyleError, reason
from impasto.images import masks, operations
from impasto.inference import onnx_proto, runtimes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.images.masks import Rows, Shares
    from impasto.images.raster import Size
    from impasto.inference.runtimes import Session

    Pixels = NDArray[np.uint8]
    Finer = Callable[[Pixels, float, float], Pixels]
    """A function that paints a part of a photograph, ``(H, W, 3)``.

    It gets the part's long side as a share of the whole one's. It also gets the size of marks, in
    proportion to the usual ones.
    """

SHA256 = "74aa24ce8223017f338bf7d0fa69d5754b02d953afdaac2e524a49af73ac0951"
"""Hash of the network's file."""
_AGAIN = "install impasto again"
NO_FACE = "no face was found to protect"

_SIDE = 256
"""Side of the square that the network sees."""
_SURE, _MAYBE = 0.7, 0.5
"""Lowest scores of a face, and of a face that is followed already."""
_LEAST = 0.3
"""Lowest score of a box that counts at all."""
_SAME = 0.3
"""Overlap from which two boxes are of one face, in proportion to what both cover."""

_WIDE, _TALL, _UP = 0.62, 0.80, 0.12
"""Half of a face's width and height, and how far up its middle is.

All are in proportion to its box, which goes from the brows to the chin.
"""
_INNER, _OUTER = 0.85, 1.3
"""Where a face's mask begins to fade and where it ends, in proportion to its ellipse."""
_AROUND = 2.0
"""Size of the part that is painted with a face, in proportion to its ellipse.

A network needs to see the surroundings.
"""
_FINER = 0.5
"""Size of its marks, in proportion to the others'."""
_GENTLE = 0.6
"""Share of the photograph that shows through where protection is strongest."""

_EVERY = 3
"""Frames after which faces are looked for again."""
_FOLLOW = 0.25
"""How far a box moves, with each frame, towards the last place of its face."""
_COMES, _GOES = 1 / 6, 1 / 18
"""Change of a face's share with each frame in which it is there, or is not."""
_CUT = 40.0
"""Mean change, in levels, that means another scene."""


@dataclass(frozen=True)
class Face:
    """The box of a face, from 0 to 1 of the picture's width and height."""

    left: float
    top: float
    right: float
    bottom: float
    share: float = 1.0
    """Share with which it counts: in a film, faces come and go slowly."""

    @property
    def corners(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom

    def mirrored(self) -> Face:
        """The same face in the mirror image."""
        return replace(self, left=1 - self.right, right=1 - self.left)

    def overlap(self, other: Face) -> float:
        """Return what both cover, in proportion to what either covers."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        both = max(0.0, width) * max(0.0, height)
        either = self._area + other._area - both
        return both / either if either > 0 else 0.0

    @property
    def _area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)

    def ellipse(self, size: Size) -> tuple[float, float, float, float]:
        """Return middle and half axes in pixels of a picture: down and right, height and width."""
        height, width = (self.bottom - self.top) * size[0], (self.right - self.left) * size[1]
        middle = (self.top + self.bottom) / 2 * size[0] - _UP * height
        return middle, (self.left + self.right) / 2 * size[1], _TALL * height, _WIDE * width

    def around(self, size: Size) -> tuple[slice, slice]:
        """Return rows and columns of the part that is painted with it."""
        down, right, tall, wide = self.ellipse(size)
        spans = (down, _AROUND * tall, size[0]), (right, _AROUND * wide, size[1])
        rows, columns = (
            slice(max(0, int(middle - reach)), min(end, int(middle + reach) + 1))
            for middle, reach, end in spans
        )
        return rows, columns


def find(photo: Pixels) -> list[Face]:
    """Find the faces in a picture, ``(H, W, 3)`` sRGB, the surest first.

    Raises:
        StyleError: the network's file is missing or damaged.
    """
    return [face for face, score in _scored(photo) if score > _SURE]


def shares(faces: Sequence[Face], size: Size) -> Rows:
    """Return how much each pixel of a picture belongs to a face: 1 inside, less around it."""
    ellipses = [(face.ellipse(size), np.float32(face.share)) for face in faces]
    columns = np.arange(size[1], dtype=np.float32)

    def rows(part: slice) -> Shares:
        result = np.zeros((part.stop - part.start, size[1]), np.float32)
        for (down, right, tall, wide), share in ellipses:
            if abs((part.start + part.stop) / 2 - down) > _OUTER * tall + len(result):
                continue
            y = (np.arange(part.start, part.stop, dtype=np.float32) - np.float32(down)) / tall
            x = (columns - np.float32(right)) / np.float32(wide)
            apart = np.sqrt(y[:, None] ** 2 + x**2).astype(np.float32)
            inside = np.clip((_OUTER - apart) / (_OUTER - _INNER), 0, 1)
            np.maximum(result, share * inside * inside * (3 - 2 * inside), out=result)
        return result

    return rows


def protected(
    photo: Pixels, painting: Pixels, faces: Sequence[Face], finer: Finer, amount: float
) -> Pixels:
    """Paint the faces of a painting finer and more gently; both pictures are ``(H, W, 3)``.

    With an ``amount`` of 0 faces stay as they were. With 1 they are mostly the photograph.
    """
    size = photo.shape[0], photo.shape[1]
    result, everywhere = painting.copy(), shares(faces, size)
    for part in (face.around(size) for face in faces):
        rows, columns = part
        below = photo[part]
        painted = finer(np.ascontiguousarray(below), max(below.shape) / max(size), _FINER)
        gentle = operations.blend(below, painted, 1 - _GENTLE * amount)

        def share(inner: slice, rows: slice = rows, columns: slice = columns) -> Shares:
            whole = slice(rows.start + inner.start, rows.start + inner.stop)
            return everywhere(whole)[:, columns] * np.float32(min(1, 2 * amount))

        result[part] = masks.laid(result[part], gentle, share)
    return result


def softened(photo: Pixels, painting: Pixels, faces: Sequence[Face], amount: float) -> Pixels:
    """Let the photograph show through in the faces of a film's painted frame.

    Marks are not finer here. Fine marks of a separate painting would flicker.
    """
    size = photo.shape[0], photo.shape[1]
    everywhere, most = shares(faces, size), np.float32(_GENTLE * amount)
    return masks.laid(painting, photo, lambda part: most * everywhere(part))


@dataclass(frozen=True)
class _Tracked:
    """A face of a film: where it is painted, and where it was last seen, if it was."""

    face: Face
    seen: Face | None

    def moved(self) -> _Tracked:
        """Return the face in the next frame."""
        face, seen = self.face, self.seen
        if not seen:
            return replace(self, face=replace(face, share=face.share - _GOES))
        corners = (
            old + _FOLLOW * (new - old) for old, new in zip(face.corners, seen.corners, strict=True)
        )
        left, top, right, bottom = corners
        share = min(1.0, face.share + _COMES)
        return replace(self, face=Face(left, top, right, bottom, share))


class Followed:
    """The faces of a film, frame by frame. None jumps, comes or goes at once, except at a cut."""

    def __init__(self) -> None:
        self._tracked: list[_Tracked] = []
        self._before: Pixels | None = None
        self._number = 0

    def __call__(self, frame: Pixels) -> list[Face]:
        """Return the faces of the next frame, ``(H, W, 3)``."""
        begins = self._begins(frame)
        if begins:
            self._tracked, self._number = [], 0
        if self._number % _EVERY == 0:
            self._look(frame, 1.0 if begins else 0.0)
        self._number += 1
        moved = (each.moved() for each in self._tracked)
        self._tracked = [each for each in moved if each.face.share > 0]
        return [each.face for each in self._tracked]

    def _begins(self, frame: Pixels) -> bool:
        """Say whether a film, or another scene, begins."""
        sparse = frame[:: max(1, len(frame) // 32), :: max(1, frame.shape[1] // 32)]
        before, self._before = self._before, sparse
        if before is None or before.shape != sparse.shape:
            return True
        return bool(np.abs(sparse.astype(int) - before).mean() > _CUT)

    def _look(self, frame: Pixels, share: float) -> None:
        """Look for faces; a new one has this share.

        For a followed face, a lower score is enough, so that it does not come and go at a
        threshold.
        """
        left = [(face, score) for face, score in _scored(frame) if score > _MAYBE]
        tracked = []
        for each in self._tracked:
            seen = max(left, key=lambda found: found[0].overlap(each.face), default=None)
            if seen and seen[0].overlap(each.face) > 0:
                left.remove(seen)
            else:
                seen = None
            tracked.append(_Tracked(each.face, seen[0] if seen else None))
        new = [face for face, score in left if score > _SURE]
        self._tracked = tracked + [_Tracked(replace(face, share=share), face) for face in new]


def _scored(photo: Pixels) -> list[tuple[Face, float]]:
    """Return faces with their scores, from 0 to 1, the highest first."""
    height, width = photo.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = images.resize_pixels(photo, size)
    mirrored = [(face.mirrored(), score) for face, score in _seen(small[:, ::-1])]
    both = [
        (face, (score + max((s for f, s in mirrored if f.overlap(face) > _SAME), default=0)) / 2)
        for face, score in _seen(small)
    ]
    return sorted(both, key=lambda each: -each[1])


def _seen(small: Pixels) -> list[tuple[Face, float]]:
    """Return what the network takes for faces in a picture that fits into its square."""
    height, width = small.shape[:2]
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    square = np.zeros((1, _SIDE, _SIDE, 3), np.uint8)
    square[0, top : top + height, left : left + width] = small
    found = _network().run({"pixels": square})
    scores = found["scores"]
    boxes = (found["boxes"] * _SIDE - (left, top, left, top)) / (width, height, width, height)
    order = [number for number in np.argsort(-scores) if scores[number] > _LEAST]
    return _apart([(Face(*map(float, boxes[n])), float(scores[n])) for n in order])


def _apart(found: list[tuple[Face, float]]) -> list[tuple[Face, float]]:
    """Return one box for each face, the mean of its boxes, weighted with their scores."""
    apart: list[tuple[Face, float]] = []
    while found:
        first, score = found[0]
        same = [each for each in found if each[0].overlap(first) > _SAME]
        found = [each for each in found if each[0].overlap(first) <= _SAME]
        corners = np.average([face.corners for face, _ in same], 0, [s for _, s in same])
        apart.append((Face(*map(float, corners)), score))
    return apart


@lru_cache(maxsize=1)
def _network() -> Session:
    """Load the network.

    Raises:
        StyleError: its file is missing or damaged.
    """
    path = assets.FACES / "faces.onnx"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StyleError(f"{path} cannot be read: {reason(error)}", hint=_AGAIN) from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise StyleError(f"{path} is damaged", hint=_AGAIN)
    return runtimes.start(onnx_proto.read(data), "cpu", 1)

"""Pixels and their metadata, on which codecs and operations work."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypedDict, TypeVar

if TYPE_CHECKING:
    import os
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Array: TypeAlias = NDArray[Any]
    """An array of any kind of number, which is checked before it is used."""
    File: TypeAlias = str | os.PathLike[str] | bytes | bytearray | BinaryIO
    """A path, a file's content, or an open file."""
    PictureSource: TypeAlias = "Raster | Image.Image | Array | File"
    """Anything that holds a picture."""


Text = tuple[str, str]
"""A keyword, such as ``"Author"``, and its text; a comment's keyword is ``"Comment"``."""


class Metadata(TypedDict, total=False):
    """Metadata that travels with pixels."""

    exif: bytes
    xmp: bytes
    iptc: bytes
    """Records of the IPTC's IIM: caption, author, copyright."""
    texts: tuple[Text, ...]
    dpi: tuple[float, float]


Size = tuple[int, int]
"""Height and width in pixels, in the order of arrays; people and Pillow say the width first."""


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels in memory: 8-bit sRGB, upright, colours not premultiplied.

    Painted pictures are stored in eight bits. A float picture of 100 megapixels alone takes 1.2 GB
    (``docs/adr/0002-picture.md``).
    """

    pixels: NDArray[np.uint8]
    """``(height, width, 3)``, sRGB, 0..255."""
    alpha: NDArray[np.uint8] | None = None
    """``(height, width)``, 0 transparent .. 255 opaque; None for opaque pictures."""
    format: str | None = None
    """Format that the picture was read from, such as ``"JPEG"``."""
    metadata: Metadata = field(default_factory=Metadata)
    """Metadata that travels with the pixels."""
    notes: tuple[str, ...] = ()
    """What reading had to decide, one sentence each."""

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def sha256(self) -> str:
        """Hash the pixels, as hexadecimal digits: equal pictures have equal ones."""
        import hashlib

        return hashlib.sha256(self.pixels.tobytes()).hexdigest()

    def array(self) -> NDArray[np.uint8]:
        """Return ``(height, width, 3)``, or 4 with alpha; 0..255. A copy."""
        import numpy as np

        if self.alpha is None:
            return self.pixels.copy()
        return np.dstack((self.pixels, self.alpha))

    def with_pixels(self, pixels: NDArray[np.uint8]) -> Self:
        """Return the same picture with other pixels of the same size."""
        return replace(self, pixels=pixels)

    def __repr__(self) -> str:
        alpha = ", alpha" if self.alpha is not None else ""
        return f"<{type(self).__name__} {self.width}x{self.height}{alpha}>"


AnyRaster = TypeVar("AnyRaster", bound=Raster)
"""The type that is given comes back: a Picture for a Picture."""

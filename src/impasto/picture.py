"""The only picture type that crosses a function border."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from impasto.options import WriteOptions


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in memory: 8-bit sRGB, upright, colours not premultiplied.

    Eight bits because that is what painted pictures are stored in, and because a
    float picture of 100 megapixels alone takes 1.2 GB (``docs/adr/0002-picture.md``).
    """

    pixels: NDArray[np.uint8]
    """``(height, width, 3)``, sRGB, 0..255."""
    alpha: NDArray[np.uint8] | None = None
    """``(height, width)``, 0 transparent .. 255 opaque; None for opaque pictures."""
    format: str | None = None
    """Format that the picture was read from, such as ``"JPEG"``."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What travels with the pixels: ``exif`` and ``xmp`` (bytes), ``dpi`` (pair)."""
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
        """Of the pixels, as hexadecimal digits: equal pictures have equal ones."""
        import hashlib

        return hashlib.sha256(self.pixels.tobytes()).hexdigest()

    def array(self) -> NDArray[np.uint8]:
        """``(height, width, 3)``, or 4 with alpha; 0..255. A copy."""
        import numpy as np

        if self.alpha is None:
            return self.pixels.copy()
        return np.dstack((self.pixels, self.alpha))

    def pil(self) -> Image.Image:
        """The same as a Pillow image, mode RGB or RGBA."""
        from impasto import codecs

        return codecs.to_pil(self)

    def encode(self, format: str = "PNG", options: WriteOptions | None = None) -> bytes:
        """The picture as a file's content: JPEG, PNG, WEBP, AVIF, TIFF or BMP."""
        from impasto import codecs

        return codecs.encode(self, format, options)

    def save(
        self, path: str | Path, *, overwrite: bool = False, options: WriteOptions | None = None
    ) -> Path:
        """Write the picture, whole or not at all; the format follows from the suffix.

        Raises:
            OutputError: the file is there already (``overwrite`` allows it), or the
                disk refuses.
        """
        from impasto import codecs, files

        path = Path(path)
        data = codecs.encode(self, codecs.format_of(path), options)
        return files.write(path, data, overwrite=overwrite)

    def with_pixels(self, pixels: NDArray[np.uint8]) -> Picture:
        """The same picture with other pixels of the same size."""
        return replace(self, pixels=pixels)

    def resized(self, long_side: int) -> Picture:
        """The same picture with its longer side at ``long_side`` pixels."""
        from impasto import codecs

        return codecs.resize(self, long_side)

    def __repr__(self) -> str:
        alpha = ", alpha" if self.alpha is not None else ""
        return f"<Picture {self.width}x{self.height}{alpha}>"

    def _repr_png_(self) -> bytes:
        """How a notebook shows it: at most 1024 pixels."""
        return self.resized(min(1024, max(self.width, self.height))).encode("PNG")

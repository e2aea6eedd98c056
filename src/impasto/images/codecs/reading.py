"""One file in reading: its name, its limits, and notes on what had to be decided."""

from __future__ import annotations

from dataclasses import dataclass, field

from impasto.errors import PictureError, PictureLimitError
from impasto.files.kinds import Unread
from impasto.images.raster import Text
from impasto.options import ReadOptions


@dataclass(frozen=True)
class Reading:
    """What decoders know of a file, and where they leave their notes."""

    name: str
    options: ReadOptions = ReadOptions()
    enough: int | None = None
    """Pixels of a long side that is large enough; None for all."""
    notes: list[str] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)

    def require_size(self, width: int, height: int) -> None:
        """Check the size of a picture.

        Raises:
            PictureLimitError: more pixels than are allowed, or none.
        """
        if width < 1 or height < 1:
            raise PictureError(f"{self.name} has no pixels ({width}x{height})")
        pixels, options = width * height, self.options
        if pixels <= options.max_pixels and max(width, height) <= options.max_side:
            return
        limit, hint = f"{options.max_side} pixels a side", "make it smaller first"
        if pixels > options.max_pixels:
            limit = f"{options.max_pixels / 1e6:g} megapixels"
            hint += ", or raise --max-pixels if there is memory for it"
        raise PictureLimitError(
            f"{self.name} is {width}x{height} ({pixels / 1e6:.0f} megapixels); the limit is"
            f" {limit}",
            hint=hint,
        )

    def reduction(self, width: int, height: int, most: float) -> int:
        """Return by which of 1, 2, 4 and 8 a decoder shall divide both sides.

        It leaves twice of what is enough for resizing; or at least enough, if the limits need that.
        It is 1 if nothing helps, or if more than ``most`` times the limit's pixels are there.
        """
        options, enough = self.options, self.enough
        if not enough or width * height > most * options.max_pixels:
            return 1
        sides = {each: (-(-width // each), -(-height // each)) for each in (1, 2, 4, 8)}
        fitting = [
            each
            for each, (w, h) in sides.items()
            if w * h <= options.max_pixels and max(w, h) <= options.max_side
        ]
        roomy = [each for each in sides if max(width, height) // each >= 2 * enough]
        factor = max(min(fitting, default=1), *roomy, 1)
        return factor if max(sides[factor]) >= enough else 1

    def unread(self, kind: Unread) -> PictureError:
        """Make the error for a whole file of a kind that is not read."""
        return PictureError(f"{self.name} is {kind.name}, which is not read", hint=kind.remedy)

    def endless(self, what: str) -> PictureError:
        """Make the error for a file that would take very long, as only hostile ones do."""
        return PictureError(
            f"{self.name} has {what}; it would take very long",
            hint="save it anew with another program",
        )

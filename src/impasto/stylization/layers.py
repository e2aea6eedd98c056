"""One picture in one style or in several, each where its mask says."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import tee
from typing import TYPE_CHECKING, TypeAlias

from impasto import catalog, images
from impasto.errors import OptionError
from impasto.images import masks
from impasto.images.picture import Picture
from impasto.options import StylizeOptions
from impasto.stylization.stylizer import Stylizer, sized
from impasto.video.together import Together

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from impasto.catalog import Style, StyleSource
    from impasto.images.masks import Mask, MaskSource
    from impasto.images.raster import PictureSource
    from impasto.options.fields import Json, Side, Stroke

AND = "-and-"
"""Stands between the names of styles that paint one picture."""


@dataclass(frozen=True)
class Layers:
    """Styles that paint one picture together, each where its mask says.

    One may have no mask. It paints where the others leave something.

    Raises:
        OptionError: no style, or several without a mask.
    """

    styles: tuple[Style, ...]
    masks: tuple[Mask | None, ...]

    def __post_init__(self) -> None:
        bare = [style.name for style, mask in self.pairs if not mask]
        if not self.styles:
            raise OptionError("no style was given")
        if len(bare) > 1:
            raise OptionError(
                f"{' and '.join(bare)} have no mask, and only one style can take what is left",
                hint="give a --mask after each of the styles but one",
            )

    @property
    def pairs(self) -> list[tuple[Style, Mask | None]]:
        return [*zip(self.styles, self.masks, strict=True)]

    @property
    def name(self) -> str:
        return AND.join(style.name for style in self.styles)

    def loaded(self) -> None:
        """Load all styles.

        Raises:
            StyleError, OptionError: as :meth:`impasto.catalog.Style.loaded` does.
        """
        for style in self.styles:
            style.loaded()


Styles: TypeAlias = "Style | Layers"
"""What paints a picture: one style all of it, or styles where masks say."""


class LayeredStylizer:
    """Several styles, loaded and ready; see :class:`Stylizer`."""

    def __init__(
        self,
        layers: Layers,
        *,
        device: str = "auto",
        threads: int | None = None,
        steady: bool = False,
    ) -> None:
        self._masks = layers.masks
        self._stylizers = [
            Stylizer(style, device=device, threads=threads, steady=steady)
            for style in layers.styles
        ]

    @property
    def device(self) -> str:
        """The device that really runs; it has painted in a trial."""
        return self._stylizers[0].device

    @property
    def identity(self) -> list[Json]:
        """As :attr:`Stylizer.identity`."""
        parts = zip(self._stylizers, self._masks, strict=True)
        return [[*stylizer.identity, mask.sha256 if mask else ""] for stylizer, mask in parts]

    @property
    def steady_engine(self) -> Together:
        """As :attr:`Stylizer.steady_engine`; raises as that does."""
        return Together([each.steady_engine for each in self._stylizers])

    def painted(self, source: PictureSource, options: StylizeOptions) -> Picture:
        """Paint ``source``; raises as :meth:`Stylizer.painted` does."""
        photo = sized(images.open_any(source), options)
        options = replace(options, size=None)
        paintings = (each.painted(photo, options) for each in self._stylizers)
        return self._laid(photo, paintings)

    def film(
        self, frames: Iterable[NDArray[np.uint8]], options: StylizeOptions | None = None
    ) -> Generator[Picture, None, None]:
        """Paint the frames of a film; see :meth:`Stylizer.film`, as which it raises."""
        options = options or StylizeOptions()
        own, *others = tee(frames, 1 + len(self._stylizers))
        with ExitStack() as stack:
            films = [
                stack.enter_context(closing(stylizer.film(each, options)))
                for stylizer, each in zip(self._stylizers, others, strict=True)
            ]
            for frame, *paintings in zip(own, *films, strict=True):
                yield self._laid(sized(Picture(frame), options), paintings)

    def _laid(self, photo: Picture, paintings: Iterable[Picture]) -> Picture:
        """Lay each painting over the photograph where its mask says."""
        size = photo.height, photo.width
        for mask in filter(None, self._masks):
            mask.require_shape(size)
        rows, notes = masks.each_over_the_last(self._masks, size), [*photo.notes]
        result = photo
        for painting, share in zip(paintings, rows, strict=True):
            notes += painting.notes
            result = result.with_pixels(masks.laid(result.pixels, painting.pixels, share))
        return replace(result, notes=tuple(dict.fromkeys(notes)))


Painter: TypeAlias = Stylizer | LayeredStylizer


def painter(
    styles: Styles, *, device: str = "auto", threads: int | None = None, steady: bool = False
) -> Painter:
    """Make what paints pictures so, or the frames of films if it is ``steady``.

    It raises as :class:`Stylizer` does.
    """
    if isinstance(styles, Layers):
        return LayeredStylizer(styles, device=device, threads=threads, steady=steady)
    return Stylizer(styles, device=device, threads=threads, steady=steady)


def layered(styles: Sequence[tuple[Style, Mask | None]]) -> Styles:
    """Combine styles and masks for one picture; raises as :class:`Layers`."""
    if len(styles) == 1 and styles[0][1] is None:
        return styles[0][0]
    return Layers(*zip(*styles, strict=True)) if styles else Layers((), ())


def stylize(
    source: PictureSource,
    style: StyleSource | Mapping[str, MaskSource | None],
    *,
    strength: float = StylizeOptions.strength,
    keep_colors: bool = StylizeOptions.keep_colors,
    size: Side | None = StylizeOptions.size,
    stroke: Stroke | None = StylizeOptions.stroke,
    crisp: float = StylizeOptions.crisp,
    grain: float = StylizeOptions.grain,
    paint_paper: bool = StylizeOptions.paint_paper,
    protect_faces: float = StylizeOptions.protect_faces,
    mask: MaskSource | None = None,
) -> Picture:
    """Paint ``source`` in ``style``; see :class:`Stylizer` for both and for the errors.

    ``style`` may map names of styles to masks, as in ``{"great-wave": "sky.png", "the-scream":
    None}``. Then several styles paint one picture together. One of them may have no mask, and
    paints what the others leave.

    The last few styles stay loaded, so a loop of calls is not slow.
    """
    # Options come first. A wrong one should not wait for a network to load.
    options = StylizeOptions(
        strength=strength, keep_colors=keep_colors, size=size, stroke=stroke, crisp=crisp,
        grain=grain, paint_paper=paint_paper, protect_faces=protect_faces,
    )  # fmt: skip
    if not isinstance(style, Mapping):
        given = masks.read(mask) if mask is not None else None
        return _loaded(catalog.find(style)).painted(source, options, given)
    if mask is not None:
        raise OptionError("mask is of one style", hint="give each style its own, in the mapping")
    read = [(name, each if each is None else masks.read(each)) for name, each in style.items()]
    together = layered([(catalog.find(name), each) for name, each in read])
    return painter(together).painted(source, options)


@lru_cache(maxsize=4)
def _loaded(style: Style) -> Stylizer:
    return Stylizer(style)

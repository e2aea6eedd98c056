"""Paint a photograph with a trained style: the pipeline, in a few steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from impasto import catalog, images
from impasto.errors import OptionError, StyleError
from impasto.images import masks, operations, paper
from impasto.images.grain import grained
from impasto.images.picture import Picture
from impasto.inference.engine import Engine, OnnxEngine
from impasto.inference.guided import Guided
from impasto.options import StylizeOptions
from impasto.options.fields import Json, Side, Stroke
from impasto.stylization import faces
from impasto.stylization.pages import Pages, typical
from impasto.stylization.scales import Scales
from impasto.video.temporal import SteadyEngine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.catalog import StyleSource
    from impasto.images.masks import Mask, MaskSource
    from impasto.images.raster import PictureSource
    from impasto.video.temporal import FramePainter


_PAPER_KEPT = "its paper keeps its tone; --paint-paper, in Python paint_paper=True, paints it"
_FEW = 64
"""Pixels below which a painting of a single colour is nothing strange."""

_LEAST_SIDE = 64
"""Smallest long side at which a part of a picture is painted; in less, a network sees nothing."""
_LEARNT_FROM = 0.25
"""Strength from which a network that has learnt strengths paints without blending."""


class Stylizer:
    """A style that is loaded and ready; it may be used again, and from several threads.

    Args:
        style: a name (``impasto styles`` lists them), a blend of names
            (``great-wave:0.7,udnie:0.3``), a folder with a card, or a
            :class:`~impasto.catalog.Style`. Or any painting: a file, or anything else that holds a
            picture.
        device: one of :data:`impasto.inference.devices.DEVICES`.
        threads: how many; by default those that the process may use.
        steady: takes the frames of a film, in their order (:mod:`impasto.video.temporal`).

    Raises:
        OptionError: no such style, no such device.
        PictureError: the painting cannot be read, or there is no style in it.
        StyleError: the style is damaged or foreign.
        DeviceError: the device was asked for by name and does not work here.
    """

    def __init__(
        self,
        style: StyleSource,
        *,
        device: str = "auto",
        threads: int | None = None,
        steady: bool = False,
    ) -> None:
        self.style = catalog.find(style)
        self.engine = OnnxEngine(self.style.loaded(), device=device, threads=threads)
        self._threads = threads
        self._steady = SteadyEngine(self.engine, threads) if steady else None

    @property
    def device(self) -> str:
        """The device that really runs; it has painted in a trial."""
        return self.engine.device

    @property
    def identity(self) -> list[Json]:
        """What decides, beside the options, what it paints."""
        return [self.style.card.model.sha256, [*self.style.weights]]

    @property
    def steady_engine(self) -> SteadyEngine:
        """The engine that paints the frames of films, in a stylizer for those.

        Raises:
            OptionError: this one is not ``steady``.
        """
        if not self._steady:
            raise OptionError("only a steady Stylizer paints films", hint="give it steady=True")
        return self._steady

    @property
    def note(self) -> str:
        """Why ``device="auto"`` did not take a faster device; empty if it did."""
        return self.engine.note

    def __call__(
        self,
        source: PictureSource,
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
        """Paint ``source``: a path, bytes, a file, a Pillow image, an array, a Picture.

        The result keeps the photograph's transparency and metadata; without ``size`` also its size.

        Args:
            source: the photograph.
            strength: how much of the painting is laid over the photograph, 0..1.
            keep_colors: keep the photograph's colours.
            size: the longer side, in pixels or as a share such as ``50%``.
            stroke: the size of brush marks, 0.1..10, in proportion to the picture. So a picture
                looks the same in every size. With ``"pixels"``, or None, marks are fixed in pixels.
            crisp: how much of the finer marks is laid on, 0..1 (:mod:`impasto.stylization.scales`).
            grain: gives flat areas brush marks, too; 0..64 levels.
            paint_paper: paint white paper and black bars like everything else. Otherwise they stay
                light and dark where they fill a quarter of the picture or more
                (:mod:`impasto.images.paper`).
            protect_faces: how much finer and gentler faces are painted, 0..1
                (:mod:`impasto.stylization.faces`).
            mask: a picture of the same shape. Where it is white, the painting shows; where it is
                black, the photograph stays (:mod:`impasto.images.masks`).

        Raises:
            OptionError: a value out of range.
            PictureError: ``source`` or ``mask`` is not a usable picture, or they differ in shape.
            StyleError: the network gave no usable picture.
        """
        options = StylizeOptions(
            strength=strength, keep_colors=keep_colors, size=size, stroke=stroke, crisp=crisp,
            grain=grain, paint_paper=paint_paper, protect_faces=protect_faces,
        )  # fmt: skip
        return self.painted(source, options, masks.read(mask) if mask is not None else None)

    def painted(
        self, source: PictureSource, options: StylizeOptions, mask: Mask | None = None
    ) -> Picture:
        """Paint ``source`` with all options as one object; raises as calling the stylizer does."""
        photo = sized(images.open_any(source), options)
        if mask:
            mask.require_shape((photo.height, photo.width))
        pixels = operations.opaque(photo).pixels
        learnt, _ = self._strengths(options.strength)
        page = not options.paint_paper and paper.is_page(pixels)
        if side := options.marks_side:
            scales = self._scales(side, learnt, options, options.grain)
            painting, _ = scales.paint(pixels, scales.statistics(typical()) if page else None)
        else:
            painting = paint(self.engine, pixels, self._weights(learnt), grain=options.grain)
        self._check(pixels, painting)
        if page:
            photo = replace(photo, notes=(*photo.notes, _PAPER_KEPT))
        if options.protect_faces:
            seen = typical() if page else pixels
            painting, note = self._with_faces(pixels, painting, options, learnt, seen)
            photo = replace(photo, notes=(*photo.notes, *note))
        painted = self._finished(photo, pixels, painting, options, float(page))
        return masked(photo, painted, mask) if mask else painted

    def film(
        self, frames: Iterable[NDArray[np.uint8]], options: StylizeOptions | None = None
    ) -> Generator[Picture, None, None]:
        """Paint the frames of a film, ``(H, W, 3)`` 8-bit sRGB each, in their order.

        Some frames are read before the first comes out. There is no grain, which would stand still
        where the film moves.

        Raises:
            OptionError: this one is not ``steady``.
            StyleError: the network gave no usable picture. After one usable picture it counts as
                working, and a frame of a single colour is a fade.
        """
        engine, options = self.steady_engine, options or StylizeOptions()
        photos: deque[Picture] = deque()

        def pixels() -> Iterator[NDArray[np.uint8]]:
            for frame in frames:
                photos.append(sized(Picture(frame), options))
                yield photos[-1].pixels

        followed = faces.Followed() if options.protect_faces else None
        works = bool(engine.state)  # a film that goes on has been painted before
        learnt, _ = self._strengths(options.strength)
        side = options.marks_side
        painter = self._frames(side, learnt, options) if side else None
        with closing(engine.film(pixels(), self._weights(learnt), painter)) as film:
            for painting in film:
                photo = photos.popleft()
                if not works:
                    self._check(photo.pixels, painting)
                    works = not _flat(painting)
                painted = painting
                if followed:
                    found = followed(photo.pixels)
                    painted = faces.softened(photo.pixels, painting, found, options.protect_faces)
                page = 0.0 if options.paint_paper else paper.amount(photo.pixels)
                yield self._finished(photo, photo.pixels, painted, options, page)

    def _with_faces(
        self,
        pixels: NDArray[np.uint8],
        painting: NDArray[np.uint8],
        options: StylizeOptions,
        strength: float,
        seen: NDArray[np.uint8],
    ) -> tuple[NDArray[np.uint8], Sequence[str]]:
        """Paint the faces of a painting anew, with statistics of what is ``seen``; note if there
        are none."""
        found = faces.find(pixels)
        if not found:
            return painting, (faces.NO_FACE,)
        usual = options.marks_side or max(pixels.shape)
        whole = self._scales(usual, strength, options, options.grain)
        statistics = whole.statistics(seen)

        def finer(part: NDArray[np.uint8], share: float, marks: float) -> NDArray[np.uint8]:
            side = max(_LEAST_SIDE, round(usual * share / marks))
            return replace(whole, side=side).paint(part, statistics)[0]

        return faces.protected(pixels, painting, found, finer, options.protect_faces), ()

    def _finished(
        self,
        photo: Picture,
        pixels: NDArray[np.uint8],
        painting: NDArray[np.uint8],
        options: StylizeOptions,
        page: float,
    ) -> Picture:
        """Finish a painting; ``page`` is how far its paper keeps its tone."""
        if page:
            painting = paper.kept(pixels, painting, page)
        if options.keep_colors:
            painting = operations.keep_colors(pixels, painting)
        _, blended = self._strengths(options.strength)
        return replace(photo, pixels=operations.blend(photo.pixels, painting, blended))

    def _strengths(self, strength: float) -> tuple[float, float]:
        """Return the network's strength, and how much of its painting is laid over the photograph.

        A network that has learnt strengths paints them. Only near strength 0 does blending set in.
        There the photograph itself is sharper than any painting of it.
        """
        if not self.style.card.network.strength:
            return 1.0, strength
        return strength, min(1.0, strength / _LEARNT_FROM)

    def _scales(
        self, side: int, strength: float, options: StylizeOptions, grain: float = 0
    ) -> Scales:
        """Return what paints marks with their share of a picture, and finer marks on them."""
        weights = self._weights(strength)
        return Scales(self._guided, lambda: self._fine, side, weights, options.crisp, grain)

    def _frames(self, side: int, strength: float, options: StylizeOptions) -> FramePainter:
        scales = self._scales(side, strength, options)
        return scales if options.paint_paper else Pages(scales)

    @cached_property
    def _guided(self) -> Guided:
        return Guided(self.engine, self._at_once)

    @cached_property
    def _fine(self) -> Guided:
        """Return the network that paints fine marks: that of the style's tiny twin, or its own."""
        twin = catalog.twin(self.style)
        if not twin:
            return self._guided
        tiny = OnnxEngine(twin.loaded(), device=self.device, threads=self._threads)
        return Guided(tiny, self._at_once)

    @property
    def _at_once(self) -> int:
        return self._steady.at_once if self._steady else 1

    def _weights(self, strength: float) -> list[float]:
        return [strength * weight for weight in self.style.weights]

    def _check(self, pixels: NDArray[np.uint8], painting: NDArray[np.uint8]) -> None:
        few = pixels.shape[0] * pixels.shape[1] < _FEW
        if _flat(painting) and not (few or _flat(pixels)):
            raise StyleError(
                f"{self.style.name} gave a single colour on {self.device}",
                hint="try --device cpu; if that fails too, install the style again",
            )


def paint(
    engine: Engine,
    pixels: NDArray[np.uint8],
    weights: Sequence[float] = (),
    *,
    grain: float = StylizeOptions.grain,
) -> NDArray[np.uint8]:
    """Paint a photograph, ``(H, W, 3)``, with a network, with grain over it first."""
    return engine.paint(grained(pixels, grain), weights)


def masked(photo: Picture, painted: Picture, mask: Mask) -> Picture:
    """Lay the painting over the photograph where the mask says so; both have the same size."""
    rows = mask.rows((photo.height, photo.width))
    return painted.with_pixels(masks.laid(photo.pixels, painted.pixels, rows))


def sized(photo: Picture, options: StylizeOptions) -> Picture:
    """Return the photograph in the size of its painting."""
    return photo.resized(options.side(photo.width, photo.height)) if options.size else photo


def _flat(pixels: NDArray[np.uint8]) -> bool:
    sparse = pixels[:: max(1, len(pixels) // 64)]
    return bool((sparse == sparse[0, 0]).all())

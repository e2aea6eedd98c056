"""The nodes, in the schema of ComfyUI's ``comfy_api``. Only ComfyUI imports this module.

ComfyUI has two contracts for nodes. This is the one that it develops: it checks its inputs, has
help on each, and is versioned. ``docs/how-to/comfyui.md`` shows the nodes.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_api.latest import ComfyExtension, io

import impasto
from impasto import catalog
from impasto.errors import ImpastoError, OptionError
from impasto.integrations.comfyui import tensors
from impasto.integrations.comfyui.inputs import knobs
from impasto.integrations.comfyui.progress import Bar
from impasto.options import OptimizeOptions, PolishOptions, StyleOptions, StylizeOptions
from impasto.stylization.stylizer import masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from impasto.catalog import Style
    from impasto.images.masks import Mask
    from impasto.images.picture import Picture
    from impasto.studio.optimization.optimize import Step

    Pair = tuple[Picture, Mask | None]

_CATEGORY = "impasto"
_FIRST = "starry-night"
_LONGEST = 3600
"""Most seconds of a polish; after an hour it hardly learns any more."""

StyleType = io.Custom("IMPASTO_STYLE")


class LoadStyle(io.ComfyNode):
    """A style by its name; or a folder, a blend, a painting's file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        names = sorted(catalog.looks(catalog.styles()))
        return io.Schema(
            node_id="ImpastoLoadStyle",
            display_name="Load impasto style",
            category=_CATEGORY,
            description="A style that photographs are painted in.",
            inputs=[
                io.Combo.Input("style", options=names, default=_FIRST, tooltip="A style's name."),
                io.String.Input(
                    "other",
                    default="",
                    optional=True,
                    tooltip="Instead of a name: a style's folder, a painting's file, or a blend "
                    "such as great-wave:0.7,udnie:0.3.",
                ),
            ],
            outputs=[StyleType.Output(display_name="style")],
        )

    @classmethod
    def validate_inputs(cls, style: str | None, other: str | None = "") -> bool | str:
        """Return True, or a sentence that says what is wrong with the style.

        A value from another node is not known yet.
        """
        if style is None or other is None:
            return True
        try:
            _named(style, other)
        except ImpastoError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, style: str | None, other: str | None = "") -> str:
        """Return another text when the style itself changes, as its folder was written anew."""
        found = _named(style or _FIRST, other or "")
        parts = found.parts or ((found, 1.0),)
        return " ".join(f"{part.card.model.sha256}:{share}" for part, share in parts)

    @classmethod
    def execute(cls, style: str, other: str = "") -> io.NodeOutput:
        return io.NodeOutput(_named(style, other))


class Stylize(io.ComfyNode):
    """Pictures painted in a style."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ImpastoStylize",
            display_name="Stylize (impasto)",
            category=_CATEGORY,
            description="Paint pictures in a style, in milliseconds to seconds each.",
            inputs=[
                io.Image.Input("image"),
                StyleType.Input("style"),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="White is painted, black stays the photograph, grey is between.",
                ),
                *knobs(
                    StylizeOptions,
                    strength="",
                    stroke="Size of brush marks in proportion to the picture.",
                    crisp="",
                    keep_colors="",
                    protect_faces="",
                ),
                io.Boolean.Input(
                    "film",
                    default=False,
                    tooltip="The batch is a film: what stands still in it stays steady.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image")],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        style: Style,
        strength: float,
        stroke: float,
        crisp: float,
        keep_colors: bool,
        protect_faces: float,
        film: bool = False,
        mask: Tensor | None = None,
    ) -> io.NodeOutput:
        options = StylizeOptions(
            strength=strength, stroke=stroke, crisp=crisp, keep_colors=keep_colors,
            protect_faces=protect_faces,
        )  # fmt: skip
        photos, bar = tensors.pictures(image), Bar()
        pairs = [*zip(photos, tensors.masks(mask, len(photos)), strict=True)]
        painted: list[Picture] = []
        for painting in (_film if film else _each)(pairs, style, options):
            painted.append(painting)
            bar(len(painted), len(photos))
        return io.NodeOutput(tensors.image(painted, image))


class Optimize(io.ComfyNode):
    """Pictures painted by optimising their pixels."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ImpastoOptimize",
            display_name="Optimise (impasto, slow)",
            category=_CATEGORY,
            description="Paint by optimising the pixels (Gatys et al.), in minutes. Several "
            "paintings in a batch are mixed in equal parts.",
            inputs=[
                io.Image.Input("image"),
                io.Image.Input("painting"),
                *knobs(OptimizeOptions, size="", steps="", style_scale="", colors=""),
            ],
            outputs=[io.Image.Output(display_name="image")],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        painting: Tensor,
        size: int,
        steps: int,
        style_scale: float,
        colors: str,
    ) -> io.NodeOutput:
        options = OptimizeOptions(size=size, steps=steps, style_scale=style_scale, colors=colors)
        photos, paintings, bar = tensors.pictures(image), tensors.pictures(painting), Bar()
        painted: list[Picture] = []

        def on_step(step: Step) -> None:
            done = len(painted) * step.total + step.step
            bar(done, len(photos) * step.total, step.picture)

        for photo in photos:
            painted.append(impasto.optimize(photo, paintings, options=options, on_step=on_step))
        return io.NodeOutput(tensors.image(painted, image))


class StyleFromPainting(io.ComfyNode):
    """The style of a painting, at once or after a polish."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ImpastoStyleFromPainting",
            display_name="Style from painting (impasto)",
            category=_CATEGORY,
            description="Make a style of any picture: at once, or nearer to it after a polish.",
            inputs=[
                io.Image.Input("painting"),
                *knobs(StyleOptions, boldness=""),
                io.Int.Input(
                    "polish",
                    default=0,
                    min=0,
                    max=_LONGEST,
                    tooltip="Seconds to learn on from what the painting gives at once; 0: none.",
                ),
            ],
            outputs=[StyleType.Output(display_name="style")],
        )

    @classmethod
    def execute(cls, painting: Tensor, boldness: float, polish: int) -> io.NodeOutput:
        pictures = tensors.pictures(painting)
        if len(pictures) != 1:
            raise OptionError(
                f"{len(pictures)} paintings in one batch", hint="give one; split the batch"
            )
        options = StyleOptions(boldness=boldness)
        if not polish:
            return io.NodeOutput(catalog.find(pictures[0], options))
        return io.NodeOutput(_polished(pictures[0], options, polish))


class Extension(ComfyExtension):
    """All nodes together."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [LoadStyle, Stylize, Optimize, StyleFromPainting]


async def comfy_entrypoint() -> Extension:
    """Return the extension that ComfyUI asks for when it loads this."""
    return Extension()


def _named(style: str, other: str) -> Style:
    return catalog.find(other.strip() or style)


def _each(pairs: Sequence[Pair], style: Style, options: StylizeOptions) -> Iterator[Picture]:
    for photo, mask in pairs:
        if mask and not mask.shares.any():  # such as a frame's without the masked thing
            yield photo
        else:  # this keeps the last few styles loaded
            yield impasto.stylize(photo, style, mask=mask, **vars(options))


def _film(pairs: Sequence[Pair], style: Style, options: StylizeOptions) -> Iterator[Picture]:
    frames = impasto.Stylizer(style, steady=True).film((each.pixels for each, _ in pairs), options)
    for (photo, mask), painting in zip(pairs, frames, strict=True):
        shown = painting if photo.alpha is None else replace(painting, alpha=photo.alpha)
        if mask and mask.shares.any():
            mask.require_shape((photo.height, photo.width))
        yield masked(photo, shown, mask) if mask else shown


def _polished(painting: Picture, options: StyleOptions, seconds: int) -> Style:
    from impasto.polishing import polish

    bar = Bar()
    with tempfile.TemporaryDirectory(prefix="impasto-") as folder:
        result = polish(
            painting,
            Path(folder),
            PolishOptions(polish=f"{seconds}s"),
            style=options,
            on_progress=lambda now: bar(now.step, now.total),
        )
    return result.style

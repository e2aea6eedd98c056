"""Flags that several commands share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from impasto import catalog, devices
from impasto.options import ReadOptions, StylizeOptions, WriteOptions, doc


def knob(options: type, name: str, *flags: str, **more: Any) -> Any:
    """A flag whose help comes from the option that it sets."""
    return typer.Option(*flags, help=doc(options, name), **more)


def style_names(incomplete: str) -> list[str]:
    return [name for name in catalog.styles() if name.startswith(incomplete)]


STYLE_HELP = "A style's name, or its folder. Give it again for several styles."
Inputs = Annotated[
    list[str], typer.Argument(help="Pictures, folders, globs, or - for standard input.")
]
Styles = Annotated[
    list[str], typer.Option("--style", "-s", help=STYLE_HELP, autocompletion=style_names)
]
Out = Annotated[
    str | None, typer.Option("--out", "-o", help="File, folder, or - for standard output.")
]
Strength = Annotated[float, knob(StylizeOptions, "strength", "--strength")]
KeepColors = Annotated[bool, knob(StylizeOptions, "keep_colors", "--keep-colors")]
Size = Annotated[int | None, knob(StylizeOptions, "size", "--size")]
Format = Annotated[str | None, typer.Option("--format", help="jpeg, png, webp, avif, tiff or bmp.")]
Quality = Annotated[int, knob(WriteOptions, "quality", "--quality")]
Strip = Annotated[bool, knob(WriteOptions, "strip", "--strip")]
MaxPixels = Annotated[int, knob(ReadOptions, "max_pixels", "--max-pixels")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]
Device = Annotated[str, typer.Option("--device", help=f"{', '.join(devices.DEVICES)}.")]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="Threads; all allowed ones by default."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

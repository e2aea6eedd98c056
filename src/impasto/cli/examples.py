"""Lines to type: for the help of each command, and for messages where something is missing."""

from __future__ import annotations

import typer
from typer.core import TyperCommand

from impasto.errors import OptionError

EXAMPLES = {
    "stylize": (
        "impasto stylize photo.jpg -s great-wave",
        "impasto stylize holiday/ -s painting.jpg -o painted/",
    ),
    "sheet": ("impasto sheet photo.jpg", "impasto sheet photo.jpg -s udnie -s painting.jpg"),
    "style": (
        "impasto style painting.jpg -o my-style",
        "impasto style painting.jpg -o my-style --polish 60s",
    ),
    "demo": ("impasto demo", "impasto demo -o pictures"),
    "optimize": (
        "impasto optimize photo.jpg painting.jpg -o out.png",
        "impasto optimize photo.jpg a.jpg b.jpg -o out.png --style-weights 0.7,0.3",
    ),
    "redo": ("impasto redo out.png -o again.png", "impasto redo out.png -o again.png --device cpu"),
    "train": (
        "impasto train painting.jpg photos/ -o my-style --steps 300",
        "impasto train --recipe prints.toml photos/ -o prints",
    ),
    "train-any": (
        "impasto train-any paintings/ photos/ -o my-any --start any",
        "impasto train-any paintings/ photos/ -o my-any --steps 40000",
    ),
    "layers": ("impasto layers vgg19", "impasto layers resnet50 --size 512"),
    "networks": ("impasto networks", "impasto networks light johnson --threads 1"),
    "distill": (
        "impasto distill my-style photos/ -o my-style-tiny",
        "impasto distill starry-night:0.6,the-scream:0.4 photos/ -o burning-night",
    ),
    "quantize": (
        "impasto quantize my-style photos/ -o my-style-8bit",
        "impasto quantize my-style photos/ -o my-style-8bit --count 48",
    ),
    "evaluate": (
        "impasto evaluate my-style painting.jpg photos/ --iterations 50",
        "impasto evaluate --any paintings/ photos/ --polish 10s,60s",
    ),
    "lab": (
        "impasto lab --list",
        "impasto lab style-size --style painting.jpg -o report",
    ),
    "search": (
        "impasto search photo.jpg painting.jpg -o search",
        "impasto search photo.jpg painting.jpg -o search --trials 120",
    ),
    "serve": ("impasto serve", "impasto serve --host 0.0.0.0 --token a-long-secret"),
    "worker": (
        "impasto worker --redis redis://host:6379/0",
        "impasto worker --redis redis://host:6379/0 --device openvino",
    ),
    "page": ("impasto page -o public", "impasto page -o public -s udnie -s painting.jpg"),
    "doctor": ("impasto doctor", "impasto doctor --bench"),
}
"""Two examples for each command."""


def below(name: str) -> str:
    """Return the text below a command's help; the first sign keeps click from filling the lines."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in EXAMPLES[name])])


class Command(TyperCommand):
    """A command that says what to type where an argument or a flag is missing."""

    def parse_args(  # type: ignore[override]  # of typer's own click, or of click's
        self, ctx: typer.Context, args: list[str]
    ) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if not hasattr(error, "param_type"):  # nothing is missing
                raise
            what = error.format_message().rstrip(".")
            hint = f"such as: {EXAMPLES[self.name or ''][0]}"
            raise OptionError(f"{what[:1].lower()}{what[1:]}", hint=hint) from error

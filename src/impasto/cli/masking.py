"""``--mask``: the order of the flags says which style each mask belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from impasto.cli.examples import Command
from impasto.errors import OptionError

if TYPE_CHECKING:
    from impasto.catalog import Style
    from impasto.files.lookup import Found
    from impasto.images.masks import Mask
    from impasto.options import ReadOptions
    from impasto.stylization.layers import Styles

Masks = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        help="Picture that says where: white is painted, black stays the photograph. "
        "After a style it is that style's: several then paint one picture.",
    ),
]
_ORDER = "impasto.order"


class Ordered(Command):
    """A command that remembers the order of its flags."""

    def parse_args(  # type: ignore[override]  # of typer's own click, or of click's
        self, ctx: typer.Context, args: list[str]
    ) -> list[str]:
        _, _, order = self.make_parser(ctx).parse_args(args=[*args])
        ctx.meta[_ORDER] = [each.name for each in order]
        return super().parse_args(ctx, args)


def owners(context: typer.Context) -> list[int | None]:
    """Return, for each mask, the number of the style before it; None before the first style."""
    found: list[int | None] = []
    latest: int | None = None
    for name in context.meta[_ORDER]:
        if name == "style":
            latest = 0 if latest is None else latest + 1
        elif name == "mask":
            found.append(latest)
    return found


def looks(
    styles: Iterable[Style],
    files: Sequence[str],
    owners: Sequence[int | None],
    options: ReadOptions,
) -> list[Styles]:
    """Combine styles and masks into what paints.

    Where masks follow some of several styles, all styles paint one picture together. Otherwise each
    style paints a picture of its own. All then share the one mask that stands before them, if there
    is one.

    Raises:
        OptionError: two masks for one thing, or several styles without one.
        PictureError: a mask that cannot be used.
    """
    from impasto.stylization.layers import layered

    read_masks = dict(zip(owners, _read(files, owners, options), strict=True))
    chosen = [*styles]
    if len(chosen) > 1 and read_masks and None not in read_masks:
        return [layered([(style, read_masks.get(n)) for n, style in enumerate(chosen)])]
    whole = read_masks.get(None) or read_masks.get(0)
    return [layered([(style, whole)]) for style in chosen]


def without_masks(found: Sequence[Found], files: Sequence[str]) -> list[Found]:
    """Remove masks that lie in a folder with the pictures to paint.

    Raises:
        OptionError: there is nothing else.
    """
    places = {os.path.realpath(each) for each in files}
    left = [each for each in found if each.named or os.path.realpath(each.path) not in places]
    if not left:
        raise OptionError("there is no picture beside the mask", hint="name what is to be painted")
    return left


def _read(files: Sequence[str], owners: Sequence[int | None], options: ReadOptions) -> list[Mask]:
    if None in owners and len(owners) > 1:
        raise OptionError(
            f"{files[0]} stands before all styles, and so it is the mask of each",
            hint="give every mask after its style, or one mask alone",
        )
    if len({*owners}) < len(owners):
        raise OptionError(
            "a style has two masks", hint="make one picture of both, or give the style again"
        )
    if "" in files:
        raise OptionError("an empty name is no mask", hint="is a variable empty?")
    if not files:
        return []
    from impasto.images import masks

    return [masks.read(each, options) for each in files]

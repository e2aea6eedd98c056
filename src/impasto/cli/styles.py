"""The commands about styles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from impasto import catalog
from impasto.catalog import Artwork
from impasto.cli.flags import (
    Artist,
    Licence,
    Overwrite,
    Quiet,
    Title,
    Year,
    style_names,
    with_options,
)
from impasto.cli.flags import Json as AsJson
from impasto.cli.studio import polished
from impasto.cli.terminal import Terminal
from impasto.options import PolishOptions, StyleOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from impasto.catalog import Card, Style
    from impasto.options.fields import Json

_SHOWN = "A style's name, its folder, a painting's file, or a blend such as a:0.7,b.jpg:0.3."

app = typer.Typer(help="List the styles at hand, or show one.", invoke_without_command=True)


@app.callback()
def styles(context: typer.Context, as_json: AsJson = False) -> None:
    """List the styles at hand."""
    if context.invoked_subcommand:
        return
    terminal, at_hand = Terminal(as_json=as_json), catalog.styles().values()
    if as_json:
        terminal.print_json([style_record(style) for style in at_hand])
        return
    header = ("name", "artwork", "artist", "year", "size")
    terminal.table(header, (_style_row(style.card) for style in at_hand))


def _style_row(card: Card) -> tuple[str, ...]:
    art = card.artwork
    return card.name, art.title, art.artist, art.year, f"{card.model.bytes / 1e6:.1f} MB"


@with_options
def style(
    painting: Annotated[
        str, typer.Argument(help="A picture, or a blend such as a.jpg:0.6,b.jpg:0.4.")
    ],
    out: Annotated[
        str,
        typer.Option("--out", "-o", help="The style's name, or a folder that ends in it."),
    ],
    *,
    title: Title = None,
    artist: Artist = None,
    year: Year = None,
    licence: Licence = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    options: StyleOptions,
    polish: PolishOptions,
) -> None:
    """Make a style of any painting, at once, and keep it.

    It is a style like any other: for pictures and films, blends, the service and the browser.
    --polish 60s learns for a minute, and gets nearer to the painting. Ctrl-C keeps the best so far,
    and the same command goes on.
    """
    terminal, folder = Terminal(quiet=quiet), catalog.place(out).absolute()
    about = {"title": title, "artist": artist, "year": year, "licence": licence}
    stopped = False
    if polish.polish:
        from impasto import polishing

        polishing.require_place(folder, overwrite=overwrite)
        result = polished(painting, folder, options, polish, terminal, restart=overwrite)
        polishing.save(result, folder, _artwork(result.style, about), overwrite=True)
        stopped = result.stopped
    else:
        made = catalog.find(painting, options)
        made.save(folder, artwork=_artwork(made, about), overwrite=overwrite)
    terminal.say(f"{folder}")
    terminal.say(f"Try: impasto stylize photo.jpg -s {out}")
    if stopped:
        raise typer.Exit(130)


def _artwork(made: Style, about: Mapping[str, str | None]) -> Artwork:
    """Make the artwork for the card from what was given, and from what is known."""
    own = made.card.artwork
    return Artwork.of({**own.record(), **{key: text for key, text in about.items() if text}})


def style_record(style: Style) -> dict[str, Json]:
    """Describe a style for programs: its card, and its place."""
    return {**style.record(), "folder": str(style.folder)}


@app.command("show")
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=_SHOWN, autocompletion=style_names)],
    as_json: AsJson = False,
) -> None:
    """Show a style's card: the artwork, its licence, how it was learnt."""
    before = context.parent.params if context.parent else {}  # impasto styles --json show
    terminal = Terminal(as_json=as_json or before.get("as_json", False))
    style = catalog.find(name)
    style.loaded()  # a damaged style should not look sound
    terminal.details(style.card.title, style_record(style))

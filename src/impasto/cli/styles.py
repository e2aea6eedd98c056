"""The commands about styles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from impasto import catalog
from impasto.catalog import Artwork
from impasto.cli.flags import STYLE_HELP, Overwrite, Quiet, style_names, with_options
from impasto.cli.flags import Json as AsJson
from impasto.options import StyleOptions
from impasto.terminal import Terminal

if TYPE_CHECKING:
    from impasto.catalog import Card, Style
    from impasto.options.fields import Json

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
    title: Annotated[str | None, typer.Option(help="The artwork's title, for the card.")] = None,
    artist: Annotated[str | None, typer.Option(help="Its artist.")] = None,
    year: Annotated[str | None, typer.Option(help="Its year.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its licence, such as public domain.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    options: StyleOptions,
) -> None:
    """Make a style of any painting, at once, and keep it.

    It is a style as any other: for pictures and films, blends, the service and the browser.
    """
    made = catalog.find(painting, options)
    own = made.card.artwork
    artwork = Artwork(
        title=title or own.title,
        artist=artist or own.artist,
        year=year or own.year,
        licence=licence or own.licence,
    )
    folder = made.save(out, artwork=artwork, overwrite=overwrite)
    terminal = Terminal(quiet=quiet)
    terminal.say(f"{folder}")
    terminal.say(f"Try: impasto stylize photo.jpg -s {folder.name if out == folder.name else out}")


def style_record(style: Style) -> dict[str, Json]:
    """What programs are told of a style: its card, and where it is."""
    return {**style.record(), "folder": str(style.folder)}


@app.command("show")
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=STYLE_HELP, autocompletion=style_names)],
    as_json: AsJson = False,
) -> None:
    """Show a style's card: the artwork, its licence, how it was learnt."""
    before = context.parent.params if context.parent else {}  # impasto styles --json show
    terminal = Terminal(as_json=as_json or before.get("as_json", False))
    style = catalog.find(name)
    style.loaded()  # a damaged style should not look sound
    terminal.details(style.card.title, style_record(style))

"""The commands about styles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from impasto import catalog
from impasto.cli.flags import STYLE_HELP, style_names
from impasto.cli.flags import Json as AsJson
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
    style.model()  # a damaged style should not look sound
    terminal.details(style.card.title, style_record(style))

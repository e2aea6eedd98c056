"""The commands that learn styles from paintings, or learn how to make any style."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from impasto import catalog
from impasto.cli.flags import (
    Artist,
    Licence,
    Quiet,
    Restart,
    Taken,
    Title,
    Values,
    Year,
    with_options,
)
from impasto.cli.studio import end_if_cancelled, network_of, stop_gently
from impasto.cli.terminal import Terminal
from impasto.distribution import needs
from impasto.errors import OptionError
from impasto.files.kept_steps import WORK
from impasto.options import TrainAnyOptions, TrainOptions
from impasto.progress import CancelToken

if TYPE_CHECKING:
    from impasto.studio.training.paintings import Recipe


def _train_base(others: Values) -> TrainOptions:
    recipe, tier, start = others["recipe"], others["tier"], others["start"]
    with needs("train"):
        from impasto.studio.networks import preset
        from impasto.studio.training.init_from import WORDS
        from impasto.studio.training.paintings import read
    options = read(recipe).options if recipe else TrainOptions()
    if tier:
        return replace(options, network=preset(tier))
    if start and not recipe and start not in WORDS:
        return replace(options, network=network_of(start))
    return options


class _About(TypedDict):
    """What a card says of one painting, in the words of its options."""

    title: str
    artist: str
    year: str
    licence: str


_Pictures = Annotated[
    list[Path],
    typer.Argument(
        metavar="[PAINTING]... PHOTOS",
        help="The pictures whose styles are learnt; last, a folder of photographs.",
    ),
]
_StyleOut = Annotated[
    str,
    typer.Option("--out", "-o", help="The style's name, or a folder whose last part is its name."),
]
_RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", help="TOML file with paintings and options; flags win.")
]
_Tier = Annotated[
    str | None,
    typer.Option(
        help="Network: tiny, light, full, johnson, ... (see impasto networks). "
        "By default that of --start, or light."
    ),
]
_Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        help="Style or checkpoint to learn on from; any: what impasto style makes; none. "
        "By default any or starry-night, whichever paints better.",
    ),
]


@with_options
def train(
    pictures: _Pictures,
    out: _StyleOut,
    *,
    recipe: _RecipeFile = None,
    tier: _Tier = None,  # noqa: ARG001 - it has become options
    title: Title = None,
    artist: Artist = None,
    year: Year = None,
    licence: Licence = None,
    start: _Start = None,
    restart: Restart = False,
    quiet: Quiet = False,
    options: Annotated[TrainOptions, Taken(base=_train_base)],
) -> None:
    """Learn styles from paintings (needs impasto[train]).

    Several paintings share one network, and can be blended; with --apart each has its own. After
    Ctrl-C, or a kill, the same command goes on where it was.
    """
    with needs("train"):
        from impasto.studio.training.init_from import BEST
        from impasto.studio.training.train import train as train_styles
    first = os.environ.get("RANK", "0") == "0"  # one of a launcher's processes
    terminal, cancel = Terminal(quiet=quiet or not first), CancelToken()
    about: _About = {
        "title": title or "", "artist": artist or "", "year": year or "", "licence": licence or ""
    }  # fmt: skip
    *files, photos = pictures
    with (
        terminal.bar("learning", lines=True) as move,
        stop_gently(cancel, terminal, "the same command goes on from here"),
    ):
        chosen = _recipe(files, recipe, about)
        for note in chosen.notes:
            terminal.say(note)
        folder = train_styles(
            chosen.paintings, photos, out, options=options,
            start=start or chosen.start or BEST,
            restart=restart, on_progress=move, cancel=cancel,
        )  # fmt: skip
    if first:  # it alone has written it
        for each in [folder / one.name for one in chosen.paintings] if options.apart else [folder]:
            _say_learnt(each, terminal)
    end_if_cancelled(cancel)


def _any_base(others: Values) -> TrainAnyOptions:
    if others["start"] is None:
        return TrainAnyOptions()
    with needs("train"):
        from impasto.studio.training.start_any import find, options_of
    return options_of(find(others["start"], Path(others["out"]) / WORK, others["restart"]))


@with_options
def train_any(
    paintings: Annotated[Path, typer.Argument(help="A folder of pictures to learn styles from.")],
    photos: Annotated[Path, typer.Argument(help="A folder of photographs.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder, for --hypernetwork.")],
    *,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            help="What is learnt on from: a hypernetwork's folder, a checkpoint, or any: the one "
            "that came with impasto.",
        ),
    ] = None,
    restart: Restart = False,
    quiet: Quiet = False,
    options: Annotated[TrainAnyOptions, Taken(base=_any_base)],
) -> None:
    """Teach a hypernetwork to make a style of any painting at once (needs impasto[train]).

    It takes some thousand pictures of each kind, and hours on a processor. After Ctrl-C, or a kill,
    the same command goes on where it was.
    """
    with needs("train"):
        from impasto.studio.training.train_any import train_any as teach
    terminal, cancel = Terminal(quiet=quiet), CancelToken()
    with (
        terminal.bar("learning", lines=True) as move,
        stop_gently(cancel, terminal, "the same command goes on from here"),
    ):
        taught = teach(
            paintings, photos, out, options=options, start=start, restart=restart,
            on_progress=move, cancel=cancel,
        )  # fmt: skip
    told = f"  held-out paintings: {taught.held}" if taught.held else ""
    terminal.say(f"{taught.folder}  {taught.steps:,} steps{told}")
    terminal.say(f"Try: impasto stylize photo.jpg -s painting.jpg --hypernetwork {taught.folder}")
    end_if_cancelled(cancel)


def _say_learnt(folder: Path, terminal: Terminal) -> None:
    """Say where the style is, and how to paint with it."""
    *others, style = catalog.read(folder)
    terminal.say(f"{folder}")
    if style.card.training and (times := style.card.training.seconds_per_step):
        terminal.say(f"a step took {times.computed} s, with kept features {times.kept} s")
    mine = catalog.styles().get(style.name)
    if mine and mine.folder == folder:
        named = style.name
    elif others or len(folder.parts) == 1:  # a plain name would be one of the catalogue
        named = str(folder / style.name)
    else:
        named = str(folder)
    terminal.say(f"Try: impasto stylize photo.jpg -s {named}")


def _recipe(files: list[Path], recipe: Path | None, about: _About) -> Recipe:
    """Find out what to learn and where to begin, from the arguments or from a recipe."""
    if bool(files) == bool(recipe):
        raise OptionError(
            "paintings and a recipe do not go together" if recipe else "no painting was given",
            hint="impasto train PAINTING... PHOTOS -o NAME, or --recipe FILE PHOTOS -o NAME",
        )
    given = [f"--{name}" for name, text in about.items() if text]
    if given and len(files) != 1:
        raise OptionError(f"{given[0]} is of one painting", hint="use a recipe for several")
    with needs("train"):
        from impasto.studio.training.paintings import Painting, Recipe, read
    if recipe:
        return read(recipe)
    return Recipe([Painting(file, **about) for file in files], TrainOptions())

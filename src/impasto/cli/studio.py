"""The commands that need torch; each imports it only when it runs."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from impasto import catalog
from impasto.cli.flags import Json, Overwrite, Quiet, Restart, Taken, Threads, Values, with_options
from impasto.distribution import need
from impasto.errors import OptionError
from impasto.images.raster import Size
from impasto.options import NetworkOptions, OptimizeOptions, TrainOptions, WriteOptions
from impasto.progress import CancelToken, Progress
from impasto.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from impasto.images.picture import Picture
    from impasto.studio.optimization.optimize import Step
    from impasto.studio.training.paintings import Recipe


def _train_base(others: Values) -> TrainOptions:
    recipe, tier, start = others["recipe"], others["tier"], others["start"]
    options = studio_file("training.paintings").read(recipe).options if recipe else TrainOptions()
    if tier:
        return replace(options, network=studio_file("networks").preset(tier))
    if start and not recipe:
        return replace(options, network=network_of(start))
    return options


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
    str | None, typer.Option("--start", help="Style, or checkpoint of one, to learn on from.")
]


@with_options
def train(
    pictures: _Pictures,
    out: _StyleOut,
    *,
    recipe: _RecipeFile = None,
    tier: _Tier = None,  # noqa: ARG001 - it has become options
    title: Annotated[str | None, typer.Option(help="The artwork's title, for the card.")] = None,
    artist: Annotated[str | None, typer.Option(help="Its artist.")] = None,
    year: Annotated[str | None, typer.Option(help="Its year.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its licence, such as public domain.")] = None,
    start: _Start = None,
    restart: Restart = False,
    quiet: Quiet = False,
    options: Annotated[TrainOptions, Taken(base=_train_base)],
) -> None:
    """Learn styles from paintings (needs impasto[train]).

    Several paintings share one network, and can be blended. Stopped by Ctrl-C or worse,
    the same command goes on where it was.
    """
    train_styles = studio_file("training.train").train
    first = os.environ.get("RANK", "0") == "0"  # of the processes that a launcher started
    terminal, cancel = Terminal(quiet=quiet or not first), CancelToken()
    about = {"title": title, "artist": artist, "year": year, "licence": licence}
    *files, photos = pictures
    with (
        terminal.bar("learning", lines=True) as move,
        stop_gently(cancel, terminal, "the same command goes on from here"),
    ):
        chosen = _recipe(files, recipe, {k: v for k, v in about.items() if v})
        for note in chosen.notes:
            terminal.say(note)
        folder = train_styles(
            chosen.paintings, photos, out, options=options, start=start or chosen.start,
            restart=restart, on_progress=move, cancel=cancel,
        )  # fmt: skip
    _say_learnt(folder, terminal)


def _say_learnt(folder: Path, terminal: Terminal) -> None:
    """Where the style is, and how to paint with it."""
    style = catalog.read(folder)[-1]
    terminal.say(f"{folder}")
    if style.card.training and (times := style.card.training.seconds_per_step):
        terminal.say(f"a step took {times.computed} s, with kept features {times.kept} s")
    mine = catalog.styles().get(style.name)
    named = style.name if mine and mine.folder == folder else folder / style.name
    terminal.say(f"Try: impasto stylize photo.jpg -s {named}")


def _recipe(files: list[Path], recipe: Path | None, about: dict[str, str]) -> Recipe:
    """What is to be learnt and where that begins, from the arguments or from a recipe."""
    if bool(files) == bool(recipe):
        raise OptionError(
            "paintings and a recipe do not go together" if recipe else "no painting was given",
            hint="impasto train PAINTING... PHOTOS -o NAME, or --recipe FILE PHOTOS -o NAME",
        )
    if about and len(files) != 1:
        raise OptionError(
            f"--{next(iter(about))} is of one painting", hint="use a recipe for several"
        )
    studio = studio_file("training.paintings")
    if recipe:
        return studio.read(recipe)
    return studio.Recipe([studio.Painting(file, **about) for file in files], TrainOptions())


def networks(
    names: Annotated[list[str] | None, typer.Argument(help="Some of them; all by default.")] = None,
    size: Annotated[str, typer.Option(help="Width and height of the picture.")] = "1920x1080",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """List the transform networks, with size and speed here (needs impasto[train])."""
    wanted = names or list(studio_file("networks").NETWORKS)
    records, terminal = [], Terminal(as_json=as_json)
    with terminal.bar("measuring") as move:
        for record in studio_file("evaluation.complexity").measure(wanted, _size(size), threads):
            records.append(record)
            move(Progress(len(records), len(wanted)))
    if as_json:
        terminal.print_json(records)
        return
    rows = [
        (each["name"], f"{each['parameters']:,}", f"{each['gmac']:.1f}", f"{each['ms']:.0f}")
        for each in records
    ]
    terminal.table(("network", "parameters", f"GMAC at {size}", "ms here"), rows)


def _size(text: str) -> Size:
    """Height and width of what people write as 1920x1080."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= 16):
        raise OptionError(f"{text!r} is no size", hint="use --size 1920x1080, at least 16x16")
    return int(height), int(width)


def _preset(others: Values) -> OptimizeOptions:
    from impasto.studio.optimization.presets import preset

    return preset(others["preset"])


@with_options
def optimize(
    content: Annotated[Path, typer.Argument(help="The photograph.")],
    styles: Annotated[list[Path], typer.Argument(help="One or more style pictures.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The painting's file.")],
    *,
    preset: Annotated[  # noqa: ARG001 - it has become options
        str,
        typer.Option(
            help="Published set-up to begin with: impasto, gatys2015, gatys2016, johnson, "
            "pytorch-tutorial, neural-style."
        ),
    ] = "impasto",
    style_weights: Annotated[
        str | None, typer.Option(help="Parts of several styles, such as 0.7,0.3.")
    ] = None,
    mask: Annotated[
        list[Path] | None,
        typer.Option(help="Region of a style, white on black; once for each style."),
    ] = None,
    preview_every: Annotated[
        int, typer.Option(min=0, help="Write the picture so far after so many steps; 0 never.")
    ] = 0,
    log: Annotated[
        Path | None, typer.Option(help="Write each step's losses, as JSON lines.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the loss curves, as PNG.")] = None,
    write: WriteOptions,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    options: Annotated[OptimizeOptions, Taken(base=_preset)],
) -> None:
    """Paint by optimising the pixels: minutes, any style (needs impasto[train]).

    Ctrl-C saves the picture so far. The painting holds its recipe; impasto redo repeats it.
    """
    outputs = _Outputs(out, overwrite, write, preview_every, log, plot)
    weights = _numbers(style_weights) if style_weights else None
    _paint(outputs, Terminal(quiet=quiet), content, styles, options, weights, mask or [])


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise OptionError(f"{text!r} are no weights", hint="use numbers: 0.7,0.3") from error


def redo(
    painting: Annotated[Path, typer.Argument(help="A picture that impasto optimize wrote.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The new file.")] = None,
    device: Annotated[
        str | None, typer.Option(help="Another device than then: auto, cpu, cuda or mps.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Paint a picture again by the recipe that it holds (needs impasto[train])."""
    from impasto import images

    recipe = studio_file("optimization.recipe")
    record = recipe.read(images.read(painting))
    options = recipe.options(record)
    if device:
        options = replace(options, device=device)
    if init := recipe.init(record):
        options = replace(options, init=str(recipe.source(init, painting)))
    content = recipe.source(record["content"], painting)
    styles = [recipe.source(style, painting) for style in record["styles"]]
    masks = [recipe.source(mask, painting) for mask in record.get("masks", [])]
    outputs = _Outputs(out or painting.with_suffix(f".redo{painting.suffix}"), overwrite)
    weights = [style["weight"] for style in record["styles"]]
    _paint(outputs, Terminal(quiet=quiet), content, styles, options, weights, masks)


@dataclass(frozen=True)
class _Outputs:
    """What is written, and where."""

    out: Path
    overwrite: bool
    write: WriteOptions = WriteOptions()
    preview_every: int = 0
    log: Path | None = None
    plot: Path | None = None

    def require(self, inputs: Sequence[str | Path]) -> None:
        """Say before the work what would fail after it."""
        from impasto import atomic, paths

        paths.format_of(self.out)
        files = [path for path in (self.out, self.log, self.plot) if path]
        atomic.require_places(files, inputs, overwrite=self.overwrite)
        if self.plot:
            studio_file("loss_curves").require()

    def preview(self, step: Step) -> None:
        """Write the picture so far, now and then."""
        if self.preview_every and step.step % self.preview_every == 0:
            overwrite = step.step > self.preview_every or self.overwrite
            step.picture().save(self.out, overwrite=overwrite)

    def save(self, painted: Picture, losses: Sequence[Mapping[str, float]]) -> None:
        """Write the painting, and losses and curves if they are wanted."""
        from impasto import atomic

        overwrite = self.overwrite or bool(self.preview_every)
        painted.save(self.out, overwrite=overwrite, options=self.write)
        if self.log:
            lines = (json.dumps({"step": n, **each}) for n, each in enumerate(losses, 1))
            text = "".join(f"{line}\n" for line in lines)
            atomic.write(self.log, text.encode(), overwrite=True)
        if self.plot:
            curves = studio_file("loss_curves").png(losses, self.out.name)
            atomic.write(self.plot, curves, overwrite=True)


def _paint(
    outputs: _Outputs,
    terminal: Terminal,
    content: Path,
    styles: list[Path],
    options: OptimizeOptions,
    weights: list[float] | None,
    masks: list[Path],
) -> None:
    outputs.require([content, *styles, *masks, options.init])
    studio, cancel = studio_file("optimization.optimize"), CancelToken()
    losses: list[dict[str, float]] = []

    with (
        terminal.bar("painting", lines=True) as move,
        stop_gently(cancel, terminal, "saving the picture"),
    ):

        def on_step(step: Step) -> None:
            losses.append(dict(step.losses))
            shown = {name: value for name, value in step.losses.items() if " " not in name}
            move(Progress(step.step, step.total, shown))
            outputs.preview(step)

        painted = studio.optimize(
            content, styles, options=options, style_weights=weights, masks=masks,
            on_step=on_step, cancel=cancel,
        )  # fmt: skip
    outputs.save(painted, losses)
    terminal.say(f"{outputs.out}  {painted.width}x{painted.height}")
    for note in painted.notes:
        terminal.say(f"  {content}: {note}")
    if cancel.cancelled:
        raise typer.Exit(130)


def layers(
    network: Annotated[str, typer.Argument(help="A loss network, such as vgg19.")] = "vgg19",
    size: Annotated[int, typer.Option(min=32, help="Side of the picture in pixels.")] = 256,
    weights: Annotated[Path | None, typer.Option(help="File with its weights.")] = None,
    as_json: Json = False,
) -> None:
    """List a loss network's layers and their shapes (needs impasto[train])."""
    loaded = studio_file("perceptual.loading").load(network, weights=weights)
    shapes = studio_file("perceptual.backbone").shapes(loaded, size)
    terminal = Terminal(as_json=as_json)
    if as_json:
        terminal.print_json({name: list(shape) for name, shape in shapes.items()})
        return
    use = dict.fromkeys(loaded.content_layers, "content")
    for name in loaded.style_layers:
        use[name] = f"{use[name]}, style" if name in use else "style"
    rows = [(n, "x".join(map(str, shape)), use.get(n, "")) for n, shape in shapes.items()]
    terminal.table(("layer", "channels x height x width", "default for"), rows)


def network_of(start: str) -> NetworkOptions:
    """The shape of the network that a training shall begin with."""
    path = studio_file("training.checkpoints").find(start)
    network: NetworkOptions = studio_file("training.checkpoint_file").read(path).network
    return network


def studio_file(module: str) -> ModuleType:
    """A file of the studio.

    Raises:
        MissingExtraError: it needs a package that is not installed.
    """
    return need(f"impasto.studio.{module}", "train")


@contextmanager
def stop_gently(cancel: CancelToken, terminal: Terminal, what: str) -> Iterator[None]:
    """The first Ctrl-C asks the work to save and stop; the second one stops it."""

    def stop(*_: object) -> None:
        if cancel.cancelled:
            raise KeyboardInterrupt
        cancel.cancel()
        terminal.say(f"stopping after this step; {what}")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

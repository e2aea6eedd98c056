"""The command line: parse, call, format. What it prints is in :mod:`impasto.terminal`.

Exit codes: 0 all done; 1 at least one input failed; 2 usage; 3 cannot work here (missing
extra, style, device); 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from impasto import __version__, catalog, devices
from impasto.errors import ImpastoError, MissingExtraError, OptionError
from impasto.options import (
    NetworkOptions,
    ReadOptions,
    StylizeOptions,
    TrainOptions,
    WriteOptions,
    doc,
)
from impasto.progress import CancelToken, Progress
from impasto.terminal import Terminal, error_record

if TYPE_CHECKING:
    from impasto.batch import Result, Settings
    from impasto.catalog import Card, Style

app = typer.Typer(
    help="Paint photographs in the style of a picture.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try: impasto demo. Then: impasto stylize photo.jpg -s great-wave",
)
styles_app = typer.Typer(help="List the styles at hand, or show one.", invoke_without_command=True)
app.add_typer(styles_app, name="styles")


def _knob(options: type, name: str, *flags: str, **more: Any) -> Any:
    """A flag whose help comes from the option that it sets."""
    return typer.Option(*flags, help=doc(options, name), **more)


def _style_names(incomplete: str) -> list[str]:
    return [name for name in catalog.styles() if name.startswith(incomplete)]


_STYLE_HELP = "A style's name, or its folder. Give it again for several styles."
_Inputs = Annotated[
    list[str], typer.Argument(help="Pictures, folders, globs, or - for standard input.")
]
_Styles = Annotated[
    list[str], typer.Option("--style", "-s", help=_STYLE_HELP, autocompletion=_style_names)
]
_Out = Annotated[
    str | None, typer.Option("--out", "-o", help="File, folder, or - for standard output.")
]
_Strength = Annotated[float, _knob(StylizeOptions, "strength", "--strength")]
_KeepColors = Annotated[bool, _knob(StylizeOptions, "keep_colors", "--keep-colors")]
_Size = Annotated[int | None, _knob(StylizeOptions, "size", "--size")]
_Format = Annotated[
    str | None, typer.Option("--format", help="jpeg, png, webp, avif, tiff or bmp.")
]
_Quality = Annotated[int, _knob(WriteOptions, "quality", "--quality")]
_Strip = Annotated[bool, _knob(WriteOptions, "strip", "--strip")]
_MaxPixels = Annotated[int, _knob(ReadOptions, "max_pixels", "--max-pixels")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]
_Device = Annotated[str, typer.Option("--device", help=f"{', '.join(devices.DEVICES)}.")]
_Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="Threads; all allowed ones by default."),
]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
_Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"impasto {__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """Paint photographs in the style of a picture."""


@app.command()
def stylize(
    inputs: _Inputs,
    style: _Styles,
    out: _Out = None,
    strength: _Strength = StylizeOptions.strength,
    keep_colors: _KeepColors = StylizeOptions.keep_colors,
    size: _Size = StylizeOptions.size,
    format: _Format = None,
    quality: _Quality = WriteOptions.quality,
    strip: _Strip = WriteOptions.strip,
    overwrite: _Overwrite = False,
    device: _Device = "auto",
    threads: _Threads = None,
    max_pixels: _MaxPixels = ReadOptions.max_pixels,
    quiet: _Quiet = False,
    verbose: _Verbose = False,
    as_json: _Json = False,
) -> None:
    """Paint photographs in one or more styles.

    photo.jpg becomes photo.great-wave.jpg beside it, or in the folder that -o names; a
    folder's tree is mirrored there. A file that fails does not stop the others.
    """
    from impasto import batch, files

    terminal = Terminal(quiet=quiet, verbose=verbose, as_json=as_json)
    chosen = {found.name: found for found in map(catalog.find, style)}
    settings = batch.Settings(
        StylizeOptions(strength, keep_colors, size),
        ReadOptions(max_pixels=max_pixels),
        WriteOptions(quality, strip),
        device=devices.valid(device),
        threads=threads,
        overwrite=overwrite,
    )
    if "-" in inputs or out == "-":
        _pipe(inputs, list(chosen.values()), out, format, settings)
        return
    plan = files.plan(files.find(inputs), list(chosen), out, format=format)
    _run(batch.run(plan, chosen, settings), len(plan), terminal)


def _run(results: Iterator[Result], total: int, terminal: Terminal) -> None:
    """Print each result as it comes; end with the exit code that the whole batch earned."""
    counts = {"done": 0, "skipped": 0, "error": 0}
    with terminal.bar("painting") as move:
        for number, result in enumerate(results, 1):
            terminal.result(result)
            counts[result.status] += 1
            move(Progress(number, total))
    if total > 1:
        terminal.say(
            f"{counts['done']} done, {counts['skipped']} skipped, {counts['error']} failed"
        )
    alone = total == 1 and counts["skipped"]
    if counts["error"] or alone:
        raise typer.Exit(1)


def _pipe(
    inputs: list[str], styles: list[Style], out: str | None, format: str | None, settings: Settings
) -> None:
    """One picture from standard input, to standard output, or both."""
    from impasto import codecs, files
    from impasto.stylizer import Stylizer

    if len(inputs) > 1 or len(styles) > 1:
        raise OptionError("- takes one picture and one style")
    target = None if out in (None, "-") else Path(str(out))
    if target is None and sys.stdout.isatty():
        raise OptionError(
            "a picture cannot be shown in a terminal", hint="redirect it, or name a file with -o"
        )
    source: Any = sys.stdin.buffer if inputs[0] == "-" else inputs[0]
    photo = codecs.read(source, settings.read)
    stylizer = Stylizer(styles[0], device=settings.device, threads=settings.threads)
    painting = stylizer(photo, **asdict(settings.stylize))
    kind = format or (codecs.format_of(target) if target else photo.format)
    data = codecs.encode(painting, kind or "PNG", settings.write)
    if target:
        files.write(target, data, overwrite=settings.overwrite)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@styles_app.callback()
def styles(context: typer.Context, as_json: _Json = False) -> None:
    """List the styles at hand."""
    if context.invoked_subcommand:
        return
    terminal, found = Terminal(as_json=as_json), catalog.styles().values()
    if as_json:
        terminal.print_json([style_record(style) for style in found])
        return
    header = ("name", "artwork", "artist", "year", "size")
    terminal.table(header, (_style_row(style.card) for style in found))


def _style_row(card: Card) -> tuple[str, ...]:
    art = card.artwork
    return card.name, art.title, art.artist, art.year, f"{card.bytes / 1e6:.1f} MB"


def style_record(style: Style) -> dict[str, Any]:
    """What programs are told of a style: its card, and where it is."""
    return {**style.card.details, "folder": str(style.folder)}


@styles_app.command("show")
def show(
    name: Annotated[str, typer.Argument(help=_STYLE_HELP, autocompletion=_style_names)],
    as_json: _Json = False,
) -> None:
    """Show a style's card: the artwork, its licence, how it was learnt."""
    style, terminal = catalog.find(name), Terminal(as_json=as_json)
    style.model()  # a damaged style should not look sound
    if as_json:
        terminal.print_json(style_record(style))
        return
    rows = [(key, str(value)) for key, value in _flat(style_record(style))]
    terminal.table(("", style.card.title), rows)


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield f"{prefix}{key}".replace("_", " "), value


@app.command()
def sheet(
    photo: Annotated[str, typer.Argument(help="A picture.")],
    style: Annotated[
        list[str] | None,
        typer.Option("--style", "-s", help=_STYLE_HELP, autocompletion=_style_names),
    ] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", help="File to write.")] = None,
    cell: Annotated[
        int, typer.Option("--cell", min=64, max=4096, help="Long side of each picture in pixels.")
    ] = 480,
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Paint one photograph in all styles, on one labelled sheet."""
    from impasto import sheets

    terminal = Terminal(quiet=quiet)
    target = Path(out) if out else Path(photo).with_suffix(".sheet.jpg")
    with terminal.bar("painting") as move:
        made = sheets.sheet(photo, style, cell=cell, on_progress=move)
    terminal.say(f"{made.save(target, overwrite=overwrite)}  {made.width}x{made.height}")


_DEMO = Path("impasto-demo")


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path(
        "impasto-demo"
    ),
    overwrite: _Overwrite = False,
) -> None:
    """Paint a bundled photograph in every bundled style, and say where."""
    from impasto import assets, batch, files, sheets

    terminal = Terminal()
    chosen = catalog.bundled()
    photo = assets.demo_photo()
    plan = files.plan(files.find([photo]), list(chosen), f"{out}/")
    settings = batch.Settings(overwrite=overwrite)
    _run(batch.run(plan, chosen, settings), len(plan), terminal)
    made = sheets.sheet(photo, [*chosen.values()])
    path = made.save(out / "sheet.jpg", overwrite=overwrite)
    terminal.say(f"All of them side by side: {path.resolve()}")
    terminal.say("Now your own: impasto stylize photo.jpg -s great-wave")


@app.command()
def doctor(as_json: _Json = False) -> None:
    """Say what is installed, which devices really work, and where styles live."""
    from impasto import doctor as checks

    terminal, report = Terminal(as_json=as_json), checks.report()
    if as_json:
        terminal.print_json(report)
    else:
        terminal.table(("", f"impasto {__version__}"), [(k, str(v)) for k, v in _flat(report)])


def _train_knob(name: str) -> Any:
    return _knob(TrainOptions, name, f"--{name.replace('_', '-')}")


def _net_knob(name: str) -> Any:
    return _knob(NetworkOptions, name, f"--{name.replace('_', '-')}")


@app.command()
def train(
    painting: Annotated[Path, typer.Argument(help="The picture whose style is learnt.")],
    photos: Annotated[Path, typer.Argument(help="A folder of photographs, a few hundred or more.")],
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", help="The style's name, or a folder whose last part is its name."
        ),
    ],
    title: Annotated[str | None, typer.Option(help="The artwork's title, for the card.")] = None,
    artist: Annotated[str | None, typer.Option(help="Its artist.")] = None,
    year: Annotated[str | None, typer.Option(help="Its year.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its licence, such as public domain.")] = None,
    steps: Annotated[int, _train_knob("steps")] = TrainOptions.steps,
    batch: Annotated[int, _train_knob("batch")] = TrainOptions.batch,
    crop: Annotated[int, _train_knob("crop")] = TrainOptions.crop,
    style_size: Annotated[int, _train_knob("style_size")] = TrainOptions.style_size,
    content_weight: Annotated[float, _train_knob("content_weight")] = TrainOptions.content_weight,
    style_weight: Annotated[float, _train_knob("style_weight")] = TrainOptions.style_weight,
    tv_weight: Annotated[float, _train_knob("tv_weight")] = TrainOptions.tv_weight,
    learning_rate: Annotated[float, _train_knob("learning_rate")] = TrainOptions.learning_rate,
    seed: Annotated[int, _train_knob("seed")] = TrainOptions.seed,
    save_every: Annotated[int, _train_knob("save_every")] = TrainOptions.save_every,
    content_layer: Annotated[str, _train_knob("content_layer")] = TrainOptions.content_layer,
    style_layers: Annotated[str, _train_knob("style_layers")] = ",".join(TrainOptions.style_layers),
    width: Annotated[int, _net_knob("width")] = NetworkOptions.width,
    shape_blocks: Annotated[int, _net_knob("shape_blocks")] = NetworkOptions.shape_blocks,
    stroke_blocks: Annotated[int, _net_knob("stroke_blocks")] = NetworkOptions.stroke_blocks,
    start: Annotated[
        Path | None,
        typer.Option("--start", help="Checkpoint of another style to learn on from."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where a stopped training would go on.")
    ] = False,
    quiet: _Quiet = False,
) -> None:
    """Learn a style from one painting (needs impasto[train]).

    Stopped by Ctrl-C or worse, the same command goes on where it was.
    """
    train_style = _studio_train()
    terminal, cancel = Terminal(quiet=quiet), CancelToken()
    options = TrainOptions(
        steps, batch, crop, style_size, content_weight, style_weight, tv_weight, learning_rate,
        seed, save_every, content_layer, tuple(style_layers.split(",")),
        NetworkOptions(width, shape_blocks, stroke_blocks),
    )  # fmt: skip
    card = {"title": title, "artist": artist, "year": year, "licence": licence}
    with terminal.bar("learning") as move, _stop_gently(cancel, terminal):
        folder = train_style(
            painting, photos, out, options=options, card=card, start=start, restart=restart,
            on_progress=move, cancel=cancel,
        )  # fmt: skip
    terminal.say(f"{folder}\nTry: impasto stylize photo.jpg -s {out}")


def _studio_train() -> Any:
    try:
        from impasto.studio.train import train as train_style
    except ModuleNotFoundError as error:
        raise MissingExtraError("train", f"training (it needs {error.name})") from error
    return train_style


@contextmanager
def _stop_gently(cancel: CancelToken, terminal: Terminal) -> Iterator[None]:
    """The first Ctrl-C asks the training to save and stop; the second one stops it."""

    def stop(*_: object) -> None:
        if cancel.cancelled:
            raise KeyboardInterrupt
        cancel.cancel()
        terminal.say("stopping after this step; the same command goes on from here")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def main() -> NoReturn:
    """Run the command line; every error becomes a sentence and an exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except ImpastoError as error:
        Terminal().error(error)
        if "--json" in sys.argv:
            Terminal().print_json({"error": error_record(error)})
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)

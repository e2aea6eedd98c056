"""The commands that paint: ``stylize``, ``sheet``, ``demo``; and ``doctor``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from impasto import catalog, distribution
from impasto.cli.flags import (
    STYLE_HELP,
    Device,
    Format,
    Inputs,
    Json,
    Out,
    Overwrite,
    Quiet,
    Styles,
    Taken,
    Threads,
    Verbose,
    style_names,
    with_options,
)
from impasto.cli.masking import Masks, looks, owners, without_masks
from impasto.cli.studio import polished, stop_gently
from impasto.cli.terminal import Terminal
from impasto.cli.words import offer_styles
from impasto.errors import OptionError, OutputError, reason
from impasto.inference import devices
from impasto.options import PolishOptions, ReadOptions, StyleOptions, StylizeOptions, WriteOptions
from impasto.progress import CancelToken, Progress

_FRAME = 4_000_000
"""Bytes of frames and masks from which their memory goes back to the system at once."""

if TYPE_CHECKING:
    from impasto.catalog import Style
    from impasto.files.naming import Task
    from impasto.images.raster import File
    from impasto.stylization.layers import Styles as Look
    from impasto.stylization.results import Settings


@with_options
def stylize(
    inputs: Inputs = None,
    style: Styles = None,
    mask: Masks = None,
    *,
    context: typer.Context,
    out: Out = None,
    options: StylizeOptions,
    painting: StyleOptions,
    polish: PolishOptions,
    format: Format = None,
    write: WriteOptions,
    overwrite: Overwrite = False,
    device: Device = "auto",
    threads: Threads = None,
    read: Annotated[ReadOptions, Taken(only=("max_pixels",))],
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Share the files out over this Ray cluster: HOST:PORT, auto, or local.",
        ),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Paint photographs and films in one or more styles, which may be paintings of your own.

    -s painting.jpg takes any picture as a style, at once. --polish 60s learns on for a minute
    first. photo.jpg becomes photo.great-wave.jpg beside it, or in the folder that -o names.
    A folder's tree is mirrored there, and earlier results are left alone. A file that fails does
    not stop the others. --mask sky.png paints only what is white in that picture. Films (needs
    impasto[video]) keep sound and timing; one that was stopped goes on with the same command.
    """
    from impasto.files import lookup, naming
    from impasto.stylization import results

    terminal = Terminal(quiet=quiet, verbose=verbose, as_json=as_json)
    if not inputs:
        raise OptionError("no picture was given", hint="impasto stylize photo.jpg -s great-wave")
    if not style:
        offer_styles(terminal, inputs)
        raise catalog.none_given(inputs)
    if mask:  # a mask may be as large as the photograph, and is kept small
        devices.give_memory_back(_FRAME)
    styles = _styles(style, painting, polish, terminal, inputs)
    chosen = _by_name(looks(styles, mask or (), owners(context), read))
    settings = results.Settings(
        options, read, write,
        device=devices.valid(device), threads=devices.valid_threads(threads), overwrite=overwrite,
    )  # fmt: skip
    if "-" in inputs or out == "-":
        if as_json:
            raise OptionError(
                "--json reports on files, and - is none", hint="leave one of them out"
            )
        _pipe(inputs, list(chosen.values()), out, format, settings, terminal)
        return
    found = lookup.survey(inputs)
    files = without_masks(found.files, mask or ())
    tasks = naming.plan(files, list(chosen), out, format=format, known=catalog.styles())
    lone = len(files) == 1 and files[0].named
    _run(tasks, chosen, settings, terminal, ray=ray, lone=lone, left_out=found.left_out)


def _styles(
    names: Sequence[str],
    options: StyleOptions,
    polish: PolishOptions,
    terminal: Terminal,
    inputs: Sequence[str],
) -> Iterator[Style]:
    """Find each style; polish paintings if that is wanted, with the pictures to be painted."""
    from impasto.files import kinds, lookup

    for name in names:
        style = catalog.find(name, options)
        if not polish.polish or style.network is None:
            yield style
            continue
        files = [each.path for each in lookup.survey(inputs).files] if "-" not in inputs else []
        more = [path for path in files if path.suffix.lower() in kinds.PICTURES]
        with TemporaryDirectory() as folder:
            result = polished(name, Path(folder), options, polish, terminal, more=more)
        yield result.style


def _by_name(styles: Iterable[Look]) -> dict[str, Look]:
    named: dict[str, Look] = {}
    for style in styles:
        if named.setdefault(style.name, style) != style:
            raise OptionError(
                f"two styles are called {style.name}, so their results would have one name",
                hint="paint them in two runs, each with -o",
            )
    return named


def _run(
    tasks: Sequence[Task],
    styles: Mapping[str, Look],
    settings: Settings,
    terminal: Terminal,
    *,
    ray: str | None = None,
    lone: bool = False,
    left_out: Sequence[Path] = (),
) -> None:
    """Print each result as it comes; end with the exit code of the whole batch.

    A ``lone`` file is one that the user named itself. It is a failure where its result is there
    already. In the end comes a report of what was ``left_out`` of folders.
    """
    from impasto.files import atomic
    from impasto.stylization import batch

    counts = {"done": 0, "skipped": 0, "error": 0}
    cancel = CancelToken()
    gently: AbstractContextManager[None] = nullcontext()
    if any(task.is_film for task in tasks):
        gently = stop_gently(cancel, terminal, "what is painted is kept")
        devices.give_memory_back(_FRAME)
    with gently, terminal.bar("painting") as move:
        if ray:
            from impasto.stylization import ray_cluster

            results = ray_cluster.run(tasks, styles, settings, address=ray, cancel=cancel)
        else:
            results = batch.run(tasks, styles, settings, on_progress=move, cancel=cancel)
        for number, result in enumerate(results, 1):
            terminal.result(result)
            counts[result.status] += 1
            move(Progress(number, len(tasks)))
    if len(tasks) > 1:
        terminal.say(
            f"{counts['done']} done, {counts['skipped']} skipped, {counts['error']} failed"
        )
    terminal.left_out(left_out)
    if cancel.cancelled:
        raise typer.Exit(130)
    alone = lone and len(tasks) == 1 and counts["skipped"]
    if alone and terminal.quiet:  # nothing else has said why the exit code is 1
        terminal.error(atomic.there_already(tasks[0].output))
    if counts["error"] or alone:
        raise typer.Exit(1)


def _pipe(
    inputs: list[str],
    styles: list[Look],
    out: str | None,
    format: str | None,
    settings: Settings,
    terminal: Terminal,
) -> None:
    """Paint one picture from standard input, to standard output, or both."""
    from impasto import images
    from impasto.files import atomic, kinds
    from impasto.stylization.layers import painter

    if len(inputs) > 1 or len(styles) > 1:
        raise OptionError("- takes one picture and one style")
    target = None if out in (None, "-") else Path(str(out))
    wanted = None if format is None else kinds.valid_format(format)
    if (inputs[0] == "-" and sys.stdin is None) or (target is None and sys.stdout is None):
        raise OptionError("- is standard input or output, and that is closed")
    if target is None and sys.stdout.isatty():
        raise OptionError(
            "a picture cannot be shown in a terminal", hint="redirect it, or name a file with -o"
        )
    source: File = sys.stdin.buffer if inputs[0] == "-" else inputs[0]
    photo = images.read(source, settings.read)
    stylizer = painter(styles[0], device=settings.device, threads=settings.threads)
    painting = stylizer.painted(photo, settings.stylize)
    for note in painting.notes:
        terminal.say(f"  {inputs[0]}: {note}")
    own = photo.format if photo.format and photo.format != "GIF" else "PNG"
    kind = kinds.format_of(target) if target else wanted or own
    data = images.encode(painting, kind, settings.write)
    if target:
        atomic.write(target, data, overwrite=settings.overwrite)
    else:
        _put(data)


def _put(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {reason(error)}") from error


def sheet(
    photo: Annotated[str, typer.Argument(help="A picture.")],
    style: Annotated[
        list[str] | None,
        typer.Option("--style", "-s", help=STYLE_HELP, autocompletion=style_names),
    ] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", help="File to write.")] = None,
    cell: Annotated[
        int, typer.Option("--cell", min=64, max=4096, help="Long side of each picture in pixels.")
    ] = 480,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Paint one photograph in all styles, on one labelled sheet."""
    from impasto import images
    from impasto.files import atomic
    from impasto.stylization import contact_sheet

    terminal = Terminal(quiet=quiet)
    picture = images.read(photo)
    target = Path(out) if out else Path(photo).with_suffix(".sheet.jpg")
    atomic.require_places([target], [photo], overwrite=overwrite)
    with terminal.bar("painting") as move:
        painted = contact_sheet.sheet(picture, style, cell=cell, on_progress=move)
    terminal.say(f"{painted.save(target, overwrite=overwrite)}  {painted.width}x{painted.height}")


_DEMO = Path("impasto-demo")


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = _DEMO,
    overwrite: Overwrite = False,
) -> None:
    """Paint a bundled photograph in every bundled style, and say where.

    The photograph lies beside its paintings.
    """
    from impasto import assets
    from impasto.files import atomic, lookup, naming
    from impasto.stylization import contact_sheet, results

    terminal = Terminal()
    chosen = catalog.looks(catalog.bundled())
    photo, side_by_side = assets.demo_photo(), out / "sheet.jpg"
    atomic.require_places([side_by_side], [photo], overwrite=overwrite)
    tasks = naming.plan(lookup.find([photo]), list(chosen), f"{out}/")
    settings = results.Settings(overwrite=overwrite)
    _run(tasks, chosen, settings, terminal)
    painted = contact_sheet.sheet(photo, [*chosen.values()])
    path = painted.save(side_by_side, overwrite=overwrite)
    if overwrite or not (out / photo.name).exists():
        atomic.write(out / photo.name, photo.read_bytes(), overwrite=True)
    terminal.say(f"All of them side by side: {path.resolve()}")
    terminal.say("Now your own: impasto stylize photo.jpg -s great-wave")


def doctor(
    bench: Annotated[
        bool, typer.Option("--bench", help="Measure the devices; auto then takes the fastest.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what is installed, which devices really work, and where styles live."""
    from impasto import doctor as checks

    if bench:
        Terminal(as_json=as_json).details("milliseconds at 1280x720", {"devices": checks.bench()})
        return
    Terminal(as_json=as_json).details(f"impasto {distribution.described()}", checks.report())

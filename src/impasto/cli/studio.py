"""Code that the learning commands share, and the commands that list networks.

torch is imported only when one of them needs it.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from impasto.cli.flags import Json, Threads
from impasto.cli.terminal import Terminal
from impasto.distribution import needs
from impasto.errors import OptionError
from impasto.images.raster import Size
from impasto.options import NetworkOptions, PolishOptions, ReadOptions, StyleOptions
from impasto.progress import CancelToken, Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from impasto.polishing import Polished


def networks(
    names: Annotated[list[str] | None, typer.Argument(help="Some of them; all by default.")] = None,
    size: Annotated[str, typer.Option(help="Width and height of the picture.")] = "1920x1080",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """List the transform networks, with size and speed here (needs impasto[train])."""
    with needs("train"):
        from impasto.studio.evaluation.complexity import measure
        from impasto.studio.networks import NETWORKS
    wanted = names or list(NETWORKS)
    records, terminal = [], Terminal(as_json=as_json)
    with terminal.bar("measuring") as move:
        for record in measure(wanted, _size(size), threads):
            records.append(record)
            move(Progress(len(records), len(wanted)))
    if as_json:
        terminal.print_json([each._asdict() for each in records])
        return
    rows = [
        (each.name, f"{each.parameters:,}", f"{each.gmac:.1f}", f"{each.ms:.0f}")
        for each in records
    ]
    terminal.table(("network", "parameters", f"GMAC at {size}", "ms here"), rows)


_SIZE = re.compile(r"\s*([0-9]{1,6})\s*[xX]\s*([0-9]{1,6})\s*")


def _size(text: str) -> Size:
    """Parse 1920x1080 into height and width."""
    sides = _SIZE.fullmatch(text)
    height, width = (int(sides[2]), int(sides[1])) if sides else (0, 0)
    if not 16 <= min(height, width) <= max(height, width) <= ReadOptions.max_side:
        raise OptionError(
            f"{text[:40]!r} is no size",
            hint=f"use --size 1920x1080, from 16 to {ReadOptions.max_side} pixels",
        )
    return height, width


def layers(
    network: Annotated[str, typer.Argument(help="A loss network, such as vgg19.")] = "vgg19",
    size: Annotated[
        int, typer.Option(min=32, max=ReadOptions.max_side, help="Side of the picture in pixels.")
    ] = 256,
    weights: Annotated[Path | None, typer.Option(help="File with its weights.")] = None,
    as_json: Json = False,
) -> None:
    """List a loss network's layers and their shapes (needs impasto[train])."""
    with needs("train"):
        from impasto.studio.perceptual.backbone import shapes as shapes_of
        from impasto.studio.perceptual.loading import load
    loaded = load(network, weights=weights)
    shapes = shapes_of(loaded, size)
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
    """Return the shape of the network that a training begins with."""
    with needs("train"):
        from impasto.studio.training import checkpoint_file, checkpoints
    return checkpoint_file.read(checkpoints.find(start)).network


def polished(
    painting: str,
    folder: Path,
    style: StyleOptions,
    options: PolishOptions,
    terminal: Terminal,
    *,
    more: Sequence[Path] = (),
    restart: bool = False,
) -> Polished:
    """Polish a painting's style, and report the result."""
    from impasto.polishing import polish

    cancel = CancelToken()
    with (
        terminal.bar("learning") as move,
        stop_gently(cancel, terminal, "the best so far is kept"),
    ):
        result = polish(
            painting, folder, options, style=style, more=more, restart=restart,
            on_progress=move, cancel=cancel,
        )  # fmt: skip
    if result.before is not None:
        terminal.say(
            f"{result.style.name}: loss {result.before:.2f} at once, {result.after:.2f} "
            f"after {result.steps} steps"
        )
    return result


@contextmanager
def stop_gently(cancel: CancelToken, terminal: Terminal, what: str) -> Iterator[None]:
    """Let the first Ctrl-C ask the work to save and stop; let the second one stop it."""

    def stop(number: int, frame: FrameType | None) -> None:
        if cancel.cancelled:
            if callable(before):
                before(number, frame)
            raise KeyboardInterrupt
        cancel.cancel()
        terminal.say(f"stopping after this step; {what}")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_if_cancelled(cancel: CancelToken) -> None:
    """End like an interrupted command, even if Ctrl-C came when nearly all was done."""
    if cancel.cancelled:
        raise typer.Exit(130)

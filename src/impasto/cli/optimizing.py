"""The commands that paint by optimising the pixels: optimize, and redo."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from impasto.cli.flags import Overwrite, Quiet, Taken, Values, with_options
from impasto.cli.studio import end_if_cancelled, stop_gently
from impasto.cli.terminal import Terminal
from impasto.distribution import needs
from impasto.errors import OptionError
from impasto.options import OptimizeOptions, WriteOptions
from impasto.progress import CancelToken, Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from impasto.images.picture import Picture
    from impasto.studio.optimization.optimize import Step


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
        raise OptionError(
            f"{text!r} is not a list of weights", hint="use numbers: 0.7,0.3"
        ) from error


def redo(
    painting: Annotated[Path, typer.Argument(help="A picture that impasto optimize wrote.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The new file.")] = None,
    device: Annotated[
        str | None, typer.Option(help="Another device than then: auto, cpu, cuda or mps.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Paint a picture again from the recipe that it holds (needs impasto[train])."""
    from impasto import images

    with needs("train"):
        from impasto.studio.optimization import recipe
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
    """The files that are written, and their places."""

    out: Path
    overwrite: bool
    write: WriteOptions = WriteOptions()
    preview_every: int = 0
    log: Path | None = None
    plot: Path | None = None

    def require(self, inputs: Sequence[str | Path]) -> None:
        """Check, before the work, what would fail after it."""
        from impasto.files import atomic, kinds

        kinds.format_of(self.out)
        files = [path for path in (self.out, self.log, self.plot) if path]
        atomic.require_places(files, inputs, overwrite=self.overwrite)
        if self.plot:
            with needs("train"):
                from impasto.studio import loss_curves
            loss_curves.require()

    def preview(self, step: Step) -> None:
        """Write the picture so far, now and then."""
        if self.preview_every and step.step % self.preview_every == 0:
            overwrite = step.step > self.preview_every or self.overwrite
            step.picture().save(self.out, overwrite=overwrite)

    def save(self, painted: Picture, losses: Sequence[Mapping[str, float]]) -> None:
        """Write the painting; also losses and curves if they are wanted."""
        from impasto.files import atomic

        overwrite = self.overwrite or bool(self.preview_every)
        painted.save(self.out, overwrite=overwrite, options=self.write)
        if self.log:
            lines = (json.dumps({"step": n, **each}) for n, each in enumerate(losses, 1))
            text = "".join(f"{line}\n" for line in lines)
            atomic.write(self.log, text.encode(), overwrite=True)
        if self.plot:
            from impasto.studio import loss_curves

            atomic.write(self.plot, loss_curves.png(losses, self.out.name), overwrite=True)


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
    with needs("train"):
        from impasto.studio.optimization import optimize as studio
    cancel = CancelToken()
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
    end_if_cancelled(cancel)

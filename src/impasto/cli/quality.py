"""The commands that measure a trained style, and make smaller ones of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from impasto.cli.flags import (
    Json,
    Overwrite,
    Quiet,
    Restart,
    Taken,
    Values,
    style_names,
    with_options,
)
from impasto.cli.studio import end_if_cancelled, network_of, stop_gently
from impasto.cli.terminal import Terminal
from impasto.distribution import needs
from impasto.errors import OptionError
from impasto.options import (
    DistillOptions,
    EvaluateOptions,
    PolishOptions,
    QuantizeOptions,
    StyleOptions,
)
from impasto.progress import CancelToken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from impasto.catalog import Style
    from impasto.studio.evaluation.any_painting import AnyEvaluation
    from impasto.studio.evaluation.evaluate import Evaluation

_Style = Annotated[
    str, typer.Argument(help="A style's name, or its folder.", autocompletion=style_names)
]
_Out = Annotated[
    str, typer.Option("--out", "-o", help="The new style's name, or a folder that ends in it.")
]


def _distill_base(others: Values) -> DistillOptions:
    if others["tier"]:
        with needs("train"):
            from impasto.studio.networks import preset
        return DistillOptions(network=preset(others["tier"]))
    if others["start"]:
        return DistillOptions(network=network_of(others["start"]))
    return DistillOptions()


@with_options
def distill(
    style: _Style,
    photos: Annotated[Path, typer.Argument(help="A folder of photographs to learn with.")],
    out: _Out,
    *,
    tier: Annotated[  # noqa: ARG001 - it has become options
        str | None,
        typer.Option(help="Network (see impasto networks). By default that of --start, or tiny."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            help="Style of such a network, or checkpoint, to learn on from; "
            "by default that of the bundled tiny styles.",
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title for its card.")] = None,
    overwrite: Overwrite = False,
    restart: Restart = False,
    quiet: Quiet = False,
    options: Annotated[DistillOptions, Taken(base=_distill_base)],
) -> None:
    """Teach a tiny network to paint as a style does, in minutes (needs impasto[train]).

    It paints several times as fast: for films, cameras and phones. After Ctrl-C, or a kill, the
    same command goes on where it was.
    """
    with needs("train"):
        from impasto.studio.training.distill import distill as teach
    terminal, cancel = Terminal(quiet=quiet), CancelToken()
    with (
        terminal.bar("learning", lines=True) as move,
        stop_gently(cancel, terminal, "the same command goes on from here"),
    ):
        distilled = teach(
            style, photos, out, options=options, start=start, title=title or "",
            overwrite=overwrite, restart=restart, on_progress=move, cancel=cancel,
        )  # fmt: skip
    terminal.say(
        f"{distilled.folder}  {distilled.parameters:,} parameters, "
        f"{distilled.levels:.1f} levels from {style}"
    )
    end_if_cancelled(cancel)


@with_options
def quantize(
    style: _Style,
    photos: Annotated[Path, typer.Argument(help="A folder of photographs to measure ranges on.")],
    out: _Out,
    *,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    options: QuantizeOptions,
) -> None:
    """Make a style of 8 bits from one of floats (needs impasto[train]).

    It is a half to two thirds as large. The command says whether it is faster, which depends on the
    computer. It refuses a style that paints visibly differently in 8 bits.
    """
    with needs("train"):
        from impasto.studio.export.quantize import quantize as in_8_bits
    terminal = Terminal(quiet=quiet)
    with terminal.bar("quantising", lines=True) as move:
        quantized = in_8_bits(
            style, photos, out, options=options, overwrite=overwrite, on_progress=move
        )
    difference = quantized.difference
    terminal.say(
        f"{quantized.folder}  {difference.levels:.2f} levels off (PSNR {difference.psnr:.1f} dB), "
        f"{quantized.size:.0%} of the bytes, {quantized.speed:.2f} times as fast here"
    )
    if quantized.kept:
        terminal.say(f"  in floats still: {', '.join(quantized.kept)}")
    if quantized.speed < 1:
        terminal.say(f"  on this computer {style} is the faster one")


@with_options
def evaluate(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="STYLE PAINTING PHOTOS",
            help="A style, the picture that it was learnt from, and a folder of photographs that "
            "it was not learnt from. With --any: a folder of paintings, and the photographs.",
        ),
    ],
    *,
    any_painting: Annotated[
        bool, typer.Option("--any", help="Measure the styles that are made of paintings at once.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    options: EvaluateOptions,
    made: Annotated[StyleOptions, Taken(only=("boldness", "style_size", "hypernetwork"))],
) -> None:
    """Measure how good a trained style is, beside the optimiser (needs impasto[train]).

    A photograph takes minutes; --iterations 50 is a quick look. --any measures the styles of
    paintings at once and after a polish.
    """
    terminal = Terminal(quiet=quiet, as_json=as_json)
    if any_painting:
        _evaluate_any(what, terminal, options, made)
        return
    if len(what) != 3:
        raise OptionError(
            f"it takes a style, a painting and a folder of photographs, not {len(what)} names",
            hint="impasto evaluate STYLE PAINTING PHOTOS, or evaluate --any PAINTINGS PHOTOS",
        )
    with needs("train"):
        from impasto.studio.evaluation.evaluate import evaluate as measure
    with terminal.bar("measuring", lines=True) as move:
        evaluation = measure(
            what[0], Path(what[1]), Path(what[2]), options=options, on_progress=move
        )
    if as_json:
        terminal.print_json(evaluation.record())
        return
    _show(terminal, evaluation)


def _evaluate_any(
    what: Sequence[str], terminal: Terminal, options: EvaluateOptions, made: StyleOptions
) -> None:
    """Measure each painting in a folder."""
    if len(what) != 2:
        raise OptionError(
            f"it takes a folder of paintings and one of photographs, not {len(what)} names",
            hint="impasto evaluate --any PAINTINGS PHOTOS",
        )
    with needs("train"):
        from impasto.studio.evaluation.any_painting import evaluate_any
    paintings, photos = what

    def learnt_on(painting: Path, work: Path, amount: str) -> Style:
        from impasto.polishing import polish

        return polish(painting, work, PolishOptions(polish=amount), style=made).style

    with terminal.bar("measuring", lines=True) as move:
        evaluation = evaluate_any(
            paintings, photos, learnt_on, options=options, style=made, on_progress=move
        )
    if terminal.as_json:
        terminal.print_json(evaluation.record())
        return
    _show_any(terminal, evaluation)


def _show_any(terminal: Terminal, evaluation: AnyEvaluation) -> None:
    means = evaluation.means()
    rows = [
        (name, *(f"{scores['style']:.3f}" for scores in each.values()))
        for name, each in evaluation.paintings.items()
    ]
    terminal.table(("style loss", *means), rows)
    names = next(iter(means.values()))
    terminal.table(
        (f"mean of {len(rows)}", *means),
        [(name, *(f"{scores[name]:.3f}" for scores in means.values())) for name in names],
    )


def _show(terminal: Terminal, evaluation: Evaluation) -> None:
    means, many = evaluation.means(), len(evaluation.photos)
    first = next(iter(means.values()))
    rows = [(name, *(f"{each[name]:.4g}" for each in means.values())) for name in first]
    terminal.table((f"mean of {many}", *means), rows)
    low, median, high = (_count(n, evaluation.options.iterations) for n in evaluation.iterations())
    terminal.table(
        ("", evaluation.style),
        [
            (f"as good as iterations of L-BFGS from {evaluation.options.init}, median", median),
            ("lower and upper quartile", f"{low}, {high}"),
            ("change of the painting over a noise's", f"{evaluation.flicker:.2f}"),
            *_specks(evaluation),
            *_border(evaluation),
        ],
    )


def _specks(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Describe marks on the network's grid, for parts that enough of the photographs have."""
    own, chance = (asdict(each) for each in evaluation.specks.values())
    where = {"whole": "", "flat": " in flat places", "dark": " in the dark"}
    return [
        (f"marks on its own grid{where[name]}, levels", f"{value:.1f} (photo {chance[name]:.1f})")
        for name, value in own.items()
        if value is not None
    ]


def _border(evaluation: Evaluation) -> list[tuple[str, str]]:
    line = evaluation.border
    return [] if line is None else [("a line along an edge, levels", f"{line:.1f}")]


def _count(iterations: int | None, most: int) -> str:
    return f"more than {most}" if iterations is None else str(iterations)

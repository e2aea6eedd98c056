"""The commands that experiment with losses, before a training takes hours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from impasto.cli.flags import Json, Quiet, with_options
from impasto.cli.studio import end_if_cancelled, stop_gently
from impasto.cli.terminal import Terminal
from impasto.distribution import needs
from impasto.errors import OptionError
from impasto.options import SearchOptions
from impasto.progress import CancelToken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from impasto.lab.experiment import Experiment
    from impasto.lab.runs import Done

_Workers = Annotated[int, typer.Option(min=1, max=256, help="Processes that share the runs out.")]


_Name = Annotated[str | None, typer.Argument(help="A shipped experiment's name, or a TOML file.")]
_Out = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the report; runs in it are kept.")
]
_Contents = Annotated[
    list[Path] | None, typer.Option("--content", "-c", help="Photograph; may be repeated.")
]
_Styles = Annotated[
    list[Path] | None, typer.Option("--style", "-s", help="Style picture; may be repeated.")
]


def lab(
    experiment: _Name = None,
    out: _Out = Path("lab"),
    content: _Contents = None,
    style: _Styles = None,
    size: Annotated[int | None, typer.Option(help="Long side of all pictures.")] = None,
    steps: Annotated[int | None, typer.Option(help="Evaluations of every run.")] = None,
    workers: _Workers = 1,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Share the runs out over this Ray cluster: HOST:PORT, auto, or local.",
        ),
    ] = None,
    names: Annotated[
        bool, typer.Option("--list", help="List the experiments that come with impasto.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare loss configurations side by side, in one report (needs impasto[lab]).

    After Ctrl-C, or a kill, the same command goes on where it was. Without --content, the bundled
    photograph is painted.
    """
    terminal = Terminal(quiet=quiet, as_json=as_json)
    if names:
        _list(terminal)
        return
    if not experiment:
        raise OptionError("no experiment was given", hint="impasto lab --list names them")
    with needs("lab"):
        from impasto.lab import report, runs
    study = _study(experiment, content or [], style or [], {"size": size, "steps": steps})
    for note in study.notes:
        terminal.say(note)
    trials, cancel = study.trials(), CancelToken()
    with (
        terminal.bar("running", lines=True) as move,
        stop_gently(cancel, terminal, "the same command goes on from here"),
    ):
        done = runs.run(trials, out, workers=workers, ray=ray, on_progress=move, cancel=cancel)
    end_if_cancelled(cancel)
    page = report.write(study, done, out)
    if _say_done(page, done, terminal):
        raise typer.Exit(1)


def _list(terminal: Terminal) -> None:
    with needs("lab"):
        from impasto.lab.experiment import shipped as experiments
    shipped = experiments()
    if terminal.as_json:
        terminal.print_json(shipped)
    else:
        terminal.table(("experiment", "title"), list(shipped.items()))


def _study(
    name: str, contents: list[Path], styles: list[Path], base: dict[str, int | None]
) -> Experiment:
    """Find the experiment of this name; replace its pictures where some are given."""
    with needs("lab"):
        from impasto.lab.experiment import find
    study = find(name).with_pictures(contents, styles)
    if not study.contents:
        from impasto.assets import demo_photo

        study = study.with_pictures([demo_photo()])
    return study.with_base({key: value for key, value in base.items() if value is not None})


def _say_done(page: Path, done: Sequence[Done], terminal: Terminal) -> bool:
    """Report the runs; return whether any failed."""
    failed = [each for each in done if each.error]
    for each in failed:
        terminal.say(f"{', '.join(each.trial.labels.values())}: {each.error}")
    new = len({each.key for each in done if not each.kept})
    if terminal.as_json:
        terminal.print_json({"report": str(page), "runs": len(done), "new": new})
    terminal.say(f"{page}  {len(done)} runs, {new} of them new")
    return bool(failed)


@with_options
def search(
    content: Annotated[Path, typer.Argument(help="The photograph.")],
    style: Annotated[Path, typer.Argument(help="The style picture.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the sheet and the recipes.")],
    *,
    storage: Annotated[
        str | None,
        typer.Option(help="Database by URL, such as postgresql://..., shared by machines."),
    ] = None,
    quiet: Quiet = False,
    options: SearchOptions,
) -> None:
    """Search layers and weights on the optimiser, before a training (needs impasto[lab]).

    It writes the best balances as a sheet to choose from. Each is also a recipe for
    impasto train --recipe. The same command goes on with more trials.
    """
    with needs("lab"):
        from impasto.lab.search import search as look_for
    terminal, cancel = Terminal(quiet=quiet), CancelToken()
    with (
        terminal.bar("searching", lines=True) as move,
        stop_gently(cancel, terminal, "the same command goes on from here"),
    ):
        choices = look_for(
            content, style, out, options=options, storage=storage, on_progress=move, cancel=cancel
        )
    rows = [
        (each.name, *(f"{value:.3g}" for value in each.values.values()), each.what)
        for each in choices
    ]
    if rows:
        terminal.table(("choice", *choices[0].values, "with"), rows)
        terminal.say(f"Look at {out / 'sheet.jpg'}, then: impasto train --recipe {out}/A.toml ...")
    end_if_cancelled(cancel)

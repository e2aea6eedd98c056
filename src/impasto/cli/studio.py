"""The commands that need torch; each imports it only when it runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from impasto.cli.flags import Quiet, knob
from impasto.errors import MissingExtraError
from impasto.options import NetworkOptions, TrainOptions
from impasto.progress import CancelToken
from impasto.terminal import Terminal


def _train_knob(name: str) -> Any:
    return knob(TrainOptions, name, f"--{name.replace('_', '-')}")


def _net_knob(name: str) -> Any:
    return knob(NetworkOptions, name, f"--{name.replace('_', '-')}")


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
    quiet: Quiet = False,
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

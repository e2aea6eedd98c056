"""Flags that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer

from impasto import catalog
from impasto.inference import devices
from impasto.options import ReadOptions, StylizeOptions, WriteOptions
from impasto.options.fields import changed, current, doc
from impasto.terminal import Terminal


def knob(options: type, name: str, *flags: str, **more: Any) -> Any:
    """A flag whose help comes from the option that it sets."""
    return typer.Option(*flags, help=doc(options, name), **more)


def style_names(incomplete: str) -> list[str]:
    return [name for name in catalog.styles() if name.startswith(incomplete)]


STYLE_HELP = (
    "A style's name, its folder, or a blend such as a:0.7,b:0.3. Give it again for several styles."
)
Inputs = Annotated[
    list[str], typer.Argument(help="Pictures, folders, globs, or - for standard input.")
]
Styles = Annotated[
    list[str], typer.Option("--style", "-s", help=STYLE_HELP, autocompletion=style_names)
]
Out = Annotated[
    str | None, typer.Option("--out", "-o", help="File, folder, or - for standard output.")
]
Strength = Annotated[float, knob(StylizeOptions, "strength", "--strength")]
Stroke = Annotated[float | None, knob(StylizeOptions, "stroke", "--stroke")]
Grain = Annotated[float, knob(StylizeOptions, "grain", "--grain")]
KeepColors = Annotated[bool, knob(StylizeOptions, "keep_colors", "--keep-colors")]
Size = Annotated[int | None, knob(StylizeOptions, "size", "--size")]
Format = Annotated[str | None, typer.Option("--format", help="jpeg, png, webp, avif, tiff or bmp.")]
Quality = Annotated[int, knob(WriteOptions, "quality", "--quality")]
Strip = Annotated[bool, knob(WriteOptions, "strip", "--strip")]
MaxPixels = Annotated[int, knob(ReadOptions, "max_pixels", "--max-pixels")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]
Device = Annotated[str, typer.Option("--device", help=f"{', '.join(devices.DEVICES)}.")]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="Threads; all allowed ones by default."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def with_options(
    options: type, base: Callable[[dict[str, Any]], Any] | None = None, *, env: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one flag for each knob of ``options``, and itself the object made of them.

    The command takes a parameter ``options``; knobs that are options themselves are
    flattened, and their flags have the knobs' own names. Layers are given with commas.
    ``base`` makes the options that unused flags leave as they are, from the other values.
    ``env`` begins the names of variables of the environment that may stand for the flags. A
    knob's old name is a flag, too, that no help shows; who uses it is told the new one.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        knobs = list(_flags(options(), env))
        names = {name for name, _, _ in knobs}

        def run(context: typer.Context, **values: Any) -> None:
            used = {
                name: values[name]
                for name in names
                if getattr(context.get_parameter_source(name), "name", "") in _GIVEN
            }
            others = {name: value for name, value in values.items() if name not in names}
            made, terminal = (
                base(others) if base else options(),
                Terminal(quiet=others.get("quiet", False)),
            )

            def told(*names: str) -> None:
                old, new = (f"--{name.replace('_', '-')}" for name in names)
                terminal.say(f"{old} is called {new} now - use {new}")

            command(**others, options=changed(made, current(made, used, told)))

        keyword = inspect.Parameter.KEYWORD_ONLY
        own = [
            p.replace(kind=keyword) for p in signature.parameters.values() if p.name != "options"
        ]
        parameters = [
            inspect.Parameter("context", keyword, annotation=typer.Context),
            *own,
            *(
                inspect.Parameter(name, keyword, default=default, annotation=kind)
                for name, default, kind in knobs
            ),
        ]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


_GIVEN = ("COMMANDLINE", "ENVIRONMENT")


def _flags(options: Any, env: str) -> Iterator[tuple[str, Any, Any]]:
    """Name, default and annotation of each flag."""
    kinds = get_type_hints(type(options))
    for field in fields(options):
        default = getattr(options, field.name)
        if is_dataclass(default):
            yield from _flags(default, env)
            continue
        kind, shown = kinds[field.name], default
        if isinstance(default, tuple):
            kind, shown = str, ",".join(default)
        flag = field.name.replace("_", "-")
        name = f"--{flag}/--no-{flag}" if default is True else f"--{flag}"
        variable = f"{env}{field.name.upper()}" if env else None
        option = typer.Option(name, help=field.metadata["doc"], envvar=variable, show_envvar=False)
        yield field.name, shown, Annotated[kind, option]
        if old := field.metadata["was"]:
            yield old, None, Annotated[kind | None, typer.Option(f"--{old}", hidden=True)]

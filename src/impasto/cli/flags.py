"""Flags that several commands share."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, TypeAlias, get_args, get_origin, get_type_hints

import typer

from impasto import catalog
from impasto.cli.terminal import Terminal
from impasto.errors import ImpastoError
from impasto.inference import devices
from impasto.options.fields import Checked, changed, current


def style_names(incomplete: str) -> list[str]:
    """Complete the names of styles for a shell, which cannot show errors."""
    try:
        return [name for name in catalog.styles() if name.startswith(incomplete)]
    except ImpastoError:
        return []


STYLE_HELP = (
    "A style's name, its folder, a painting's file, or a blend such as a:0.7,b.jpg:0.3. "
    "Give it again for several styles."
)
Inputs = Annotated[
    list[str] | None, typer.Argument(help="Pictures, folders, globs, or - for standard input.")
]
Styles = Annotated[
    list[str] | None, typer.Option("--style", "-s", help=STYLE_HELP, autocompletion=style_names)
]
Out = Annotated[
    str | None, typer.Option("--out", "-o", help="File, folder, or - for standard output.")
]
_FORMATS = "jpeg, png, webp, avif, tiff or bmp; of films mp4, mov, m4v, mkv, webm or gif."
Format = Annotated[str | None, typer.Option("--format", help=_FORMATS)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]
Device = Annotated[str, typer.Option("--device", help=f"{', '.join(devices.DEVICES)}.")]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="Threads to use; by default all that are allowed."),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Begin anew where a stopped training would go on.")
]
Title = Annotated[str | None, typer.Option(help="The artwork's title, for the card.")]
Artist = Annotated[str | None, typer.Option(help="Its artist.")]
Year = Annotated[str | None, typer.Option(help="Its year.")]
Licence = Annotated[str | None, typer.Option(help="Its licence, such as public domain.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


Values: TypeAlias = dict[str, Any]
"""Values of a command's flags, by name, each of the type in its annotation."""


@dataclass(frozen=True)
class Taken:
    """How a command takes options of one class, where not all have flags and usual defaults.

    Attributes:
        only: the knobs that have flags; all by default.
        base: makes the values of unused flags from the command's other values.
        env: the beginning of environment variables that may stand for the flags.
    """

    only: tuple[str, ...] = ()
    base: Callable[[Values], Checked] | None = None
    env: str = ""


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one flag for each knob of the options that it takes.

    A parameter may be options, such as ``write: WriteOptions`` or ``Annotated[ReadOptions,
    Taken(only=("max_pixels",))]``. It gets the object that the flags make. In the help the flags
    stand in the place of the parameter. Options inside options are flattened. Layers are given with
    commas. A parameter called ``context`` gets typer's. A knob's old name is a flag, too, which no
    help shows. Whoever uses it gets a note with the new name.

    Raises:
        TypeError: two flags have one name.
    """
    signature = inspect.signature(command, eval_str=True)
    taken_by = {p.name: _Made.of(p.annotation) for p in signature.parameters.values()}
    parameters = [inspect.Parameter("context", _KEYWORD, annotation=typer.Context)]
    for each in signature.parameters.values():
        if each.name == "context":  # the command has it, too
            continue
        options = taken_by[each.name]
        parameters += options.parameters if options else [each.replace(kind=_KEYWORD)]
    if doubled := [n for n, count in Counter(p.name for p in parameters).items() if count > 1]:
        raise TypeError(f"{command.__name__} has two flags called {doubled[0]}")

    def run(context: typer.Context, **values: Any) -> None:
        taken = {name: options for name, options in taken_by.items() if options}
        flags = {p.name for options in taken.values() for p in options.parameters}
        others = {name: value for name, value in values.items() if name not in flags}
        if "context" in signature.parameters:
            others["context"] = context
        command(**others, **{k: v.object(context, values, others) for k, v in taken.items()})

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_GIVEN = ("COMMANDLINE", "ENVIRONMENT")


@dataclass(frozen=True)
class _Made:
    """Options that a command takes, and the parameters of their flags."""

    kind: type[Checked]
    how: Taken
    parameters: Sequence[inspect.Parameter]

    @classmethod
    def of(cls, annotation: object) -> _Made | None:
        """Return the options of a parameter, if it has some."""
        kind, how = annotation, Taken()
        if get_origin(annotation) is Annotated:
            kind, how, *_ = get_args(annotation)
        if not (isinstance(kind, type) and issubclass(kind, Checked)):
            return None
        return cls(kind, how, [*_parameters(kind(), how)])

    def object(self, context: typer.Context, values: Values, others: Values) -> Checked:
        """Make the options from the given flags and the command's other values."""
        terminal = Terminal(quiet=others.get("quiet", False))

        def on_renamed(*names: str) -> None:
            old, new = map(_spelt, names)
            terminal.say(f"{old} is called {new} now - use {new}")

        used = {
            flag.name: values[flag.name]
            for flag in self.parameters
            if getattr(context.get_parameter_source(flag.name), "name", "") in _GIVEN
        }
        base = self.how.base(others) if self.how.base else self.kind()
        return changed(base, current(base, used, on_renamed))


def _parameters(options: Checked, how: Taken) -> Iterator[inspect.Parameter]:
    """Make a parameter for each knob with a flag, and one for its old name."""
    kinds = get_type_hints(type(options))
    for knob in fields(options):
        default = getattr(options, knob.name)
        if isinstance(default, Checked):
            yield from _parameters(default, how)
        elif not how.only or knob.name in how.only:
            parse = knob.metadata["parse"]
            kind = str if isinstance(default, tuple) or parse else kinds[knob.name]
            kind = kind | None if parse and default is None else kind
            shown = ",".join(default) if isinstance(default, tuple) else default
            name = _spelt(knob.name)
            yield _parameter(
                knob.name, kind, shown,
                f"{name}/--no-{name[2:]}" if default is True else name,
                help=knob.metadata["doc"],
                parser=parse,
                metavar=knob.name.upper() if parse else None,
                envvar=f"{how.env}{knob.name.upper()}" if how.env else None,
                show_envvar=False,
            )  # fmt: skip
            if old := knob.metadata["was"]:
                yield _parameter(old, kind | None, None, _spelt(old), hidden=True)


def _parameter(
    name: str, kind: Any, default: object, flag: str, **option: Any
) -> inspect.Parameter:
    annotation = Annotated[kind, typer.Option(flag, **option)]
    return inspect.Parameter(name, _KEYWORD, default=default, annotation=annotation)


def _spelt(name: str) -> str:
    return f"--{name.replace('_', '-')}"

"""What to type instead: where the first words are no command, and where a style is missing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from impasto import catalog
from impasto.cli.terminal import Terminal
from impasto.errors import OptionError, did_you_mean
from impasto.files import addresses, kinds

_INSTEAD = {
    **dict.fromkeys(("help", "usage", "man"), "--help"),
    "version": "--version",
    **dict.fromkeys(("list", "ls", "styles-list", "models"), "styles"),
    **dict.fromkeys(("paint", "apply", "transfer", "run", "convert", "video", "film"), "stylize"),
    **dict.fromkeys(("gui", "ui", "web", "webui", "app", "server", "api", "start"), "serve"),
    **dict.fromkeys(("learn", "finetune"), "train"),
    **dict.fromkeys(("info", "check", "devices"), "doctor"),
    **dict.fromkeys(("compare", "grid", "preview", "all"), "sheet"),
}
"""Words that other programs have, and their equivalents here."""
_OF_STYLIZE = ("-s", "--style", "-o", "--out", "-")


def require_command(arguments: Sequence[str], commands: Collection[str]) -> None:
    """Check the first arguments.

    Raises:
        OptionError: the first one is no command.
    """
    if not arguments:
        return
    word = arguments[0]
    if word in _OF_STYLIZE or _is_input(word, commands):
        raise OptionError(f"{_what(word)} is no command", hint=f"to paint: {_painting(arguments)}")
    if word == "help" and len(arguments) > 1:
        raise OptionError("help is a flag", hint=f"impasto {arguments[1]} --help")
    if word.startswith("-") or word in commands:
        return
    if instead := _INSTEAD.get(word.lower()):
        hint = f"impasto {instead}"
    elif _is_style(word):
        hint = f"it is a style: impasto stylize photo.jpg -s {word}"
    else:
        hint = did_you_mean(word[:_LONGEST], commands, "impasto --help lists them")
    raise OptionError(f"No such command {word[:_LONGEST]!r}", hint=hint)


_LONGEST = 200
"""Most characters of a word that a message shows."""


def offer_styles(terminal: Terminal, inputs: Sequence[str]) -> None:
    """List the styles, and say that any painting is a style, too."""
    named = catalog.styles()
    photo = shlex.quote(next((each for each in inputs if each not in named), "photo.jpg"))
    offered = catalog.looks(named)
    widest = max(map(len, offered), default=0)
    terminal.say("The styles:")
    for name, style in offered.items():
        work = style.card.artwork
        terminal.say(f"  {name:{widest}}  {work.title}, {work.artist}")
    terminal.say(f"A painting of your own: impasto stylize {photo} -s painting.jpg")
    terminal.say(f"All styles on one sheet: impasto sheet {photo}")


def require_show(arguments: Sequence[str]) -> None:
    """Check the arguments of ``impasto styles``.

    Raises:
        OptionError: they have a style's name without ``show``.
    """
    words = [each for each in arguments if not each.startswith("-")]
    if words[:1] == ["styles"] and len(words) > 1 and words[1] != "show" and _is_style(words[1]):
        raise OptionError(
            f"{words[1]} is no command of impasto styles", hint=f"impasto styles show {words[1]}"
        )


def _is_input(word: str, commands: Collection[str]) -> bool:
    if word in commands or word.startswith("-"):
        return False
    try:
        addresses.require_file(word)
    except OptionError:
        return True
    return kinds.is_picture(Path(word)) or os.path.exists(word)


def _is_style(word: str) -> bool:
    try:
        return word in catalog.styles()
    except OptionError:  # the user has no place for styles
        return False


def _what(word: str) -> str:
    return word[:_LONGEST] if word != "-" else "standard input"


def _painting(arguments: Sequence[str]) -> str:
    """Rewrite what was typed as a line that paints."""
    given = [*arguments[:8]]
    if not {"-s", "--style"} & {*given}:
        given += ["-s", "great-wave"]
    return shlex.join(["impasto", "stylize", *given])

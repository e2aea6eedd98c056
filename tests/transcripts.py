"""A page's commands, run as a reader types them, and compared with what the page says they print.

Only blocks of ``console`` and ``python`` are run; others, such as installing, are not.
"""

import os
import re
import shlex
import subprocess
import textwrap
from contextlib import chdir

from running import process, run

_BLOCK = re.compile(r"^( *)```(console|python)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^ *```.*?\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_VARIES = re.compile(r"\b\d+\.\d+\b|\b\d+x\d+\b")
HOME, STYLES = "/home/you", "/home/you/.local/share/impasto/styles"
"""Stand on the pages for the folder that a reader is in, and for the one that keeps styles."""


def blocks(page):
    """``(kind, text)`` of each block that can be run."""
    return [(kind, textwrap.dedent(text)) for _, kind, text in _BLOCK.findall(page)]


def commands(console):
    """``(command, what it prints)`` of a block of ``console``; lines may end in a backslash."""
    parts = re.split(r"^\$ ", console.replace("\\\n", ""), flags=re.MULTILINE)
    return [(line, out.strip()) for line, _, out in (part.partition("\n") for part in parts[1:])]


def typed(page):
    """Every ``impasto`` command of a page, as its words: in blocks of any kind, and in the text."""
    lines = [
        line for text in _FENCE.findall(page) for line in text.replace("\\\n", "").splitlines()
    ]
    lines += [" ".join(code.split()) for code in _CODE.findall(_FENCE.sub("", page))]
    commands = (line.strip().removeprefix("$ ") for line in lines)
    return [shlex.split(each, comments=True) for each in commands if each.startswith("impasto ")]


def follow(page, folder):
    """Do what the page says, in the folder.

    Raises:
        AssertionError: a command failed, or printed something else.
    """
    for kind, text in blocks(page):
        if kind == "python":
            with chdir(folder):
                exec(compile(text, "page", "exec"), {})
            continue
        for command, expected in commands(text):
            printed, code = _typed(command, folder)
            assert code == 0, f"{command}\n{printed}"
            assert _alike(_bare(printed, folder), _bare(expected, folder)), f"{command}\n{printed}"


def _typed(command, folder):
    """What a command prints, and its exit code."""
    words = shlex.split(command)
    if "--ray" in words:  # Ray reads its environment when it is imported
        done = process(*words[1:], cwd=folder, text=True)
    elif words[0] == "impasto":
        done = run(*words[1:], cwd=folder, text=True)
    else:
        done = subprocess.run(
            command, shell=True, cwd=folder, capture_output=True, text=True, check=False
        )
    return done.stdout + done.stderr, done.returncode


def _alike(printed, expected):
    """Whether they are the same; a line of three dots stands for any lines."""
    if "..." not in expected.splitlines():
        return printed == expected
    first, _, last = f"\n{expected}\n".partition("\n...\n")
    return f"\n{printed}\n".startswith(f"{first}\n") and f"\n{printed}\n".endswith(f"\n{last}")


def _bare(text, folder):
    """Without what differs from run to run: numbers, folders, spaces at ends of lines."""
    text = text.replace(os.environ["IMPASTO_STYLES"], STYLES).replace(str(folder.resolve()), HOME)
    text = _VARIES.sub("...", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())

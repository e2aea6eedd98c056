"""Folders of styles made to harm who reads them, built in code; used through every face."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

CARD = "card.json"
ESCAPES = "\x1b[31mRed\x1b]0;owned\x07\u202egpj.\u2028"
"""Colours a terminal, names its window, turns letters round, ends lines."""


def written(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """The card, changed as JSON."""

    def damage(folder):
        path = folder / CARD
        card = json.loads(path.read_text())
        change(card)
        path.write_text(json.dumps(card))

    return damage


def text(old: str, new: str) -> Callable[[Path], None]:
    """The card, changed as a text."""

    def damage(folder):
        path = folder / CARD
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new, 1))

    return damage


def data(content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / CARD).write_bytes(content) and None


def replaced(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(folder):
        (folder / name).unlink()
        make(folder / name)

    return damage


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 * 2**30)


def extra(value: str) -> Callable[[Path], None]:
    """A key that is not known, with this JSON."""
    return text('"format": 1,', f'"format": 1, "frame": {value},')


def link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


CARDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (replaced(CARD, os.mkfifo), "not a regular file"),
    "folder": (replaced(CARD, Path.mkdir), "not a regular file"),
    "endless": (replaced(CARD, link("/dev/zero")), "it is a link"),
    "elsewhere": (replaced(CARD, link("/etc/passwd")), "it is a link"),
    "nowhere": (replaced(CARD, link("/nowhere")), "it is a link"),
    "round": (replaced(CARD, link(CARD)), "it is a link"),
    "huge": (replaced(CARD, huge), "more than 1,048,576 bytes"),
    "empty": (data(b""), "not a style's card"),
    "binary": (data(bytes(range(256))), "not a style's card"),
    "wide": (data('{"format": 1}'.encode("utf-16")), "lacks 'name'|not a style's card"),
    "deep-list": (data(b"[" * 100_000), "too deep"),
    "deep-object": (data(b'{"a":' * 50_000), "too deep"),
    "deep-extra": (extra("[" * 900 + "]" * 900), "too deep"),
    "nan": (extra("NaN"), "NaN is not a number"),
    "infinite": (extra("[-Infinity]"), "Infinity is not a number"),
    "beyond-floats": (extra("1e400"), "too large"),
    "beyond-whole": (extra("1" + "0" * 4000), "too large"),
    "beyond-digits": (extra("9" * 20_000), "too large"),
    "half-a-letter": (text("Hokusai", r"Hokusai\ud800"), "surrogate"),
    "half-a-key": (extra(r'{"\udfff": 1}'), "surrogate"),
    "twice": (extra('1, "name": "other"'), "gives 'name' twice"),
    "twice-inside": (text('"file":', '"file": "a", "file":'), "gives 'file' twice"),
    "long-title": (written(lambda d: d.update(title="a" * 100_000)), "more than 2000 characters"),
    "long-name": (written(lambda d: d.update(name="a" * 100_000)), "more than 2000 characters"),
    "no-name": (written(lambda d: d.update(name="a" * 1000)), "cannot be the name"),
    "list": (written(lambda d: d.update(artwork=[])), "artwork is not an object"),
    "number": (written(lambda d: d.update(title=7)), "title is not a text"),
    "format": (written(lambda d: d.update(format="1")), "format is not a whole number"),
    "climbs": (written(lambda d: d["model"].update(file="../x.onnx")), "not a plain file name"),
    "root": (written(lambda d: d.update(preview="/etc/passwd")), "not a plain file name"),
    "styles": (written(lambda d: d.update(styles={})), "styles is not a list"),
    "null": (written(lambda d: d["model"].update(file="a\0b")), "has a zero"),
    "null-title": (written(lambda d: d.update(title="a\0b")), "has a zero"),
    "digits": (written(lambda d: d.update(name="१२३")), "cannot be the name"),
}
"""What is done to a style's folder, and a pattern of what is said when it is read."""


def network(content: Callable[[Path], object]) -> Callable[[Path], None]:
    return replaced("style.onnx", content)


def named(name: str) -> Callable[[Path], None]:
    return written(lambda d: d["model"].update(file=name))


NETWORKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "gone": (lambda folder: (folder / "style.onnx").unlink(), "cannot be read: No such file"),
    "fifo": (network(os.mkfifo), "not a regular file"),
    "folder": (network(Path.mkdir), "not a regular file"),
    "endless": (network(link("/dev/zero")), "it is a link"),
    "huge": (network(huge), "more than 67,108,864 bytes"),
    "empty": (network(Path.touch), "damaged"),
    "changed": (network(lambda path: path.write_bytes(b"x" * 1000)), "damaged"),
    "card": (named(CARD), "damaged"),
    "parent": (named(".."), "cannot be read"),
    "long": (named("a" * 1000), "cannot be read"),
}
"""What is done to a style whose card is sound, and what is said when it shall paint."""


def picture(side: int, format: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(buffer, format)
    return buffer.getvalue()


def shown(content: bytes) -> Callable[[Path], None]:
    return replaced("great-wave.jpg", lambda path: path.write_bytes(content))


PAGE = b"<!DOCTYPE html><script>alert(document.domain)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def called(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(folder):
        (folder / name).write_bytes(content)
        written(lambda d: d.update(preview=name))(folder)

    return damage


PREVIEWS: dict[str, tuple[Callable[[Path], None], str]] = {
    "passwd": (replaced("great-wave.jpg", link("/etc/passwd")), "it is a link"),
    "endless": (replaced("great-wave.jpg", link("/dev/zero")), "it is a link"),
    "fifo": (replaced("great-wave.jpg", os.mkfifo), "not a regular file"),
    "gone": (lambda folder: (folder / "great-wave.jpg").unlink(), "No such file"),
    "huge": (replaced("great-wave.jpg", huge), "more than 4,194,304 bytes"),
    "page": (shown(PAGE), "no preview"),
    "html": (called("p.html", PAGE), "no preview"),
    "svg": (called("p.svg", SVG), "no preview"),
    "script": (called("p.js", b"alert(1)"), "no preview"),
    "card": (written(lambda d: d.update(preview=CARD)), "no preview"),
    "cut": (shown(picture(300, "JPEG")[:600]), "no preview"),
    "large": (shown(picture(5000, "PNG")), "no preview"),
}
"""What is done to a style whose preview shall be shown, and what is said instead."""

POLYGLOT = shown(picture(64, "JPEG") + PAGE)
"""A picture that is a page as well, for who looks for one."""

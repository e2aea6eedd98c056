"""Whether the project's prose is short: ``make check`` refuses a sentence that is too long.

Prose is what a reader reads as running text. In a page it is paragraphs, items of lists and cells
of tables. In code it is docstrings, also those below a constant or a field, and comments that fill
their lines. Blocks of code are no prose; in a docstring they stand indented after ``::``. A piece
of code within a sentence is one word. A link is its words.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md")
SOURCES = (
    *("src/**/*.py", "src/**/*.js", "tests/**/*.py"),
    *("benchmarks/**/*.py", "docs/*.py", "website/*.py", "release/*.py"),
)
"""Code, without what is built or installed."""
LONGEST = 25
"""Words that a sentence may have."""

_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ITEM = re.compile(r"^(?:[-*+>]|\d+\.)\s+")
_CODE = re.compile(r"(?::[a-z]+:)?(`+)[^`]*\1")
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_ADDRESS = re.compile(r"<?https?://\S+")
_TAG = re.compile(r"<[^>]+>")
_SHORTENED = re.compile(r"\b(e\.g|i\.e|et al|cf|vs|c|ca|No|Fig)\.")
_END = re.compile(r"(?:[.!?]|(?<=[.!?])[\"')*]+)\s+")
_WORD = re.compile(r"\S*\w\S*")

_LITERAL = re.compile(r"^( *)(.*)::\n(?:(?:\1 +.*)?\n)*", re.MULTILINE)
_EXAMPLE = re.compile(r"^ *>>> .*\n(?:.+\n)*", re.MULTILINE)
_SECTION = re.compile(r"^(Args|Attributes|Raises):\n((?: .*\n|\n)+)", re.MULTILINE)
_ENTRY = re.compile(r"^    (?=\S)", re.MULTILINE)
_RETURNS = re.compile(r"^(?:Returns|Yields):\n", re.MULTILINE)
_JS_DOC = re.compile(r"/\*\*?(.*?)\*/", re.DOTALL)


def main() -> None:
    """Say each sentence that is too long, of the files given or of all."""
    given = [Path(name).resolve() for name in sys.argv[1:]]
    found = [said for file in given or [*pages(), *sources()] for said in problems(file)]
    if found:
        sys.exit("\n".join(found))


def pages() -> list[Path]:
    """All that people read beside the code."""
    return [file for page in PAGES for file in sorted(ROOT.glob(page))]


def sources() -> list[Path]:
    """All code whose texts are checked."""
    return [file for source in SOURCES for file in sorted(ROOT.glob(source))]


def problems(file: Path) -> Iterator[str]:
    """One line for each sentence of the file that is too long."""
    for place, text in texts(file):
        for sentence in sentences(text):
            count = len(_WORD.findall(sentence))
            if count > LONGEST:
                yield f"{place}: {count} words, at most {LONGEST}: {sentence}"


def texts(file: Path) -> Iterator[tuple[str, str]]:
    """Each text of a file as Markdown, and where it stands."""
    text = file.read_text("utf-8")
    if file.suffix == ".py":
        found = [*docstrings(text), *comments(text, "#")]
    elif file.suffix == ".js":
        found = [*_js_docs(text), *comments(text, "//")]
    else:
        yield f"{file}", text
        return
    yield from ((f"{file}:{line}", prose) for line, prose in sorted(found))


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """The line and the prose of each docstring, also of those below a constant or a field."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, prose(inspect.cleandoc(text))


def prose(docstring: str) -> str:
    """A docstring as Markdown: without blocks of code, each entry of a section as an item."""
    text = _EXAMPLE.sub("", _LITERAL.sub(r"\2\n\n", f"{docstring}\n"))
    text = _SECTION.sub(lambda section: _ENTRY.sub("- ", section[2]), text)
    return _RETURNS.sub("", text)


def comments(source: str, mark: str) -> Iterator[tuple[int, str]]:
    """The line and the text of each comment; comments of lines that follow are one."""
    lines = [line.strip() for line in source.splitlines()]
    rows = groupby(enumerate(lines, 1), lambda row: row[1].startswith(mark))
    for block in (list(block) for is_comment, block in rows if is_comment):
        yield block[0][0], "\n".join(line.lstrip(mark).strip() for _, line in block)


def _js_docs(source: str) -> Iterator[tuple[int, str]]:
    """The line and the text of each comment between ``/*`` and ``*/``."""
    for found in _JS_DOC.finditer(source):
        lines = (line.strip().removeprefix("*").strip() for line in found[1].splitlines())
        yield source.count("\n", 0, found.start()) + 1, "\n".join(lines)


def sentences(markdown: str) -> Iterator[str]:
    """What a page says, a sentence at a time, each piece of code as the word CODE."""
    bare = _COMMENT.sub("", _FENCE.sub("\n\n", markdown))
    for block in _blocks(bare):
        words = _ADDRESS.sub("ADDRESS", _LINK.sub(r"\1", _CODE.sub("CODE", block)))
        words = _SHORTENED.sub(r"\1", _TAG.sub("", words))
        yield from (part for part in _END.split(words) if part.strip())


def _blocks(markdown: str) -> Iterator[str]:
    """Paragraphs, items and cells, each on one line; headings are none."""
    block: list[str] = []
    for line in (*markdown.splitlines(), ""):
        text = line.strip()
        starts = not text or text[0] in "|#" or _ITEM.match(text)
        if starts and block:
            yield " ".join(block)
            block = []
        if text.startswith("|"):
            yield from (cell.strip() for cell in text.strip("|").split("|"))
        elif text and not text.startswith("#"):
            block.append(_ITEM.sub("", text))


if __name__ == "__main__":
    main()

"""Whether the project's prose is short: ``make check`` refuses a sentence that is too long.

Text is what a reader reads as running text: paragraphs, items of lists, cells of tables. Blocks of
code are not; a piece of code within a sentence is one word, as a link is its words.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md")
LONGEST = 35
"""Words that a sentence may have."""

_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ITEM = re.compile(r"^(?:[-*+>]|\d+\.)\s+")
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_ADDRESS = re.compile(r"<?https?://\S+")
_TAG = re.compile(r"<[^>]+>")
_SHORTENED = re.compile(r"\b(e\.g|i\.e|et al|cf|vs|c|ca|No|Fig)\.")
_END = re.compile(r"(?:[.!?]|(?<=[.!?])[\"')*]+)\s+")
_WORD = re.compile(r"\S*\w\S*")


def main() -> None:
    """Say each sentence that is too long, of the files given or of all pages."""
    given = [Path(name).resolve() for name in sys.argv[1:]]
    found = [said for file in given or pages() for said in problems(file)]
    if found:
        sys.exit("\n".join(found))


def pages() -> list[Path]:
    """All that is read by people."""
    return [file for page in PAGES for file in sorted(ROOT.glob(page))]


def problems(file: Path) -> Iterator[str]:
    """One line for each sentence of the file that is too long."""
    for sentence in sentences(file.read_text("utf-8")):
        count = len(_WORD.findall(sentence))
        if count > LONGEST:
            yield f"{file}: {count} words, at most {LONGEST}: {sentence}"


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

"""Check the site that was built: every link of its own leads somewhere, and nothing that a page
loads comes from another server. ``make site`` runs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

DEMO = "paint"
"""A folder of its own, with a page that is tested where it is made."""
_LOADS = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}
_NOT_LOADED = {"canonical", "prev", "next", "edit", "alternate"}
"""Kinds of ``link`` that only name a page."""


class Refs(HTMLParser):
    """What a page links to and loads, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {it for key in ("id", "name") if (it := values.get(key))}
        for key in ("href", "src"):
            address = values.get(key)
            if not address or (tag == "link" and values.get("rel") in _NOT_LOADED):
                continue
            (self.loads if (tag, key) in _LOADS else self.links).append(address)


def problems(site: Path) -> Iterator[str]:
    """Sentences, one for each reference that is wrong."""
    inside = (path for path in site.rglob("*.html") if site / DEMO not in path.parents)
    pages = {path: Refs(path.read_text("utf-8")) for path in inside}
    for page, refs in pages.items():
        where = page.relative_to(site)
        for address in refs.loads:
            if urlsplit(address).netloc:
                yield f"{where} loads {address} from another server"
        for address in (*refs.links, *refs.loads):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or page.name == "404.html":
                continue  # elsewhere; or relative to the address that was not found
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{where} leads to {address}, which is not there"
            elif parts.fragment and target in pages and not _has(pages[target], parts.fragment):
                yield f"{where} leads to {address}, which has no such part"


def _has(page: Refs, fragment: str) -> bool:
    return unquote(fragment) in page.anchors or fragment.startswith(("__", "!"))


def main() -> None:
    found = list(problems(Path(sys.argv[1])))
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()

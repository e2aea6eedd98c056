"""What the site has beside the pages in ``docs/``: made from styles, docstrings and files."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import posixpath
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

import impasto

ROOT = Path(__file__).parents[1]
SOURCE = "https://github.com/impasto-style/impasto/blob/main"
DECISIONS = "explanation/decisions.md"
DEMO = "paint"
"""The page that paints in the browser, as a folder of the site."""
STYLES = ("starry-night", "great-wave", "the-scream", "udnie", "mondrian", "seine")
"""That the demo offers; each is half a megabyte."""

SEARCH = "https://unpkg.com/iframe-worker/shim"
"""What the theme loads from another server, so that the search works in a folder."""
_SHIM = "https://registry.npmjs.org/iframe-worker/-/iframe-worker-1.0.4.tgz"
_SHA512 = "roeaaI+Lg1LJNfgpCjoRe/+WzEjy9+Z08LoEvu85MCPbBjwm+qXz8Ag5U05lHa6V1CysZyGzE0SOkAtSUA5q7Q=="
_LOCAL = "assets/javascripts/iframe-worker.js"

_ROLE = re.compile(r":(?:class|meth|func|mod|data|attr):<code>(?:~(?:\w+\.)*)?([\w.]+)</code>")
_LINK = re.compile(r"\]\((\.\./[^)#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here, and the style sheet."""
    pages = {
        "gallery.md": "\n".join(_gallery()),
        "reference/python.md": "\n".join(_reference()),
        DECISIONS: "\n".join(_decisions()),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text("utf-8"),
        "assets/site.css": (ROOT / "website" / "site.css").read_text("utf-8"),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for style in impasto.styles().values():
        if style.preview.is_file():
            place = f"images/styles/{style.name}{style.preview.suffix}"
            files.append(File.generated(config, place, content=style.preview.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links out of ``docs/`` lead to the source."""
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def leading(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        return link[0] if target.startswith("docs/") else f"]({SOURCE}/{target}"

    return _LINK.sub(leading, markdown)


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """A decision belongs to the part that lists them."""
    listed = next(each for each in nav.pages if each.file.src_uri == DECISIONS)
    for file in files.documentation_pages():
        if file.src_uri.startswith("adr/") and file.page and isinstance(listed.parent, Section):
            file.page.parent = listed.parent
    return nav


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """What docstrings refer to stands there by its last name."""
    return _ROLE.sub(r"<code>\1</code>", html)


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    return output.replace(SEARCH, f"/{_LOCAL}")


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Load nothing from another server."""
    return output.replace(SEARCH, "../" * page.file.dest_uri.count("/") + _LOCAL)


def on_post_build(config: MkDocsConfig) -> None:
    """Write what the pages load, and the page that paints in the visitor's browser."""
    (Path(config.site_dir) / _LOCAL).write_bytes(_shim())
    chosen = [word for style in STYLES for word in ("--style", style)]
    command = [sys.executable, "-m", "impasto", "page", "--overwrite", "--quiet", *chosen]
    if runtime := os.environ.get("ONNXRUNTIME_WEB"):
        command += ["--runtime", runtime]
    subprocess.run([*command, "--out", str(Path(config.site_dir) / DEMO)], check=True)


def _shim() -> bytes:
    """The theme's part for a search in a folder (MIT), as npm has it, verified."""
    with urlopen(_SHIM, timeout=60) as answer:
        data: bytes = answer.read()
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != _SHA512:
        raise PluginError(f"{_SHIM} is not the file that it was")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        file = archive.extractfile("package/shim/index.js")
        assert file
        return file.read()


def _gallery() -> Iterator[str]:
    yield "# Gallery\n"
    yield "The styles that come with impasto, each with the painting that it was learnt from."
    yield "Each has a tiny twin for films and cameras, such as `great-wave-tiny`.\n"
    for style in filter(_is_large, impasto.styles().values()):
        work = style.card.artwork
        preview = f"images/styles/{style.name}{style.preview.suffix}"
        yield f"## {style.name}\n"
        yield f"{work.title}, {work.artist}, {work.year}. Painting: {work.licence}.\n"
        if style.preview.is_file():
            yield f"![A photograph painted in the style {style.name}]({preview})\n"
        yield f"```\nimpasto stylize photo.jpg -s {style.name}\n```\n"


def _is_large(style: impasto.Style) -> bool:
    """Whether it is no tiny twin of another."""
    return not style.name.endswith("-tiny")


def _reference() -> Iterator[str]:
    yield "# Python\n\nAll that is public. Each name is loaded when it is first used.\n"
    for name in sorted(impasto._HOME_OF, key=_rank):  # __all__ is without torch's, as this is
        yield f"::: impasto.{name}\n"


def _rank(name: str) -> tuple[int, str]:
    """Verbs first, then classes, options, and errors."""
    if name[:1].islower():
        return 0, name
    return 1 + name.endswith("Options") + 2 * (name.endswith("Error") or name == "Cancelled"), name


def _decisions() -> Iterator[str]:
    yield "# Decisions\n\nWhat a newcomer would question, and why it is so.\n"
    for path in sorted((ROOT / "docs" / "adr").glob("*.md")):
        title = path.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        yield f"- [{title}](../adr/{path.name})"

"""impasto as it is installed: its version, its extras, and what they bring."""

from __future__ import annotations

from contextlib import contextmanager

TYPE_CHECKING = False  # typing would make importing impasto slower
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

VERSION = "0.1.0"
_REQUIREMENT = r"(?P<name>[\w.-]+).*extra == ['\"](?P<extra>[\w-]+)"


def commit() -> str | None:
    """Return the commit that the package was built from, or the checkout's; None if it is not
    known."""
    import subprocess
    from contextlib import suppress
    from pathlib import Path

    here = Path(__file__)
    with suppress(OSError):
        return here.with_name("commit.txt").read_text("ascii").strip()
    root = here.parents[2]
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "rev-parse", "HEAD"]
        with suppress(OSError):  # there is no git
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            return done.stdout.strip() or None
    return None


def described() -> str:
    """Return the version, and the commit where that is known: ``0.1.0 (1a2b3c4d5e6f)``."""
    at = commit()
    return f"{VERSION} ({at[:12]})" if at else VERSION


def need(module: str, extra: str, what: str = "") -> ModuleType:
    """Import a module that comes with an extra.

    ``what`` names what cannot be done without it.

    Raises:
        MissingExtraError: it, or something that it needs, is not installed.
    """
    from importlib import import_module

    with needs(extra, what):
        return import_module(module)


@contextmanager
def needs(extra: str, what: str = "") -> Iterator[None]:
    """A context in which imports ask for an extra where a package is missing.

    ``what`` names what cannot be done without it.

    Raises:
        MissingExtraError: a module, or something that it needs, is not installed.
    """
    from impasto.errors import MissingExtraError

    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(extra, what or f"this (it needs {error.name})") from error


def extras() -> dict[str, list[str]]:
    """Return the distributions that each extra asks for, from the metadata of the installed
    package.

    ``dev`` is left out, because it is for work on impasto itself. The result is empty where impasto
    is not installed, but runs from its source.
    """
    import re
    from importlib.metadata import PackageNotFoundError, requires

    try:
        requirements = requires("impasto") or ()
    except PackageNotFoundError:
        return {}
    packages: dict[str, list[str]] = {}
    for requirement in requirements:
        if match := re.match(_REQUIREMENT, requirement):
            packages.setdefault(match["extra"], []).append(match["name"].lower())
    packages.pop("dev", None)
    return packages


def missing(extra: str) -> list[str]:
    """Return the distributions of an extra that are not installed, also of extras inside it."""
    from importlib.metadata import PackageNotFoundError, version

    absent = []
    for name in extras().get(extra, ()):
        try:
            version(name)
        except PackageNotFoundError:
            absent.append(name)
    return absent

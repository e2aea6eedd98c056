"""impasto as it is installed: its version, its extras, and what they bring."""

from __future__ import annotations

TYPE_CHECKING = False  # typing would make importing impasto slower
if TYPE_CHECKING:
    from types import ModuleType

VERSION = "0.1.0"
_REQUIREMENT = r"(?P<name>[\w.-]+).*extra == ['\"](?P<extra>[\w-]+)"


def need(module: str, extra: str, what: str = "") -> ModuleType:
    """A module that comes with an extra, imported.

    ``what`` is what cannot be done without it, in words.

    Raises:
        MissingExtraError: it, or something that it needs, is not installed.
    """
    from importlib import import_module

    from impasto.errors import MissingExtraError

    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(extra, what or f"this (it needs {error.name})") from error


def extras() -> dict[str, list[str]]:
    """The distributions that each extra asks for, by the metadata of the installed package.

    Without ``dev``, which is for work on impasto itself. Nothing where the package is not
    installed, but run from its source.
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
    """The distributions of an extra that are not installed, those of extras inside it too."""
    from importlib.metadata import PackageNotFoundError, version

    absent = []
    for name in extras().get(extra, ()):
        try:
            version(name)
        except PackageNotFoundError:
            absent.append(name)
    return absent

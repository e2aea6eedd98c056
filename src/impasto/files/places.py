"""Places of a user's own files: styles, and data that can be made or fetched again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from impasto.errors import OptionError

_STYLES, _CACHE = "IMPASTO_STYLES", "IMPASTO_CACHE"


def styles_folder() -> Path | None:
    """Return ``$IMPASTO_STYLES``, or the folder in the user's home; None for a user without one.

    Raises:
        OptionError: the variable begins with the home of a user who has none.
    """

    def default() -> str:
        import platformdirs

        return str(Path(platformdirs.user_data_dir("impasto", appauthor=False), "styles"))

    return _folder(_STYLES, default)


def require_styles_folder() -> Path:
    """Return :func:`styles_folder` as a place to write to.

    Raises:
        OptionError: there is no such place.
    """
    return _required(styles_folder(), _STYLES)


def cache_folder(kind: str) -> Path:
    """Return a part of ``$IMPASTO_CACHE``, or of the cache in the user's home.

    Raises:
        OptionError: there is no such place.
    """

    def default() -> str:
        import platformdirs

        return platformdirs.user_cache_dir("impasto", appauthor=False)

    return _required(_folder(_CACHE, default), _CACHE) / kind


def _folder(variable: str, default: Callable[[], str]) -> Path | None:
    if given := os.environ.get(variable):
        try:
            return Path(given).expanduser()
        except RuntimeError as error:
            raise OptionError(
                f"{variable} is {given}, and that user has no home",
                hint="give a whole path, which begins with /",
            ) from error
    try:  # a user in a container may have no home, or one that is no whole path
        return Path(default()).expanduser()
    except RuntimeError:
        return None


def _required(folder: Path | None, variable: str) -> Path:
    if folder is None:
        raise OptionError(
            "this user has no home folder", hint=f"set {variable} to a folder that may be written"
        )
    return folder

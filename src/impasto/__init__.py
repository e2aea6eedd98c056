"""Paint a photograph in the style of a picture.

>>> import impasto
>>> painting = impasto.stylize("photo.jpg", "great-wave")
>>> painting.save("painting.jpg")

Public names load what they need when they are first used, so importing this is quick.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.catalog import Style, styles
    from impasto.errors import (
        Cancelled,
        DeviceError,
        ImpastoError,
        MissingExtraError,
        OptionError,
        OutputError,
        PictureError,
        PictureLimitError,
        StyleError,
        TrainingError,
    )
    from impasto.picture import Picture
    from impasto.sheets import sheet
    from impasto.studio.optimize import optimize as optimize
    from impasto.stylizer import Stylizer, stylize

__version__ = "0.1.0"

_HOMES = {
    "Cancelled": "errors",
    "DeviceError": "errors",
    "ImpastoError": "errors",
    "MissingExtraError": "errors",
    "OptionError": "errors",
    "OutputError": "errors",
    "Picture": "picture",
    "PictureError": "errors",
    "PictureLimitError": "errors",
    "Style": "catalog",
    "StyleError": "errors",
    "Stylizer": "stylizer",
    "TrainingError": "errors",
    "optimize": "studio.optimize",
    "sheet": "sheets",
    "styles": "catalog",
    "stylize": "stylizer",
}

# Without ``optimize``: importing everything should not need torch.
__all__ = [
    "Cancelled",
    "DeviceError",
    "ImpastoError",
    "MissingExtraError",
    "OptionError",
    "OutputError",
    "Picture",
    "PictureError",
    "PictureLimitError",
    "Style",
    "StyleError",
    "Stylizer",
    "TrainingError",
    "__version__",
    "sheet",
    "styles",
    "stylize",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    try:
        home = import_module(f"impasto.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        from impasto.errors import MissingExtraError

        raise MissingExtraError("train", f"impasto.{name} (it needs {error.name})") from error
    return getattr(home, name)


def __dir__() -> list[str]:
    there = {*globals(), *_HOMES}
    return sorted(there if find_spec("torch") else there - {"optimize"})

"""Paint a photograph in the style of a picture.

>>> import impasto
>>> painting = impasto.stylize("photo.jpg", "great-wave")
>>> painting.save("painting.jpg")

The names of ``__all__`` are public; everything else may move at any time. Each name loads what it
needs when it is first used, so importing this is quick. Importing it also switches off the usage
data of other libraries (:mod:`impasto.telemetry`).
"""

from impasto import distribution as _distribution
from impasto import telemetry as _telemetry

_telemetry.switch_off()

__version__ = _distribution.VERSION

TYPE_CHECKING = False  # typing would be the slowest thing imported here
if TYPE_CHECKING:
    from impasto.catalog import Style as Style
    from impasto.catalog import styles as styles
    from impasto.catalog.finding import style as style
    from impasto.errors import Cancelled as Cancelled
    from impasto.errors import DeviceError as DeviceError
    from impasto.errors import ImpastoError as ImpastoError
    from impasto.errors import MissingExtraError as MissingExtraError
    from impasto.errors import OptionError as OptionError
    from impasto.errors import OutputError as OutputError
    from impasto.errors import PictureError as PictureError
    from impasto.errors import PictureLimitError as PictureLimitError
    from impasto.errors import StyleError as StyleError
    from impasto.errors import TrainingError as TrainingError
    from impasto.images.picture import Picture as Picture
    from impasto.options import DistillOptions as DistillOptions
    from impasto.options import EvaluateOptions as EvaluateOptions
    from impasto.options import LossOptions as LossOptions
    from impasto.options import NetworkOptions as NetworkOptions
    from impasto.options import OptimizeOptions as OptimizeOptions
    from impasto.options import QuantizeOptions as QuantizeOptions
    from impasto.options import ReadOptions as ReadOptions
    from impasto.options import SearchOptions as SearchOptions
    from impasto.options import ServeOptions as ServeOptions
    from impasto.options import StyleOptions as StyleOptions
    from impasto.options import StylizeOptions as StylizeOptions
    from impasto.options import TrainOptions as TrainOptions
    from impasto.options import WriteOptions as WriteOptions
    from impasto.progress import CancelToken as CancelToken
    from impasto.progress import Progress as Progress
    from impasto.studio.evaluation.evaluate import evaluate as evaluate
    from impasto.studio.export.quantize import quantize as quantize
    from impasto.studio.optimization.optimize import optimize as optimize
    from impasto.studio.training.distill import distill as distill
    from impasto.studio.training.paintings import Painting as Painting
    from impasto.studio.training.train import train as train
    from impasto.stylization.contact_sheet import sheet as sheet
    from impasto.stylization.layers import stylize as stylize
    from impasto.stylization.stylizer import Stylizer as Stylizer
del TYPE_CHECKING  # no public name


_HOMES = {
    "catalog": ("Style", "styles"),
    "catalog.finding": ("style",),
    "errors": (
        *("Cancelled", "DeviceError", "ImpastoError", "MissingExtraError", "OptionError"),
        *("OutputError", "PictureError", "PictureLimitError", "StyleError", "TrainingError"),
    ),
    "images.picture": ("Picture",),
    "options": (
        *("DistillOptions", "EvaluateOptions", "LossOptions", "NetworkOptions"),
        *("OptimizeOptions", "QuantizeOptions", "ReadOptions", "SearchOptions"),
        *("ServeOptions", "StyleOptions", "StylizeOptions", "TrainOptions", "WriteOptions"),
    ),
    "progress": ("CancelToken", "Progress"),
    "stylization.contact_sheet": ("sheet",),
    "stylization.layers": ("stylize",),
    "stylization.stylizer": ("Stylizer",),
}
_STUDIO = {
    "studio.training.distill": ("distill",),
    "studio.evaluation.evaluate": ("evaluate",),
    "studio.optimization.optimize": ("optimize",),
    "studio.training.paintings": ("Painting",),
    "studio.export.quantize": ("quantize",),
    "studio.training.train": ("train",),
}
"""Names that need torch."""

_HOME_OF = {name: home for home, names in (_HOMES | _STUDIO).items() for name in names}


def __getattr__(name: str) -> object:
    if name == "__all__":
        return __dir__()
    if name not in _HOME_OF:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    home = _distribution.need(f"impasto.{_HOME_OF[name]}", "train", f"impasto.{name}")
    value: object = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names; without those that need torch, where that is not installed."""
    from importlib.util import find_spec

    studio = {name for names in _STUDIO.values() for name in names}
    without = set() if find_spec("torch") else studio
    return ["__version__", *sorted(_HOME_OF.keys() - without)]

"""The styles at hand: bundled ones, the user's own, and any folder with a card.

A folder with ``card.json``, one ONNX file and previews holds a network of one style or of several.
The card says whose paintings they are and how they were learnt. It names the network's file with
its SHA-256. Styles of one network are blended inside it. Networks with one start are blended by
averaging them. Any painting is a style, too: a hypernetwork makes its network.
"""

from impasto.catalog.card import Artwork, Card, Entry, TrainingRecord, valid_name, valid_text
from impasto.catalog.content import preview
from impasto.catalog.finding import (
    StyleSource,
    bundled,
    find,
    none_given,
    of_one_network,
    require_other,
    styles,
    twin,
    unknown,
)
from impasto.catalog.layout import CARD, FORMAT
from impasto.catalog.meant import TINY, looks
from impasto.catalog.placing import place, require_free
from impasto.catalog.style import Style, learnt_with, read

__all__ = [
    "CARD",
    "FORMAT",
    "TINY",
    "Artwork",
    "Card",
    "Entry",
    "Style",
    "StyleSource",
    "TrainingRecord",
    "bundled",
    "find",
    "learnt_with",
    "looks",
    "none_given",
    "of_one_network",
    "place",
    "preview",
    "read",
    "require_free",
    "require_other",
    "styles",
    "twin",
    "unknown",
    "valid_name",
    "valid_text",
]
